"""The state of the stand-in: who is there, what was said, which views are open."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, Field

from integrations.sandbox.changes import Changes
from integrations.sandbox.slack import seed
from integrations.sandbox.slack.call import SlackError
from integrations.sandbox.slack.inputs import carried_state
from integrations.sandbox.slack.model import Channel, Message, Team, User, UserGroup, View

KEPT_MESSAGES = 5000
"""Per channel; older ones are forgotten, so that a load test cannot fill the memory."""

Listener = Callable[[str, Message, Message | None], None]


class State(BaseModel):
    """What a snapshot keeps. Open modals are not kept: their triggers died with the process."""

    users: dict[str, User] = Field(default_factory=lambda: {u.id: u for u in seed.users()})
    groups: dict[str, UserGroup] = Field(default_factory=lambda: {g.id: g for g in seed.user_groups()})
    channels: dict[str, Channel] = Field(default_factory=lambda: {c.id: c for c in seed.channels()})
    messages: dict[str, dict[str, Message]] = Field(default_factory=dict)
    homes: dict[str, View] = Field(default_factory=dict)


def branch_state() -> State:
    return State(
        users={user.id: user for user in seed.branch_users()},
        groups={group.id: group for group in seed.branch_groups()},
        channels={channel.id: channel for channel in seed.branch_channels()},
    )


class Workspace:
    def __init__(
        self, changes: Changes, clock: Callable[[], float] = time.time, team: Team = seed.HOME
    ) -> None:
        self.team = team
        self.changes = changes
        self.clock = clock
        self.state = State() if team.id == seed.HOME.id else branch_state()
        self.views: dict[str, View] = {}
        self.stacks: dict[str, list[str]] = {}
        self.on_change: Callable[[], None] = lambda: None
        self.on_message: Listener = lambda _what, _message, _before: None
        self._last_micros = 0

    # People and places

    def user(self, user_id: str) -> User:
        user = self.state.users.get(user_id)
        if user is None:
            raise SlackError("user_not_found")
        return user

    def channel(self, name_or_id: str) -> Channel:
        """By id; a user's id means the direct messages with them."""
        channel = self.state.channels.get(name_or_id)
        if channel is None and name_or_id in self.state.users:
            channel = self.direct(name_or_id)
        if channel is None:
            raise SlackError("channel_not_found")
        return channel

    def named_channel(self, name_or_id: str) -> Channel:
        """By id or, as `chat.postMessage` alone still accepts, by name."""
        name = name_or_id.removeprefix("#")
        for channel in self.state.channels.values():
            if channel.im_user is None and channel.name == name:
                return channel
        return self.channel(name_or_id)

    def direct(self, user_id: str) -> Channel:
        channel = seed.direct(self.user(user_id))
        return self.state.channels.setdefault(channel.id, channel)

    # Messages

    def mint_ts(self) -> str:
        """Unique and rising, as Slack's timestamps are ids at the same time."""
        self._last_micros = max(int(self.clock() * 1_000_000), self._last_micros + 1)
        return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"

    def messages(self, channel_id: str) -> dict[str, Message]:
        return self.state.messages.setdefault(channel_id, {})

    def message(self, channel_id: str, ts: str) -> Message:
        message = self.messages(channel_id).get(ts)
        if message is None:
            raise SlackError("message_not_found")
        return message

    def threads(self, channel_id: str) -> dict[str, list[Message]]:
        """Replies by the ts of the message they answer; what only one person sees is left out."""
        threads: dict[str, list[Message]] = {}
        for message in self.messages(channel_id).values():
            if message.thread_ts and message.is_reply and not message.ephemeral_for:
                threads.setdefault(message.thread_ts, []).append(message)
        return threads

    def post(self, message: Message) -> Message:
        message.team = self.team.id
        message.blocks = with_ids(message.blocks)
        message.attachments = attachments_with_ids(message.attachments)
        kept = self.messages(message.channel)
        kept[message.ts] = message
        while len(kept) > KEPT_MESSAGES:
            del kept[next(iter(kept))]
        self._message_changed("posted", message)
        return message

    def edit(self, message: Message, fields: dict[str, Any]) -> Message:
        edited = message.model_copy(update={**fields, "edited": {"user": message.user, "ts": self.mint_ts()}})
        edited.blocks = with_ids(edited.blocks)
        edited.attachments = attachments_with_ids(edited.attachments)
        self.messages(message.channel)[message.ts] = edited
        self._message_changed("updated", edited, message)
        return edited

    def delete(self, message: Message) -> None:
        del self.messages(message.channel)[message.ts]
        self._message_changed("deleted", message)

    def attach(self, message: Message, attachments: list[dict[str, Any]]) -> None:
        """Cards for links: they come beside what was said, which nobody has edited."""
        message.attachments = attachments_with_ids(attachments)
        self.message_touched(message)

    def message_touched(self, message: Message) -> None:
        """A reaction or a choice in the message's inputs: seen on the page, no event to the bot."""
        self._changed("slack.message", _place("updated", message))

    def _message_changed(self, what: str, message: Message, before: Message | None = None) -> None:
        self._changed("slack.message", _place(what, message))
        if message.ephemeral_for is None:
            self.on_message(what, message, before)

    # Views

    def stack(self, user_id: str) -> list[View]:
        return [self.views[view_id] for view_id in self.stacks.get(user_id, [])]

    def open_view(self, user_id: str, body: dict[str, Any], *, push: bool) -> View:
        """Open a modal on top of the user's stack, or instead of it."""
        below = self.stack(user_id) if push else []
        if not push:
            self.clear_views(user_id)
        view_id, body = "V" + secrets.token_hex(5).upper(), with_view_ids(body)
        view = View(
            id=view_id,
            team=self.team.id,
            user=user_id,
            body=body,
            state=carried_state(body["blocks"], {}),
            hash=self._hash(),
            root_view_id=below[0].id if below else view_id,
            previous_view_id=below[-1].id if below else None,
        )
        self.views[view_id] = view
        self.stacks.setdefault(user_id, []).append(view_id)
        self.view_changed(view)
        return view

    def update_view(self, view: View, body: dict[str, Any]) -> View:
        view.body = with_view_ids(body)
        view.hash = self._hash()
        view.errors = {}
        view.state = carried_state(view.body["blocks"], view.state)
        self.view_changed(view)
        return view

    def close_view(self, view: View) -> None:
        """Close this view and whatever was pushed on top of it."""
        stack = self.stacks.get(view.user, [])
        for view_id in stack[stack.index(view.id) :]:
            del self.views[view_id]
        del stack[stack.index(view.id) :]
        self.view_changed(view)

    def clear_views(self, user_id: str) -> None:
        stack = self.stack(user_id)
        if stack:
            self.close_view(stack[0])

    def publish_home(self, user_id: str, body: dict[str, Any]) -> View:
        known = self.state.homes.get(user_id)
        view_id = known.id if known else "V" + secrets.token_hex(5).upper()
        home = View(
            id=view_id,
            team=self.team.id,
            user=user_id,
            body=with_view_ids(body),
            hash=self._hash(),
            root_view_id=view_id,
        )
        self.state.homes[user_id] = home
        self._changed("slack.home", {"user": user_id})
        return home

    def all_views(self) -> Iterator[View]:
        yield from self.views.values()
        yield from self.state.homes.values()

    def view_changed(self, view: View) -> None:
        self._changed("slack.view", {"user": view.user, "view": view.id})

    def _changed(self, kind: str, data: dict[str, Any]) -> None:
        self.changes.publish(kind, data)
        self.on_change()

    def _hash(self) -> str:
        return f"{int(self.clock())}.{secrets.token_hex(4)}"


def with_ids(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Slack fills in the ids that the sender left out."""
    return [_block_with_ids(block) for block in blocks]


def attachments_with_ids(attachments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [a | {"blocks": with_ids(a["blocks"])} if a.get("blocks") else a for a in attachments]


def with_view_ids(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "blocks": with_ids(body["blocks"])}


def _block_with_ids(block: dict[str, Any]) -> dict[str, Any]:
    filled = {**block}
    filled["block_id"] = block.get("block_id") or _short_id()
    for name in ("accessory", "element"):
        if isinstance(block.get(name), dict):
            filled[name] = _element_with_id(block[name])
    if block["type"] == "actions":
        filled["elements"] = [_element_with_id(element) for element in block["elements"]]
    return filled


def _element_with_id(element: dict[str, Any]) -> dict[str, Any]:
    if element.get("type") == "image":
        return element
    return {**element, "action_id": element.get("action_id") or _short_id()}


def _short_id() -> str:
    return secrets.token_urlsafe(4)[:5]


def _place(what: str, message: Message) -> dict[str, Any]:
    return {
        "action": what,
        "channel": message.channel,
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "ephemeral_for": message.ephemeral_for,
    }
