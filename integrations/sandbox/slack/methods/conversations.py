"""`conversations.*`."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from integrations.sandbox.slack.call import Call, SlackError
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.model import Channel, Message
from integrations.sandbox.slack.shapes import channel_json, message_json, thread_json

Answer = dict[str, Any]
Item = TypeVar("Item")


def list_channels(desk: Desk, call: Call) -> Answer:
    wanted = set((call.text("types") or "public_channel").split(","))
    shown = [channel_json(c) for c in desk.workspace.state.channels.values() if _type(c) in wanted]
    page, cursor = paged(shown, call, default=100)
    return {"channels": page, **_metadata(cursor)}


def info(desk: Desk, call: Call) -> Answer:
    return {"channel": channel_json(desk.workspace.channel(call.require("channel")))}


def members(desk: Desk, call: Call) -> Answer:
    channel = desk.workspace.channel(call.require("channel"))
    page, cursor = paged(channel.members, call, default=100)
    return {"members": page, **_metadata(cursor)}


def join(desk: Desk, call: Call) -> Answer:
    channel = desk.workspace.channel(call.require("channel"))
    if desk.workspace.team.bot_user not in channel.members:
        channel.members.append(desk.workspace.team.bot_user)
        desk.workspace.on_change()
    return {"channel": channel_json(channel)}


def open_direct(desk: Desk, call: Call) -> Answer:
    if (channel_id := call.text("channel")) is not None:
        return {"channel": channel_json(desk.workspace.channel(channel_id))}
    users = call.require("users").split(",")
    if len(users) > 1:
        raise SlackError("method_not_supported_for_channel_type", ["the sandbox has no group messages"])
    channel = desk.workspace.direct(users[0].strip())
    return {"no_op": True, "already_open": True, "channel": channel_json(channel)}


def history(desk: Desk, call: Call) -> Answer:
    """Newest first; replies are only in `conversations.replies`."""
    channel = desk.workspace.channel(call.require("channel"))
    if desk.workspace.team.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    everything = desk.workspace.messages(channel.id).values()
    top = [m for m in everything if m.ephemeral_for is None and (not m.is_reply or m.broadcast)]
    found = _between(sorted(top, key=_by_ts, reverse=True), call)
    page, cursor = paged(found, call, default=100)
    shown = _shown(desk, channel, page, call)
    return {"messages": shown, "has_more": bool(cursor), "pin_count": 0, **_metadata(cursor)}


def replies(desk: Desk, call: Call) -> Answer:
    """The parent first, then its replies in order."""
    channel = desk.workspace.channel(call.require("channel"))
    asked = desk.workspace.messages(channel.id).get(call.require("ts"))
    if asked is None or asked.ephemeral_for is not None:
        raise SlackError("thread_not_found")
    parent_ts = asked.thread_ts or asked.ts
    parent = desk.workspace.messages(channel.id).get(parent_ts)
    in_thread = desk.workspace.threads(channel.id).get(parent_ts, [])
    page, cursor = paged(_between(in_thread, call), call, default=1000)
    shown = _shown(desk, channel, ([parent] if parent else []) + page, call)
    return {"messages": shown, "has_more": bool(cursor), **_metadata(cursor)}


def paged(items: Sequence[Item], call: Call, *, default: int) -> tuple[list[Item], str]:
    """One page and the cursor of the next, empty at the end."""
    limit = call.number("limit", default) or default
    if not 0 < limit <= 1000:
        raise SlackError("invalid_limit")
    start = _decoded(call.text("cursor"))
    end = start + limit
    cursor = base64.b64encode(f"next:{end}".encode()).decode() if end < len(items) else ""
    return list(items[start:end]), cursor


def _decoded(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
    except (ValueError, binascii.Error) as exc:
        raise SlackError("invalid_cursor") from exc


def _between(messages: list[Message], call: Call) -> list[Message]:
    oldest, latest = _moment(call, "oldest", 0.0), _moment(call, "latest", float("inf"))
    inclusive = call.flag("inclusive")

    def wanted(message: Message) -> bool:
        at = float(message.ts)
        return oldest < at < latest or (inclusive and at in (oldest, latest))

    return [message for message in messages if wanted(message)]


def _moment(call: Call, name: str, default: float) -> float:
    value = call.text(name)
    if value in (None, "now"):
        return default
    try:
        return float(str(value))
    except ValueError as exc:
        raise SlackError(f"invalid_ts_{name}") from exc


def _shown(desk: Desk, channel: Channel, page: list[Message], call: Call) -> list[Answer]:
    threads, metadata = desk.workspace.threads(channel.id), call.flag("include_all_metadata")
    return [
        message_json(message, desk.options.public_url, metadata=metadata)
        | (_in_thread(desk, message) if message.is_reply else thread_json(threads.get(message.ts, [])))
        for message in page
    ]


def _in_thread(desk: Desk, reply: Message) -> Answer:
    parent = desk.workspace.messages(reply.channel).get(str(reply.thread_ts))
    return {"parent_user_id": parent.user} if parent else {}


def _by_ts(message: Message) -> float:
    return float(message.ts)


def _type(channel: Channel) -> str:
    return "im" if channel.im_user is not None else "public_channel"


def _metadata(cursor: str) -> Answer:
    return {"response_metadata": {"next_cursor": cursor}}
