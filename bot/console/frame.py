"""What every page of the console needs: who asks, what they may, and how a page is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from starlette.exceptions import HTTPException

from bot import demo
from bot.console.sign_in import COOKIE, SESSION_SECONDS, Links, Session, Sessions
from bot.console.slack_identity import SlackIdentity
from bot.console.words import with_code
from bot.core.errors import Refused
from bot.core.kernel import Kernel
from bot.webhooks.limits import DoorLimits

VIEW = "console.view"
_TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")
_TEMPLATES.env.filters["local"] = lambda link: link if _is_link(link) else ""
_TEMPLATES.env.filters["code"] = with_code


class SignInNeeded(Exception):
    """Answered with the page that tells how, and what went wrong before."""

    def __init__(self, why: str = "", *, slack: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.slack = slack


class Console:
    """What every address needs: who asks, and how a page is shown.

    Args:
        limits: those of the doors: what one person does is counted here and in Slack.
    """

    def __init__(self, kernel: Kernel, limits: DoorLimits) -> None:
        key = kernel.settings.secret_key
        self._limits = limits
        self.kernel = kernel
        self.links = Links(kernel.db, kernel.clock)
        self.sessions = Sessions(key.get_secret_value().encode(), kernel.db, kernel.clock) if key else None
        self.slack = SlackIdentity.of(kernel.settings)

    def session(self, request: Request) -> Session:
        """The session that a request belongs to; without one it is answered with the sign-in page."""
        found = self.sessions.read(request.cookies.get(COOKIE)) if self.sessions else None
        if found is None:
            raise self.sign_in_needed()
        try:
            self.require(found, VIEW, "look at the console")
        except Refused as exc:  # the role was taken away meanwhile
            raise self.sign_in_needed(str(exc)) from exc
        return found

    def sign_in_needed(self, why: str = "") -> SignInNeeded:
        return SignInNeeded(why, slack=self.slack is not None)

    def may(self, session: Session, permission: str) -> bool:
        return session.by_link or self.kernel.permissions.allowed(session.user, permission)

    def require(self, session: Session, permission: str, what: str) -> None:
        if not session.by_link:
            self.kernel.permissions.require(session.user, permission, what)

    def knock(self, request: Request) -> None:
        """Somebody tries to sign in: a stranger's tries must not keep us busy with asking Slack."""
        if wait := self._limits.failures.wait("sign-in", request.client.host if request.client else ""):
            told = f"Too many tries to sign in. Please wait {wait} s."
            raise HTTPException(429, told, {"Retry-After": str(wait)})

    def begin(self, request: Request, user: str, *, by_link: bool) -> Response:
        """Signed in: on to the overview."""
        if self.sessions is None:
            raise self.sign_in_needed()
        self.kernel.audit.record(f"console:{user}", "console.sign_in", "console")
        answer = RedirectResponse("/", 303)
        cookie = self.sessions.begin(user, by_link=by_link)
        answer.set_cookie(COOKIE, cookie, max_age=SESSION_SECONDS, **self.cookie_rules(request))
        return answer

    def end(self, session: Session) -> None:
        """Signed out, in every browser that has this session's cookie."""
        if self.sessions is not None:
            self.sessions.end(session)
        self.kernel.audit.record(f"console:{session.user}", "console.sign_out", "console")

    def cookie_rules(self, request: Request) -> dict[str, Any]:
        """A proxy that ends TLS does not always say so: what people are told to open says it, too."""
        is_https = request.url.scheme == "https" or self.kernel.settings.web.public_url.startswith("https:")
        return {"httponly": True, "samesite": "lax", "secure": is_https}

    def show(self, request: Request, template: str, here: str, *, code: int = 200, **shown: Any) -> Response:
        session = self.session(request)
        shown |= {
            "session": session,
            "may": lambda permission: self.may(session, permission),
            "here": here,
            "plugin_pages": _plugin_pages(self.kernel),
            "sandbox": self.kernel.settings.web.sandbox_url,
            "made_up": demo.filled_at(self.kernel.db),
        }
        return _TEMPLATES.TemplateResponse(request, template, shown, status_code=code)

    def plain(self, request: Request, template: str, status: int, **shown: Any) -> Response:
        """A page that asks for no session."""
        return _TEMPLATES.TemplateResponse(request, template, shown, status_code=status)

    def sent_by(self, request: Request, token: str) -> Session:
        """The session whose form this is."""
        session = self.session(request)
        if not session.sent(token):
            raise HTTPException(403, "This form is not from your session; reload the page and try again.")
        return session

    def acts(self, request: Request, token: str) -> Session:
        """The same, for what changes something: as much of it as one person may do in Slack."""
        session = self.sent_by(request, token)
        if wait := self._limits.person.wait(session.user):
            told = (
                f"That was more than Signalbox takes from one person: nothing was done. Please wait {wait} s."
            )
            raise HTTPException(429, told, {"Retry-After": str(wait)})
        return session


def sign_in_page(request: Request, needed: SignInNeeded) -> Response:
    shown = {"why": needed.why, "slack": needed.slack}
    return _TEMPLATES.TemplateResponse(request, "sign_in.html", shown, status_code=401)


def error_page(
    request: Request, status: int, title: str, detail: str, headers: Mapping[str, str]
) -> Response:
    """It names nothing that a stranger may not know, so it asks for no session."""
    shown = {"title": title, "why": detail}
    return _TEMPLATES.TemplateResponse(request, "error.html", shown, status_code=status, headers=headers)


def _plugin_pages(kernel: Kernel) -> list[tuple[str, str]]:
    found = [(p.name, p.page_title) for p in kernel.registry.plugins.values() if p.page_title]
    return sorted(found, key=lambda entry: entry[1])


def _is_link(link: str) -> bool:
    """Text from outside never becomes a script: only addresses of pages are links."""
    parts = urlsplit(link)
    return parts.scheme in {"http", "https"} or (
        not parts.scheme and not parts.netloc and link.startswith("/")
    )
