"""Socket Mode with the official client: Bolt's connection, our front, the stand-in's socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import standin_server
from sandbox_slack_kit import ALICE, GENERAL, Sandbox, button, running

from bot.core.database import Database
from bot.core.errors import Transient
from bot.core.events import ChatMessage, Command, utc_now
from bot.core.group_commit import GroupCommit
from bot.core.inbox import Inbox
from bot.core.intake import Intake
from bot.core.registry import Registry
from bot.core.settings import SlackSettings
from bot.plugin import Context, Plugin, command, on
from bot.slack.front import NOT_TAKEN, SlackFront

pytestmark = pytest.mark.contract


class Toy(Plugin):
    name = "toy"

    @command("hi", help="Say hi.")
    def hi(self, cmd: Command, ctx: Context) -> None: ...

    @on("slack.mention")
    def mention(self, said: ChatMessage, ctx: Context) -> None: ...


class Front:
    def __init__(self, sandbox: Sandbox, folder: Path, api_url: str = "") -> None:
        self.db = Database(f"sqlite:///{folder / 'socket.db'}")
        self.db.migrate()
        self.inbox = Inbox(self.db)
        self.commit = GroupCommit(self.inbox)
        self.queued: list[Any] = []
        registry = Registry()
        registry.add(Toy(Toy.Config()))
        intake = Intake(self.commit, registry, self.queued.extend)
        settings = SlackSettings.model_validate(
            {"app_token": "xapp-sandbox", "api_url": api_url or f"{sandbox.url}/slack/api/"}
        )
        self.front = SlackFront(settings, registry, lambda: intake, utc_now)

    def kinds(self) -> list[str]:
        return sorted(event.kind for event in self.inbox.recent())


async def until(probe: Callable[[], Any]) -> None:
    await asyncio.to_thread(standin_server.until, probe)


@asynccontextmanager
async def started(sandbox: Sandbox, folder: Path) -> AsyncIterator[Front]:
    made = Front(sandbox, folder)
    await made.front.start()
    await until(lambda: sandbox.look()["sockets"] == 1)
    try:
        yield made
    finally:
        await made.front.stop()
        await made.commit.close()
        made.db.close()


async def say(sandbox: Sandbox, text: str) -> Any:
    said = await asyncio.to_thread(sandbox.page, "say", user=ALICE, channel=GENERAL, text=text)
    return said["delivered"]


async def test_a_command_is_acknowledged_once_it_is_stored(tmp_path: Path) -> None:
    with running(rate_limits=False) as sandbox:
        async with started(sandbox, tmp_path) as front:
            [delivered] = await say(sandbox, "/signalbox hi there")
            assert (delivered["via"], delivered["error"]) == ("socket", None)
            [event] = front.inbox.recent()
            stored = Command.model_validate_json(front.inbox.event(event.id)[1])
            assert (stored.name, stored.text, stored.user.id) == ("hi", "there", ALICE)
            assert len(front.queued) == 1
        assert sandbox.bot.heard == []


async def test_what_cannot_be_stored_is_said_or_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def refuse_once(events: Any) -> Any:
        calls.append(len(events))
        if len(calls) == 1:
            raise Transient("The database is locked.")
        return Inbox.put_many(front.inbox, events)

    with running(rate_limits=False, ack_deadline_s=0.5) as sandbox:
        async with started(sandbox, tmp_path) as front:
            monkeypatch.setattr(front.inbox, "put_many", refuse_once)
            await say(sandbox, "hello @signalbox")
            await until(lambda: front.kinds() == ["slack.mention"])
            assert len(calls) >= 2
            calls.clear()
            await say(sandbox, "/signalbox hi")
            assert sandbox.messages()[-1]["text"] == NOT_TAKEN


async def test_it_connects_again_when_slack_refreshes_the_socket(tmp_path: Path) -> None:
    with running(rate_limits=False) as sandbox:
        async with started(sandbox, tmp_path) as front:
            assert await asyncio.to_thread(sandbox.page, "socket/refresh") == {"asked": 1}
            await until(lambda: sandbox.look()["sockets"] == 1)
            [delivered] = await say(sandbox, "/signalbox hi")
            assert (delivered["via"], delivered["error"]) == ("socket", None)
            assert front.kinds() == ["slack.command"]


async def test_a_click_on_a_button_that_is_gone_is_answered_to_that_person(tmp_path: Path) -> None:
    with running(rate_limits=False) as sandbox:
        async with started(sandbox, tmp_path) as front:
            posted = sandbox.web.chat_postMessage(
                channel=GENERAL, text="t", blocks=json.dumps([button("gone:press#b1")])
            )
            where = {"user": ALICE, "channel": GENERAL, "ts": posted["ts"], "block_id": "strip"}
            await asyncio.to_thread(sandbox.page, "click", **where, action_id="gone:press#b1")
            await until(lambda: "no longer available" in sandbox.messages()[-1]["text"])
            assert sandbox.messages()[-1]["ephemeral_for"] == ALICE
            assert front.inbox.recent() == []


async def test_the_start_does_not_wait_for_a_slack_that_is_away(tmp_path: Path) -> None:
    with running(rate_limits=False) as sandbox:
        made = Front(sandbox, tmp_path, "http://127.0.0.1:1/api/")
        async with asyncio.timeout(10):
            await made.front.start()
            await made.front.stop()
        await made.commit.close()
        made.db.close()
