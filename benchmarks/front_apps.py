"""The applications that the front benchmark compares, as ASGI: ours, and plain Bolt with its own adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.deliveries import SECRET
from bot.core.database import Database
from bot.core.events import NewEvent, Receipt, utc_now
from bot.core.group_commit import GroupCommit
from bot.core.inbox import Inbox
from bot.core.intake import Committer, Intake
from bot.core.registry import Registry
from bot.core.settings import SlackSettings
from bot.plugin import Command, Context, Plugin, PluginConfig, command
from bot.slack.front import SlackFront


class NoStorage:
    """Accepts and forgets, as the peers do; everything before the commit is real."""

    async def put(self, event: NewEvent) -> Receipt:
        return Receipt(event.id)


def registry(plugins: int) -> Registry:
    made = Registry()
    for number in range(plugins):
        made.add(_plugin(number))
    return made


def _plugin(number: int) -> Plugin[Any]:
    def run(self: Plugin[Any], given: Command, ctx: Context) -> None: ...

    fields = {"name": f"bench-{number}", "run": command(f"bench{number}", help="A benchmark's command.")(run)}
    made: Plugin[Any] = type(f"Bench{number}", (Plugin,), fields)(PluginConfig())
    return made


def ours(plugins: int, commit: Committer) -> Starlette:
    loaded = registry(plugins)
    intake = Intake(commit, loaded, lambda _: None)
    settings = SlackSettings(signing_secret=SecretStr(SECRET))
    return Starlette(routes=SlackFront(settings, loaded, lambda: intake, utc_now).routes())


@contextmanager
def sqlite_commit(folder: Path) -> Iterator[GroupCommit]:
    """The product's inbox: each answer waits for a commit that SQLite has synced to disk."""
    db = Database(f"sqlite:///{folder / 'inbox.db'}")
    db.migrate()
    yield GroupCommit(Inbox(db))
    db.close()


def bolt(commands: int, *, before_response: bool) -> Starlette:
    """Plain Bolt as its documentation shows it: a listener for each command, signatures checked."""
    app = AsyncApp(signing_secret=SECRET, authorize=_authorize, process_before_response=before_response)

    async def listener(ack: Any) -> None:
        await ack()

    for number in range(commands):
        app.command(f"/bench{number}")(listener)
    handler = AsyncSlackRequestHandler(app)

    async def receive(request: Request) -> Response:
        return await handler.handle(request)

    return Starlette(routes=[Route("/slack/events", receive, methods=["POST"])])


async def _authorize() -> AuthorizeResult:
    return AuthorizeResult(
        enterprise_id=None, team_id="T0BENCH", bot_token="xoxb-0", bot_id="B0", bot_user_id="U0"
    )
