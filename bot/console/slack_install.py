"""The pages of Add to Slack: who may begin, and that whoever comes back from Slack is who went there."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from bot.console.frame import Console
from bot.console.sign_in import LINK_LIFETIME, Links
from bot.core.errors import Permanent, Refused
from bot.core.kernel import Kernel
from bot.slack.install import DONE, START, Installer, lacking
from bot.webhooks.limits import DoorLimits

INSTALL = "slack.install"
COOKIE = "signalbox_slack_install"
LINKS = "signalbox.slack-install"
_STATES = "signalbox.slack-state"
_BY_LINK = "install-link"
USED = "This link was used already or is older than ten minutes."


def install_router(kernel: Kernel, limits: DoorLimits) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    console, states = Console(kernel, limits), Links(kernel.db, kernel.clock, _STATES)
    _add_start(router, console, states)
    _add_end(router, console, states)
    return router


def _add_start(router: APIRouter, console: Console, states: Links) -> None:
    links = Links(console.kernel.db, console.kernel.clock, LINKS)

    @router.get(START)
    def offer(request: Request, code: str = "") -> Response:
        if not code:
            return begin(request, lambda: _with_session(console, request))
        if not links.holds(code):
            raise console.sign_in_needed(USED)
        return console.plain(request, "slack_install.html", 200, code=code)

    @router.post(START)
    def offer_by_link(request: Request, code: Annotated[str, Form()]) -> Response:
        return begin(request, lambda: _with_link(console, links, code))

    def begin(request: Request, who: Callable[[], str]) -> Response:
        installer = _installer(console)
        try:
            by = who()
            installer.check()
        except Refused as exc:
            return console.plain(request, "slack_install.html", 403, why=str(exc))
        state = states.make(by)
        # Who was sent a link may be a stranger: where else it is installed is not theirs to know.
        known = [] if by == _BY_LINK else console.kernel.installations.all()
        address = installer.address(state)
        answer = console.plain(request, "slack_install.html", 200, address=address, known=known)
        seconds, rules = int(LINK_LIFETIME.total_seconds()), console.cookie_rules(request)
        answer.set_cookie(COOKIE, state, max_age=seconds, path=DONE, **rules)
        return answer


def _add_end(router: APIRouter, console: Console, states: Links) -> None:
    @router.get(DONE)
    def done(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        installer = _installer(console)
        try:
            by = _begun(states, request.cookies.get(COOKIE) or "", state)
            if by != _BY_LINK and by != _with_session(console, request):
                raise Refused(
                    "Somebody else is signed in than who began this installation; nothing was done."
                )
            if error or not code:
                raise Refused("Slack was not allowed to install Signalbox; nothing was done.")
            made = installer.install(code, by)
        except Refused as exc:
            answer = console.plain(request, "slack_install.html", 403, why=str(exc))
        else:
            answer = console.plain(request, "slack_install.html", 200, made=made)
        answer.delete_cookie(COOKIE, path=DONE)
        return answer


def _installer(console: Console) -> Installer:
    settings = console.kernel.settings
    if missing := lacking(settings):
        raise Permanent(
            f"Signalbox can't be installed in other workspaces here: set {', '.join(missing)} "
            "(docs/slack.md says how)."
        )
    return Installer(settings, console.kernel.installations)


def _with_link(console: Console, links: Links, code: str) -> str:
    if links.use(code) is None:
        raise console.sign_in_needed(USED)
    return _BY_LINK


def _with_session(console: Console, request: Request) -> str:
    session = console.session(request)
    console.require(session, INSTALL, "install Signalbox in a Slack workspace")
    return f"console:{session.user}"


def _begun(states: Links, cookie: str, state: str) -> str:
    """Who began it, in this browser, within ten minutes; it counts once."""
    same = bool(cookie) and hmac.compare_digest(cookie.encode(), state.encode())
    if not same or (by := states.use(state)) is None:
        raise Refused(
            "This installation was not begun in this browser, was ended already, or is older than ten "
            "minutes; please begin again."
        )
    return by


def new_link(links: Links, base: str) -> str:
    """The address that lets somebody install once, without signing in."""
    return f"{base.rstrip('/')}{START}?code={links.make(_BY_LINK)}"
