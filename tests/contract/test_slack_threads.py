"""Messages in threads, their addresses, and what people say and mark, against the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_slack_kit import ALICE, GENERAL, Sandbox, running

from bot.core.database import Database
from bot.core.errors import Transient
from bot.core.events import NewEvent, utc_now
from bot.core.integration import Services
from bot.core.messages import Message, MessageRef
from bot.core.registry import Registry
from bot.core.settings import Settings
from bot.core.stored_messages import StoredMessages
from bot.plugin import Context, Plugin, Reaction, on
from bot.slack.normalise import normalise
from bot.slack.source import SlackSource
from integrations.slack.chat import SlackChat

pytestmark = pytest.mark.contract


class Marks(Plugin):
    name = "marks"

    @on("slack.reaction")
    def mark(self, reaction: Reaction, ctx: Context) -> None: ...


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(rate_limits=False) as started:
        yield started


@pytest.fixture
def chat(sandbox: Sandbox, tmp_path: Path) -> Iterator[SlackChat]:
    db = Database(f"sqlite:///{tmp_path / 'threads.db'}")
    db.migrate()
    settings = Settings.model_validate(
        {"slack": {"bot_token": "xoxb-sandbox", "api_url": f"{sandbox.url}/slack/api/"}}
    )
    yield SlackChat.connect(Services(settings, StoredMessages(db), lambda message: message, utc_now))
    db.close()


def posted(chat: SlackChat, key: str, text: str, thread: MessageRef | None = None) -> MessageRef:
    return chat.upsert(channel=GENERAL, key=key, message=Message(text=text), step_key=key, thread=thread)


def replies(sandbox: Sandbox, ref: MessageRef) -> list[str]:
    return [m["text"] for m in sandbox.messages() if m.get("thread_ts") == ref.ts and m["ts"] != ref.ts]


def test_a_living_message_in_a_thread_is_updated_there(chat: SlackChat, sandbox: Sandbox) -> None:
    line = posted(chat, "line", "line")
    first = posted(chat, "under", "fires", line)
    assert posted(chat, "under", "resolved", line) == first
    assert replies(sandbox, line) == ["resolved"]


def test_a_post_in_a_thread_that_was_cut_off_is_found_there(chat: SlackChat, sandbox: Sandbox) -> None:
    line = posted(chat, "line-2", "line")
    sandbox.page("faults", method="chat.postMessage", drop_after=True)
    with pytest.raises(Transient):
        posted(chat, "under-2", "fires", line)
    message = Message(text="fires")
    found = chat.reconcile_upsert(channel=GENERAL, key="under-2", message=message, step_key="s", thread=line)
    assert found is not None
    assert replies(sandbox, line) == ["fires"]


def test_what_is_flushed_later_still_goes_under_its_line(chat: SlackChat, sandbox: Sandbox) -> None:
    line = posted(chat, "line-3", "line")
    sandbox.page("faults", method="chat.postMessage", status=500)
    with pytest.raises(Transient):
        posted(chat, "under-3", "fires", line)
    assert chat.flush() == 1
    assert replies(sandbox, line) == ["fires"]


def test_a_message_has_an_address(chat: SlackChat) -> None:
    ref = posted(chat, "addressed", "here")
    assert chat.permalink(ref).endswith(f"/archives/{GENERAL}/p{ref.ts.replace('.', '')}")


def test_what_people_said_is_read_with_its_thread(chat: SlackChat, sandbox: Sandbox) -> None:
    line = posted(chat, "line-4", "line")
    ts = sandbox.page("say", user=ALICE, channel=GENERAL, text="rolled back", thread_ts=line.ts)["ts"]
    said = chat.read(MessageRef(channel=GENERAL, ts=ts))
    assert said is not None
    assert (said.user, said.text, said.thread_ts) == (ALICE, "rolled back", line.ts)
    own = chat.read(line)
    assert own is not None
    assert own.thread_ts == ""
    assert chat.read(MessageRef(channel=GENERAL, ts="1.000001")) is None


def test_a_reaction_comes_as_an_event(chat: SlackChat, sandbox: Sandbox) -> None:
    ref = posted(chat, "marked", "mark me")
    sandbox.page("react", user=ALICE, channel=GENERAL, ts=ref.ts, name="memo")
    body = sandbox.bot.wait_for("reaction_added")[-1].body
    registry = Registry()
    registry.add(Marks(Marks.Config()), version="test")
    found = normalise(body, registry)
    assert isinstance(found, NewEvent)
    reaction = SlackSource().parse(found.kind, found.body)
    assert isinstance(reaction, Reaction)
    assert (found.kind, reaction.emoji, reaction.ts) == ("slack.reaction", "memo", ref.ts)
    assert (reaction.user.id, reaction.added) == (ALICE, True)


def test_a_reaction_to_a_file_or_that_nobody_asked_for_is_not_kept() -> None:
    event = {
        "type": "reaction_removed",
        "user": "U1",
        "reaction": "wave::skin-tone-3",
        "item": {"type": "file"},
    }
    body = {"type": "event_callback", "event_id": "Ev1", "event": event}
    registry = Registry()
    registry.add(Marks(Marks.Config()), version="test")
    assert not isinstance(normalise(body, registry), NewEvent)
    event["item"] = {"type": "message", "channel": "C1", "ts": "1.1"}  # type: ignore[assignment]
    kept = normalise(body, registry)
    assert isinstance(kept, NewEvent)
    assert Reaction.model_validate_json(kept.body).emoji == "wave"
    assert not isinstance(normalise(body, Registry()), NewEvent)
