"""The payloads that Slack sends to an app."""

import secrets
from typing import Any

from integrations.sandbox.slack import seed
from integrations.sandbox.slack.envelope import Envelope
from integrations.sandbox.slack.model import Channel, Message, Team, User, View
from integrations.sandbox.slack.shapes import message_json, view_json

Payload = dict[str, Any]


def event(inner: Payload, now: float, team: Team) -> Envelope:
    event_id = "Ev" + secrets.token_hex(5).upper()
    payload = {
        "token": seed.VERIFICATION_TOKEN,
        "team_id": team.id,
        "api_app_id": seed.APP_ID,
        "event": inner,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(now),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": team.id,
                "user_id": team.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{event_id}",
    }
    return Envelope("events_api", str(inner["type"]), event_id, payload)


def message_event(message: Message, channel: Channel, public_url: str) -> Payload:
    return {
        **message_json(message, public_url),
        "channel": channel.id,
        "channel_type": _channel_type(channel),
        "event_ts": message.ts,
    }


def mention_event(message: Message, public_url: str) -> Payload:
    shown = message_json(message, public_url)
    return {**shown, "type": "app_mention", "channel": message.channel, "event_ts": message.ts}


def links_event(message: Message, links: list[Payload], *, is_member: bool) -> Payload:
    return {
        "type": "link_shared",
        "user": message.user,
        "channel": message.channel,
        "message_ts": message.ts,
        "links": links,
        "source": "conversations_history",
        "unfurl_id": f"{message.channel}-{message.ts}",
        "is_bot_user_member": is_member,
        "event_ts": message.ts,
        **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
    }


def reaction_event(message: Message, user: User, name: str, event_ts: str) -> Payload:
    item = {"type": "message", "channel": message.channel, "ts": message.ts}
    return {
        "type": "reaction_added",
        "user": user.id,
        "reaction": name,
        "item_user": message.user,
        "item": item,
        "event_ts": event_ts,
    }


def change_event(
    what: str, message: Message, before: Message | None, *, channel: Channel, ts: str, url: str
) -> Payload:
    """`message_changed` and `message_deleted`: the envelope has its own ts."""
    inner: Payload = {
        "type": "message",
        "subtype": f"message_{what}",
        "channel": channel.id,
        "channel_type": _channel_type(channel),
        "ts": ts,
        "event_ts": ts,
        "hidden": True,
        "previous_message": message_json(before or message, url),
    }
    if what == "deleted":
        return {**inner, "deleted_ts": message.ts}
    return {**inner, "message": message_json(message, url)}


def home_opened(user: User, channel: Channel, home: View | None, ts: str) -> Payload:
    inner: Payload = {
        "type": "app_home_opened",
        "user": user.id,
        "channel": channel.id,
        "tab": "home",
        "event_ts": ts,
    }
    return {**inner, "view": view_json(home)} if home else inner


def command(
    user: User, channel: Channel, name: str, text: str, *, trigger_id: str, response_url: str
) -> Envelope:
    form = {
        "token": seed.VERIFICATION_TOKEN,
        "team_id": user.team,
        "team_domain": seed.TEAMS[user.team].domain,
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.im_user else channel.name,
        "user_id": user.id,
        "user_name": user.name,
        "command": name,
        "text": text,
        "api_app_id": seed.APP_ID,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }
    return Envelope("slash_commands", name, trigger_id, form)


def interaction(kind: str, user: User, trigger_id: str | None, **more: Any) -> Envelope:
    payload = {
        "type": kind,
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team},
        "api_app_id": seed.APP_ID,
        "token": seed.VERIFICATION_TOKEN,
        **({"trigger_id": trigger_id} if trigger_id else {}),
        "team": {"id": user.team, "domain": seed.TEAMS[user.team].domain},
        "enterprise": None,
        "is_enterprise_install": False,
        **more,
    }
    return Envelope("interactive", kind, trigger_id or secrets.token_hex(8), payload)


def in_message(message: Message, channel: Channel, public_url: str) -> Payload:
    """The fields that say which message an interaction came from."""
    container = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.ephemeral_for is not None,
        **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
    }
    shown = {} if message.ephemeral_for else {"message": message_json(message, public_url)}
    return {
        "container": container,
        "channel": {"id": channel.id, "name": "directmessage" if channel.im_user else channel.name},
        "state": {"values": message.state},
        **shown,
    }


def chosen_message(message: Message, channel: Channel, public_url: str) -> Payload:
    """The fields of a `message_action`, a shortcut in a message's menu."""
    return {
        "message_ts": message.ts,
        "channel": {"id": channel.id, "name": "directmessage" if channel.im_user else channel.name},
        "message": message_json(message, public_url, metadata=False),
    }


def in_view(view: View) -> Payload:
    return {"container": {"type": "view", "view_id": view.id}, "view": view_json(view)}


def _channel_type(channel: Channel) -> str:
    return "im" if channel.im_user is not None else "channel"
