"""The pages of Add to Slack: who may begin, and that whoever comes back from Slack is who went there."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bot.console.frame import Console
from bot.console.sign_in import LINK_LIFETIME, Links
from bot.core.errors import Permanent, Refused
from bot.core.kernel import Kernel
from bot.slack.install import DONE, START, Installer, lacking

INSTALL = "slack.install"
COOKIE = "signalbox_slack_install"
LINKS = "signalbox.slack-install"
_STATES = "signalbox.slack-state"
_BY_LINK = "install-link"


def install_router(kernel: Kernel) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    console = Console(kernel)
    links = Links(kernel.db, kernel.clock, LINKS)
    states = Links(kernel.db, kernel.clock, _STATES)

    @router.get(START)
    def offer(request: Request, code: str = "") -> Response:
        installer = _installer(console)
        try:
            by = _with_link(console, links, code) if code else _with_session(console, request)
            installer.check()
        except Refused as exc:
            return console.plain(request, "slack_install.html", 403, why=str(exc))
        state = states.make(by)
        # Who was sent a link may be a stranger: where else it is installed is not theirs to know.
        known = [] if code else kernel.installations.all()
        address = installer.address(state)
        answer = console.plain(request, "slack_install.html", 200, address=address, known=known)
        is_https = kernel.settings.web.public_url.startswith("https:")
        seconds = int(LINK_LIFETIME.total_seconds())
        answer.set_cookie(
            COOKIE, state, max_age=seconds, path=DONE, httponly=True, samesite="lax", secure=is_https
        )
        return answer

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

    return router


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
        raise console.sign_in_needed("This link was used already or is older than ten minutes.")
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
