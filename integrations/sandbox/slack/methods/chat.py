"""`chat.*` and `reactions.*`."""

from typing import Any

from integrations.sandbox.slack import seed
from integrations.sandbox.slack.call import Call, SlackError
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.drafts import message_fields
from integrations.sandbox.slack.model import Channel, Message, Reaction
from integrations.sandbox.slack.shapes import message_json

Answer = dict[str, Any]


def bot_message(desk: Desk, channel: str, fields: dict[str, Any], **more: Any) -> Message:
    return Message(
        channel=channel,
        ts=desk.workspace.mint_ts(),
        user=desk.workspace.team.bot_user,
        bot_id=desk.workspace.team.bot_id,
        app_id=seed.APP_ID,
        **fields,
        **more,
    )


def post_message(desk: Desk, call: Call) -> Answer:
    channel = _writable(desk, desk.workspace.named_channel(call.require("channel")))
    fields = message_fields(call)
    thread_ts = _thread(desk, channel, call)
    broadcast = call.flag("reply_broadcast") and thread_ts is not None
    message = bot_message(desk, channel.id, fields, thread_ts=thread_ts, broadcast=broadcast)
    desk.workspace.post(message)
    return {"channel": channel.id, "ts": message.ts, "message": _shown(desk, message)}


def post_ephemeral(desk: Desk, call: Call) -> Answer:
    channel = _writable(desk, desk.workspace.named_channel(call.require("channel")))
    user = desk.workspace.user(call.require("user"))
    if user.id not in channel.members:
        raise SlackError("user_not_in_channel")
    fields = message_fields(call)
    thread_ts = _thread(desk, channel, call)
    message = bot_message(desk, channel.id, fields, thread_ts=thread_ts, ephemeral_for=user.id)
    desk.workspace.post(message)
    return {"message_ts": message.ts}


def update(desk: Desk, call: Call) -> Answer:
    channel = desk.workspace.channel(call.require("channel"))
    message = _own_message(desk, channel, call.require("ts"), "cant_update_message")
    fields = message_fields(call)
    if "text" in fields:
        # Slack drops the blocks of a message that is updated with text alone.
        fields = {"blocks": [], "attachments": [], **fields}
    updated = desk.workspace.edit(message, fields)
    return {"channel": channel.id, "ts": updated.ts, "text": updated.text, "message": _shown(desk, updated)}


def delete(desk: Desk, call: Call) -> Answer:
    channel = desk.workspace.channel(call.require("channel"))
    message = _own_message(desk, channel, call.require("ts"), "cant_delete_message")
    desk.workspace.delete(message)
    return {"channel": channel.id, "ts": message.ts}


def get_permalink(desk: Desk, call: Call) -> Answer:
    channel = desk.workspace.channel(call.require("channel"))
    message = desk.workspace.message(channel.id, call.require("message_ts"))
    base = desk.options.public_url.rstrip("/")
    link = f"{base}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": link}


def add_reaction(desk: Desk, call: Call) -> Answer:
    channel = desk.workspace.channel(call.require("channel"))
    message = desk.workspace.message(channel.id, call.require("timestamp"))
    react(desk, message, desk.workspace.team.bot_user, call.require("name").strip(":"))
    return {}


def react(desk: Desk, message: Message, user: str, name: str) -> None:
    reaction = next((r for r in message.reactions if r.name == name), None)
    if reaction is None:
        message.reactions.append(Reaction(name=name, users=[user]))
    elif user in reaction.users:
        raise SlackError("already_reacted")
    else:
        reaction.users.append(user)
    desk.workspace.message_touched(message)


def _writable(desk: Desk, channel: Channel) -> Channel:
    if desk.workspace.team.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _thread(desk: Desk, channel: Channel, call: Call) -> str | None:
    thread_ts = call.text("thread_ts")
    if thread_ts is None:
        return None
    parent = desk.workspace.messages(channel.id).get(thread_ts)
    if parent is None or parent.ephemeral_for is not None:
        raise SlackError("thread_not_found")
    # A reply to a reply lands in the thread that the reply is in.
    return parent.thread_ts or parent.ts


def _own_message(desk: Desk, channel: Channel, ts: str, refusal: str) -> Message:
    message = desk.workspace.message(channel.id, ts)
    if message.ephemeral_for is not None:
        raise SlackError("message_not_found")
    if message.bot_id != desk.workspace.team.bot_id:
        raise SlackError(refusal)
    return message


def _shown(desk: Desk, message: Message) -> Answer:
    return message_json(message, desk.options.public_url)
