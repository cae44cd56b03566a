"""The console's addresses. What changes something is a form with the session's token, and is audited."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from starlette.exceptions import HTTPException

from bot.console import charts, press
from bot.console.sign_in import COOKIE, SESSION_SECONDS, Links, Session, Sessions
from bot.console.slack_identity import DONE, STATE_COOKIE, STATE_SECONDS, SlackIdentity
from bot.core.context import Context
from bot.core.declare import Plugin
from bot.core.errors import Permanent, Refused, SignalboxError
from bot.core.events import Event, Payload
from bot.core.inbox import RunStatus
from bot.core.kernel import Kernel
from bot.core.pages import Chart, Controls, Page

STATIC = Path(__file__).parent / "static"
VIEW = "console.view"
REPLAY = "inbox.replay"
USED = "This link was used already or is older than ten minutes."
_DAY = timedelta(days=1)
_TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")
_TEMPLATES.env.filters["local"] = lambda link: link if _is_link(link) else ""
log = structlog.get_logger()


class SignInNeeded(Exception):
    """Answered with the page that tells how, and what went wrong before."""

    def __init__(self, why: str = "", *, slack: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.slack = slack


class Console:
    """What every address needs: who asks, and how a page is shown."""

    def __init__(self, kernel: Kernel) -> None:
        key = kernel.settings.secret_key
        self.kernel = kernel
        self.links = Links(kernel.db, kernel.clock)
        self.sessions = Sessions(key.get_secret_value().encode()) if key else None
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

    def require(self, session: Session, permission: str, what: str) -> None:
        if not session.by_link:
            self.kernel.permissions.require(session.user, permission, what)

    def begin(self, request: Request, user: str, *, by_link: bool) -> Response:
        """Signed in: on to the overview."""
        if self.sessions is None:
            raise self.sign_in_needed()
        self.kernel.audit.record(f"console:{user}", "console.sign_in", "console")
        answer = RedirectResponse("/", 303)
        cookie = self.sessions.begin(user, by_link=by_link)
        answer.set_cookie(COOKIE, cookie, max_age=SESSION_SECONDS, **_cookie_rules(request))
        return answer

    def show(self, request: Request, template: str, here: str, **shown: Any) -> Response:
        shown |= {
            "session": self.session(request),
            "here": here,
            "plugin_pages": _plugin_pages(self.kernel),
            "sandbox": self.kernel.settings.web.sandbox_url,
        }
        return _TEMPLATES.TemplateResponse(request, template, shown)

    def plain(self, request: Request, template: str, status: int, **shown: Any) -> Response:
        """A page that asks for no session."""
        return _TEMPLATES.TemplateResponse(request, template, shown, status_code=status)

    def sent_by(self, request: Request, token: str) -> Session:
        """The session whose form this is."""
        session = self.session(request)
        if not session.sent(token):
            raise HTTPException(403, "This form is not from your session; reload the page and try again.")
        return session


def console_router(kernel: Kernel) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    console = Console(kernel)
    _add_door(router, console)
    _add_inbox(router, console)
    _add_plugins(router, console)
    return router


def _add_door(router: APIRouter, console: Console) -> None:
    @router.get("/sign-in")
    def sign_in(request: Request, code: str = "") -> Response:
        user = console.links.use(code) if code else None
        if user is None:
            raise console.sign_in_needed(USED if code else "")
        return console.begin(request, user, by_link=True)

    @router.get("/sign-in/slack")
    def ask_slack(request: Request) -> Response:
        asked = _configured(console).ask()
        answer = RedirectResponse(asked.url, 303)
        rules = _cookie_rules(request)
        answer.set_cookie(STATE_COOKIE, asked.cookie, max_age=STATE_SECONDS, path=DONE, **rules)
        return answer

    @router.get(DONE)
    def slack_answered(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        slack = _configured(console)
        try:
            if error or not code:
                raise Refused("Slack was not allowed to say who you are.")
            user = slack.user(request.cookies.get(STATE_COOKIE), state, code)
            console.kernel.permissions.require(user, VIEW, "look at the console")
        except Refused as exc:
            raise console.sign_in_needed(str(exc)) from exc
        answer = console.begin(request, user, by_link=False)
        answer.delete_cookie(STATE_COOKIE, path=DONE)
        return answer

    @router.post("/sign-out")
    def sign_out(request: Request, token: Annotated[str, Form()]) -> Response:
        console.sent_by(request, token)
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE)
        return answer


def _add_inbox(router: APIRouter, console: Console) -> None:
    kernel = console.kernel

    @router.get("/")
    def overview(request: Request) -> Response:
        console.session(request)
        shown = {
            "counts": kernel.inbox.counts(kernel.clock() - _DAY),
            "oldest": kernel.inbox.oldest_pending_seconds(),
            "runs": kernel.inbox.runs(limit=20, with_clock=False),
            "dead": kernel.inbox.runs(status="dead", limit=10),
            "resting": kernel.pauses.all(),
            "report": kernel.registry.report,
        }
        return console.show(request, "overview.html", "overview", **shown)

    @router.get("/inbox")
    def inbox(
        request: Request, status: RunStatus | Literal[""] = "", q: str = "", clock: Literal["true", ""] = ""
    ) -> Response:
        console.session(request)
        runs = kernel.inbox.runs(
            status=status or None,
            search=q.strip()[:120],
            with_clock=bool(clock) or status == "dead",
            limit=200,
        )
        return console.show(request, "inbox.html", "inbox", runs=runs, status=status, q=q, clock=clock)

    @router.get("/events/{event_id}")
    def event(request: Request, event_id: str) -> Response:
        console.session(request)
        return console.show(request, "event.html", "inbox", trace=kernel.trace(event_id))

    @router.post("/inbox/{run_id}/replay")
    def replay(request: Request, run_id: str, token: Annotated[str, Form()]) -> Response:
        session = console.sent_by(request, token)
        console.require(session, REPLAY, "replay what failed")
        due = kernel.inbox.replay(run_id)
        kernel.audit.record(f"console:{session.user}", "inbox.replay", run_id)
        kernel.enqueue([due])
        return RedirectResponse(f"/events/{run_id.rpartition('-')[0]}", 303)

    @router.get("/audit")
    def audit(request: Request) -> Response:
        console.session(request)
        return console.show(request, "audit.html", "audit", rows=kernel.audit.recent(200))


def _add_plugins(router: APIRouter, console: Console) -> None:
    kernel = console.kernel

    @router.get("/plugins")
    def plugins(request: Request) -> Response:
        console.session(request)
        kernel.overrides.refresh()
        shown = {
            "report": kernel.registry.report,
            "resting": kernel.pauses.all(),
            "off": {name: off.words for name, off in kernel.switches.all().items()},
            "details": [_detail(plugin, kernel) for plugin in kernel.registry.plugins.values()],
        }
        return console.show(request, "plugins.html", "plugins", **shown)

    @router.get("/pages/{plugin}")
    def page(request: Request, plugin: str) -> Response:
        session = console.session(request)
        made = _page(kernel, plugin)
        controls = [part for part in made.parts if isinstance(part, Controls) and not session.by_link]
        buttons = {part.title: press.shown(part, session.user, kernel) for part in controls}
        return console.show(request, "page.html", plugin, page=made, plugin=plugin, buttons=buttons)

    @router.post("/press/{button_id}")
    def pressed(request: Request, button_id: str, token: Annotated[str, Form()]) -> Response:
        session = console.sent_by(request, token)
        if session.by_link:
            raise HTTPException(403, "Buttons need to know who presses: sign in with Slack.")
        return RedirectResponse(f"/events/{press.press(button_id, session.user, kernel)}", 303)

    @router.get("/pages/{plugin}/charts/{number}.svg")
    def chart(request: Request, plugin: str, number: int) -> Response:
        console.session(request)
        parts = _page(kernel, plugin).parts
        if not (0 <= number < len(parts) and isinstance(drawn := parts[number], Chart)):
            raise HTTPException(404, "This page has no such chart; reload the page.")
        return Response(charts.svg(drawn), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})


def sign_in_page(request: Request, needed: SignInNeeded) -> Response:
    shown = {"why": needed.why, "slack": needed.slack}
    return _TEMPLATES.TemplateResponse(request, "sign_in.html", shown, status_code=401)


def _configured(console: Console) -> SlackIdentity:
    if console.slack is None:
        raise console.sign_in_needed("Signing in with Slack is not set up here.")
    return console.slack


def _cookie_rules(request: Request) -> dict[str, Any]:
    return {"httponly": True, "samesite": "lax", "secure": request.url.scheme == "https"}


def _plugin_pages(kernel: Kernel) -> list[tuple[str, str]]:
    found = [(p.name, p.page_title) for p in kernel.registry.plugins.values() if p.page_title]
    return sorted(found, key=lambda entry: entry[1])


def _page(kernel: Kernel, name: str) -> Page:
    kernel.overrides.refresh()
    plugin = kernel.registry.plugins.get(name)
    if plugin is None or not plugin.page_title:
        raise HTTPException(404, f"The plugin {name!r} has no page here.")
    now = kernel.clock()
    handler = next(plugin.handlers())
    context = Context(kernel, Event("console", "console", "console.page", name, now, ""), handler, Payload())
    try:
        return plugin.page(context)
    except SignalboxError:
        raise
    except Exception as exc:  # a faulty plugin may raise anything; the others' pages must work
        log.exception("console.page_failed", plugin=name)
        raise Permanent(
            f"The page of {name!r} could not be made: {type(exc).__name__}. The log has the details."
        ) from exc


def _detail(plugin: Plugin[Any], kernel: Kernel) -> dict[str, Any]:
    config = plugin.config.model_dump(mode="json")
    return {
        "name": plugin.name,
        "settings": [
            (name, config[name], kernel.overrides.origin(plugin.name, name), field.description)
            for name, field in type(plugin.config).model_fields.items()
        ],
        "handlers": [
            (h.declaration.trigger, h.declaration.match, h.declaration.queue, h.declaration.permission or "")
            for h in plugin.handlers()
        ],
    }


def _is_link(link: str) -> bool:
    """Text from outside never becomes a script: only addresses of pages are links."""
    parts = urlsplit(link)
    return parts.scheme in {"http", "https"} or (
        not parts.scheme and not parts.netloc and link.startswith("/")
    )
