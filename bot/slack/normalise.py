"""Slack's payloads as events. Pure: a dict in, what to store or what to answer out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.declare import Handler
from bot.core.errors import BadDelivery
from bot.core.events import (
    ChatMessage,
    Click,
    Command,
    DedupeKey,
    NewEvent,
    Payload,
    Reaction,
    ReplyTo,
    SharedLinks,
    Shortcut,
    Submission,
    User,
)
from bot.core.messages import escape
from bot.core.registry import Registry
from bot.slack import ids
from bot.slack.plain import plain

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Say:
    """Answered at once, nothing is stored; `text` empty means a bare acknowledgement."""

    text: str = ""


Normalised = NewEvent | Say


def normalise(body: Json, registry: Registry, team: str = "") -> Normalised:
    """What a verified Slack payload asks for (docs.slack.dev, payload reference).

    Args:
        body: as Slack sent it.
        registry: says what is wanted of it.
        team: of another workspace than the home one, whose ids are told apart by it.
    """
    try:
        if team:
            body = ids.entered(body, team)
        if "command" in body:
            return _command(body, registry)
        match body.get("type"):
            case "event_callback":
                return _event(body, registry)
            case "block_actions":
                return _click(body, registry)
            case "view_submission":
                return _submission(body, registry)
            case "message_action":
                return _shortcut(body, registry)
            case _:
                return Say()
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError) as exc:
        raise BadDelivery(f"Slack's payload lacks what its type promises: {exc!r}.") from exc


def _command(body: Json, registry: Registry) -> Normalised:
    name, _, text = str(body.get("text") or "").strip().partition(" ")
    name = name.lower() or "help"
    handler = registry.command(name)
    if handler is None:
        return Say(_unknown(str(body["command"]), name, registry))
    user = User(id=body["user_id"], name=body.get("user_name", ""))
    payload = Command(
        name=name,
        text=text.strip(),
        user=user,
        reply_to=_reply_to(body, body["channel_id"], user).model_copy(update={"replaceable": True}),
        trigger_id=body.get("trigger_id", ""),
    )
    keys = (DedupeKey(f"slack:command:{payload.trigger_id}"),) if payload.trigger_id else ()
    return _new("slack.command", f"/{name}", payload, user, keys, handler)


def _unknown(command: str, name: str, registry: Registry) -> str:
    near = registry.nearest(name)
    shown = escape(name[:40]).replace("`", "'")
    if near:
        return f"There is no `{shown}`. Did you mean {' or '.join(f'`{command} {n}`' for n in near)}?"
    return f"There is no `{shown}`. `{command} help` lists what there is."


def _event(body: Json, registry: Registry) -> Normalised:
    event = body["event"]
    if event["type"] in _REACTIONS:
        return _reaction(body, event, registry)
    if event["type"] == "link_shared":
        return _links(body, event, registry)
    kind = _event_kind(body, event)
    # Our own and other bots' messages would answer each other for ever; edits are no new messages.
    if kind is None or event.get("bot_id") or event.get("subtype") not in {None, "thread_broadcast"}:
        return Say()
    if not registry.handlers_for(kind):
        return Say()  # what people say to each other is not kept when no plugin asked for it
    user = User(id=event.get("user", ""))
    payload = ChatMessage(
        text=event.get("text") or "",
        user=user,
        channel=event.get("channel", ""),
        ts=event.get("ts") or event.get("event_ts", ""),
        thread_ts=event.get("thread_ts") or "",
    )
    keys = [DedupeKey(f"slack:event:{body['event_id']}")]
    if kind != "slack.home":
        keys.append(DedupeKey(f"slack:said:{payload.channel}:{payload.ts}"))
    return _new(kind, payload.channel, payload, user, tuple(keys))


_REACTIONS = {"reaction_added": True, "reaction_removed": False}


def _reaction(body: Json, event: Json, registry: Registry) -> Normalised:
    """Reactions to messages; those to files are nobody's business here."""
    item, kind = event["item"], "slack.reaction"
    if item.get("type") != "message" or not registry.handlers_for(kind):
        return Say()
    payload = Reaction(
        emoji=event["reaction"].partition("::")[0],  # a skin tone follows
        user=User(id=event["user"]),
        channel=item["channel"],
        ts=item["ts"],
        added=_REACTIONS[event["type"]],
    )
    key = DedupeKey(f"slack:event:{body['event_id']}")
    return _new(kind, f"{payload.channel}:{payload.ts}", payload, payload.user, (key,))


def _links(body: Json, event: Json, registry: Registry) -> Normalised:
    """Not while somebody still writes, and not where others than the home workspace read along."""
    kind = "slack.links"
    is_posted = event.get("source", "conversations_history") == "conversations_history"
    is_abroad = body.get("is_ext_shared_channel") or ids.split(event["channel"])[0]
    if not is_posted or is_abroad or not registry.handlers_for(kind):
        return Say()
    payload = SharedLinks(
        urls=tuple(dict.fromkeys(str(link["url"]) for link in event["links"])),
        user=User(id=event.get("user") or ""),
        channel=event["channel"],
        ts=event["message_ts"],
    )
    key = DedupeKey(f"slack:event:{body['event_id']}")
    return _new(kind, f"{payload.channel}:{payload.ts}", payload, payload.user, (key,))


def _event_kind(body: Json, event: Json) -> str | None:
    """A mention in a channel comes twice, as app_mention and as message, under two ids: both are mentions."""
    bots = [entry.get("user_id") for entry in body.get("authorizations") or ()]
    said = event.get("text") or ""
    if event["type"] == "message" and any(bot and f"<@{bot}>" in said for bot in bots):
        return "slack.mention"
    kinds = {"app_mention": "slack.mention", "message": "slack.message", "app_home_opened": "slack.home"}
    return kinds.get(event["type"])


def _click(body: Json, registry: Registry) -> Normalised:
    pressed = body["actions"][0]
    if pressed.get("type") == "button" and pressed.get("url"):
        return Say()
    action_id, _, button_id = str(pressed["action_id"]).partition("#")
    handler = registry.action(*action_id.split(":", 1)) if ":" in action_id else None
    if handler is None:
        return Say("This button is no longer available; nothing was run.")
    user = _user(body)
    container = body.get("container") or {}
    channel = container.get("channel_id") or (body.get("channel") or {}).get("id", "")
    payload = Click(
        button_id=button_id,
        action=handler.declaration.match,
        selected=_selected(pressed),
        user=user,
        reply_to=_reply_to(body, channel, user, container.get("thread_ts") or ""),
        message_ts=container.get("message_ts", ""),
        trigger_id=body.get("trigger_id", ""),
    )
    key = DedupeKey(f"slack:click:{user.id}:{payload.button_id}:{pressed.get('action_ts', '')}"[:255])
    return _new("slack.action", action_id, payload, user, (key,), handler)


def _selected(pressed: Json) -> tuple[str, ...]:
    if option := pressed.get("selected_option"):
        return (str(option["value"]),)
    if options := pressed.get("selected_options"):
        return tuple(str(option["value"]) for option in options)
    single = ("selected_user", "selected_channel", "selected_conversation", "selected_date", "selected_time")
    return tuple(str(pressed[name]) for name in single if pressed.get(name))


def _submission(body: Json, registry: Registry) -> Normalised:
    view = body["view"]
    plugin, _, name = str(view["callback_id"]).partition(":")
    handler = registry.view(plugin, name)
    if handler is None:
        return Say("This form is no longer available; nothing was saved.")
    user = _user(body)
    private = json.loads(view.get("private_metadata") or "{}")
    payload = Submission(
        view=name,
        private=private.get("data", {}),
        values=_values((view.get("state") or {}).get("values") or {}),
        user=user,
        reply_to=ReplyTo(channel=private.get("channel") or user.id, user=user.id),
    )
    keys = (DedupeKey(f"slack:view:{view['id']}:{view.get('hash', '')}"),)
    return _new("slack.view", view["callback_id"], payload, user, keys, handler)


def _shortcut(body: Json, registry: Registry) -> Normalised:
    plugin, _, name = str(body["callback_id"]).partition(":")
    handler = registry.shortcut(plugin, name)
    if handler is None:
        return Say("This shortcut is no longer available; nothing was run.")
    user, said, channel = _user(body), body["message"], body["channel"]["id"]
    payload = Shortcut(
        name=name,
        message=ChatMessage(
            text=_words(said),
            user=User(id=said.get("user") or "", name=said.get("username") or ""),
            channel=channel,
            ts=said["ts"],
            thread_ts=said.get("thread_ts") or "",
        ),
        by_app=bool(said.get("bot_id")),
        user=user,
        reply_to=_reply_to(body, channel, user, said.get("thread_ts") or ""),
        trigger_id=body.get("trigger_id", ""),
    )
    keys = (DedupeKey(f"slack:shortcut:{user.id}:{payload.trigger_id or body['action_ts']}"),)
    return _new("slack.shortcut", body["callback_id"], payload, user, keys, handler)


def _words(said: Json) -> str:
    """What a message says; many apps say it in attachments alone."""
    parts = [said.get("text")] if said.get("text") else []
    parts = parts or [a.get("text") or a.get("fallback") for a in said.get("attachments") or ()]
    return plain("\n".join(part for part in parts if part)).strip()


def _values(state: Json) -> dict[str, Any]:
    """Inputs by their action id; a choice becomes its value, several become a list."""
    values: dict[str, Any] = {}
    for block in state.values():
        for action_id, entry in block.items():
            chosen = _selected(entry)
            many = "selected_options" in entry
            values[action_id] = (list(chosen) if many else chosen[0]) if chosen else entry.get("value")
    return values


def _user(body: Json) -> User:
    user = body["user"]
    return User(id=user["id"], name=user.get("username") or user.get("name", ""))


def _reply_to(body: Json, channel: str, user: User, thread_ts: str = "") -> ReplyTo:
    return ReplyTo(
        channel=channel, user=user.id, response_url=body.get("response_url", ""), thread_ts=thread_ts
    )


def _new(
    kind: str,
    subject: str,
    payload: Payload,
    user: User,
    keys: tuple[DedupeKey, ...],
    handler: Handler | None = None,
) -> NewEvent:
    return NewEvent(
        "slack",
        kind,
        subject[:255],
        payload.model_dump_json().encode(),
        keys,
        actor=user.id,
        runs=((handler.name, handler.declaration.queue),) if handler else (),
    )
