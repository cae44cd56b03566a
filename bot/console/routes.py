"""The console's addresses. What changes something is a form with the session's token, and is audited."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from bot.console import charts
from bot.console.flow import Flow
from bot.console.frame import VIEW, Console
from bot.console.plugin_pages import add_plugins
from bot.console.plugin_settings import add_settings
from bot.console.sign_in import COOKIE
from bot.console.slack_identity import DONE, STATE_COOKIE, STATE_SECONDS, SlackIdentity
from bot.core.errors import Refused
from bot.core.inbox import RunStatus
from bot.core.kernel import Kernel
from bot.webhooks.limits import DoorLimits

STATIC = Path(__file__).parent / "static"
REPLAY = "inbox.replay"
USED = "This link was used already or is older than ten minutes."
_DAY = timedelta(days=1)


def console_router(kernel: Kernel, limits: DoorLimits) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    console = Console(kernel, limits)
    _add_door(router, console)
    _add_inbox(router, console)
    add_plugins(router, console)
    add_settings(router, console)
    return router


def _add_door(router: APIRouter, console: Console) -> None:
    @router.get("/sign-in")
    def sign_in(request: Request, code: str = "") -> Response:
        if code:
            console.knock(request)
        user = console.links.use(code) if code else None
        if user is None:
            raise console.sign_in_needed(USED if code else "")
        return console.begin(request, user, by_link=True)

    @router.get("/sign-in/slack")
    def ask_slack(request: Request) -> Response:
        asked = _configured(console).ask()
        answer = RedirectResponse(asked.url, 303)
        rules = console.cookie_rules(request)
        answer.set_cookie(STATE_COOKIE, asked.cookie, max_age=STATE_SECONDS, path=DONE, **rules)
        return answer

    @router.get(DONE)
    def slack_answered(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        slack = _configured(console)
        console.knock(request)
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
        console.end(console.sent_by(request, token))
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE)
        return answer


def _add_inbox(router: APIRouter, console: Console) -> None:
    kernel = console.kernel
    flow = Flow(kernel)

    @router.get("/")
    def overview(request: Request) -> Response:
        console.session(request)
        shown: dict[str, Any] = {
            "counts": kernel.inbox.counts(kernel.clock() - _DAY),
            "oldest": kernel.inbox.oldest_pending_seconds(),
            "runs": kernel.inbox.runs(limit=15, with_clock=False),
            "effects": flow.effects(),
            "flow": flow.chart(),
            "mark": flow.mark(),
            "dead": kernel.inbox.runs(status="dead", limit=10),
            "resting": kernel.pauses.all(),
            "off": {name: off.words for name, off in kernel.switches.all().items()},
            "charts": charts,
            "command": kernel.settings.slack.command,
            "report": kernel.registry.report,
        }
        return console.show(request, "overview.html", "overview", **shown)

    @router.get("/flow.svg")
    def drawn_flow(request: Request, *, narrow: bool = False) -> Response:
        console.session(request)
        drawn = charts.svg(flow.chart(), charts.NARROW if narrow else charts.WIDE)
        return Response(drawn, media_type="image/svg+xml", headers={"Cache-Control": "private, max-age=3600"})

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
        session = console.acts(request, token)
        console.require(session, REPLAY, "replay what failed")
        due = kernel.inbox.replay(run_id)
        kernel.audit.record(f"console:{session.user}", "inbox.replay", run_id)
        kernel.enqueue([due])
        return RedirectResponse(f"/events/{run_id.rpartition('-')[0]}", 303)

    @router.get("/audit")
    def audit(request: Request, q: str = "") -> Response:
        console.session(request)
        rows = kernel.audit.recent(200, search=q.strip()[:120])
        return console.show(request, "audit.html", "audit", rows=rows, q=q)


def _configured(console: Console) -> SlackIdentity:
    if console.slack is None:
        raise console.sign_in_needed("Signing in with Slack is not set up here.")
    return console.slack
