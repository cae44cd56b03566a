"""A chat without a network: it keeps what people would see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.core.errors import Permanent
from bot.core.events import ReplyTo
from bot.core.integration import Services
from bot.core.messages import Message, MessageRef, Modal
from bot.core.ports import Said, idempotent
from bot.testing.faults import Faulty
from bot.testing.text import text_of


@dataclass(frozen=True)
class Shown:
    """A message as it stands in a channel now."""

    channel: str
    ts: str
    key: str
    message: Message
    thread: str = ""
    updates: int = 0

    @property
    def text(self) -> str:
        return text_of(self.message)

    @property
    def buttons(self) -> list[str]:
        return [getattr(p, "text", "") or getattr(p, "placeholder", "") for p in self.message.pressables()]


@dataclass(frozen=True)
class Reply:
    """An answer that only `user` sees, unless it is public."""

    user: str
    channel: str
    message: Message
    public: bool

    @property
    def text(self) -> str:
        return text_of(self.message)


@dataclass(frozen=True)
class File:
    channel: str
    filename: str
    content: bytes
    title: str
    thread: str = ""


@dataclass
class _State:
    shown: dict[str, Shown] = field(default_factory=dict)
    wanted: dict[str, Message] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    modals: list[Modal] = field(default_factory=list)
    homes: dict[str, Message] = field(default_factory=dict)
    cards: dict[str, Message] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    said: dict[tuple[str, str], Said] = field(default_factory=dict)


class FakeChat(Faulty):
    """The chat port as a plugin's test needs it; keeps the promises of `bot.core.ports.Chat`."""

    def __init__(self, services: Services) -> None:
        super().__init__("chat")
        self._services = services
        self._state = _State()
        self.groups: dict[str, frozenset[str]] = {}
        """User id to the handles of the user groups they belong to."""

    @property
    def messages(self) -> list[Shown]:
        """Messages in the channels, oldest first, as they were last sent."""
        return list(self._state.shown.values())

    @property
    def late_screens(self) -> list[Shown]:
        """The messages with all their buttons, as a screen has them that has not seen the last click."""
        return [replace(s, message=self._state.wanted[s.key]) for s in self._state.shown.values()]

    @property
    def replies(self) -> list[Reply]:
        return list(self._state.replies.values())

    @property
    def modals(self) -> list[Modal]:
        return self._state.modals

    @property
    def homes(self) -> dict[str, Message]:
        """Home tabs by user."""
        return self._state.homes

    @property
    def cards(self) -> dict[str, Message]:
        """What links were unfurled to, by address."""
        return self._state.cards

    @property
    def files(self) -> list[File]:
        return list(self._state.files.values())

    def in_channel(self, channel: str) -> list[Shown]:
        return [shown for shown in self.messages if shown.channel == channel]

    @idempotent
    def upsert(
        self, *, channel: str, key: str, message: Message, step_key: str, thread: MessageRef | None = None
    ) -> MessageRef:
        known = self._state.wanted.get(key)
        changes = known is None or known != message  # Slack is not told what it shows already
        with self._call(
            "upsert", writes=changes, channel=channel, key=key, message=message, step_key=step_key
        ):
            stored = self._services.messages.want(key, channel, message, thread.ts if thread else None)
            ref = self._show(key, stored.channel, message, stored.thread_ts or "")
            self._services.messages.sent(key, ref.channel, ref.ts, "sent", stored.wanted_at)
            return ref

    def post(  # such a message does not live: no later click changes what it shows
        self, *, channel: str, message: Message, step_key: str, thread: MessageRef | None = None
    ) -> MessageRef:
        with self._call("post", channel=channel, message=message, step_key=step_key, thread=thread):
            return self._show(f"post:{step_key}", channel, message, thread.ts if thread else "")

    def reconcile_post(self, *, step_key: str, **_: Any) -> MessageRef | None:
        found = self._state.shown.get(f"post:{step_key}")
        return MessageRef(channel=found.channel, ts=found.ts) if found else None

    def reply(self, *, to: ReplyTo, message: Message, step_key: str, public: bool = False) -> bool:
        with self._call("reply", to=to, message=message, step_key=step_key, public=public):
            self._state.replies[step_key] = Reply(to.user, to.channel, message, public)
            return True

    def reconcile_reply(self, *, to: ReplyTo, step_key: str, **arguments: Any) -> bool | None:
        """A command's answer is sent again in place of the first; a click's is not repeated."""
        return self.reply(to=to, step_key=step_key, **arguments) if to.replaceable else True

    @idempotent
    def refresh(self, *, ref: MessageRef, step_key: str) -> None:
        with self._call("refresh", writes=False, ref=ref, step_key=step_key):
            stored = self._services.messages.by_ref(ref.channel, ref.ts)
            if stored is not None:
                self._show(stored.key, stored.channel, stored.wanted)

    @idempotent
    def open_modal(self, *, trigger_id: str, modal: Modal, step_key: str) -> None:
        with self._call("open_modal", trigger_id=trigger_id, modal=modal, step_key=step_key):
            if not trigger_id:
                raise Permanent("A dialog needs the trigger_id of a command or a click.")
            self._state.modals.append(modal)

    @idempotent
    def publish_home(self, *, user: str, message: Message, step_key: str) -> None:
        with self._call("publish_home", user=user, message=message, step_key=step_key):
            self._state.homes[user] = message

    @idempotent
    def unfurl(self, *, ref: MessageRef, cards: Mapping[str, Message], step_key: str) -> bool:
        with self._call("unfurl", ref=ref, cards=cards, step_key=step_key):
            self._state.cards.update(cards)
            return True

    def upload(
        self,
        *,
        channel: str,
        filename: str,
        content: bytes,
        title: str,
        step_key: str,
        thread: MessageRef | None = None,
    ) -> str:
        with self._call("upload", channel=channel, filename=filename, title=title, step_key=step_key):
            self._state.files[step_key] = File(channel, filename, content, title, thread.ts if thread else "")
            return f"F{step_key[:10]}"

    def reconcile_upload(self, *, step_key: str, **_: Any) -> str | None:
        return f"F{step_key[:10]}" if step_key in self._state.files else None

    def permalink(self, ref: MessageRef) -> str:
        with self._call("permalink", writes=False, ref=ref):
            return f"https://chat.example/{ref.ts}"

    def say(self, text: str, *, user: str, channel: str, thread: str = "") -> MessageRef:
        """Write a message, as a person does; `read` finds it."""
        ref = MessageRef(channel=channel, ts=f"{len(self._state.said) + 1}.000900")
        self._state.said[ref.channel, ref.ts] = Said(user=user, text=text, thread_ts=thread)
        return ref

    def read(self, ref: MessageRef) -> Said | None:
        with self._call("read", writes=False, ref=ref):
            return self.said(ref)

    def said(self, ref: MessageRef) -> Said | None:
        """What stands there now, without a call that a test could let fail."""
        shown = next((s for s in self.messages if (s.channel, s.ts) == (ref.channel, ref.ts)), None)
        if shown is not None:
            return Said(user="UBOT", text=shown.message.text, thread_ts=shown.thread)
        return self._state.said.get((ref.channel, ref.ts))

    def groups_of(self, user_id: str) -> frozenset[str]:
        return self.groups.get(user_id, frozenset())

    def _show(self, key: str, channel: str, message: Message, thread: str = "") -> MessageRef:
        """Post, or update in place: a message keeps its channel and its place."""
        known = self._state.shown.get(key)
        shown = self._services.present(message)
        if known is None:
            ts = f"{len(self._state.shown) + 1}.000100"
            self._state.shown[key] = Shown(channel, ts, key, shown, thread)
        else:
            self._state.shown[key] = replace(known, message=shown, updates=known.updates + 1)
        self._state.wanted[key] = message
        now = self._state.shown[key]
        return MessageRef(channel=now.channel, ts=now.ts, permalink=f"https://chat.example/{now.ts}")
