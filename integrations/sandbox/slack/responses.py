"""What the bot says outside the Web API: through a response URL, or in an acknowledgement's body."""

from typing import Any

from integrations.sandbox.slack.call import Call, SlackError
from integrations.sandbox.slack.callbacks import ResponseUrl
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.drafts import message_fields
from integrations.sandbox.slack.methods.chat import bot_message
from integrations.sandbox.slack.model import Message


def respond(desk: Desk, url: ResponseUrl, call: Call) -> None:
    target = desk.workspace.messages(url.channel).get(url.target) if url.target else None
    if call.flag("delete_original"):
        if target is not None:
            desk.workspace.delete(target)
        return
    fields = message_fields(call)
    if call.flag("replace_original") and target is not None:
        desk.workspace.edit(target, {"blocks": [], "attachments": [], **fields})
        return
    posted = _post(desk, (url.user, url.channel, url.thread_ts), fields, call)
    if url.is_command:
        url.target = posted.ts


def show_answer(desk: Desk, user: str, channel: str, answer: dict[str, Any] | str | None) -> None:
    """The body of an acknowledgement, as Slack shows it; an answer without content is no message."""
    if not answer:
        return
    args = {"text": answer} if isinstance(answer, str) else answer
    call = Call("ack", args)
    try:
        fields = message_fields(call)
    except SlackError as exc:
        if exc.error != "no_text":
            show_notice(desk, user, channel, f"The app's answer was refused by Slack: {exc.error}.")
        return
    _post(desk, (user, channel, None), fields, call)


def show_notice(desk: Desk, user: str, channel: str, text: str) -> None:
    """Slack's own word to one person."""
    desk.workspace.post(
        Message(channel=channel, ts=desk.workspace.mint_ts(), user="USLACKBOT", text=text, ephemeral_for=user)
    )


def _post(desk: Desk, where: tuple[str, str, str | None], fields: dict[str, Any], call: Call) -> Message:
    user, channel, thread_ts = where
    private = call.text("response_type") != "in_channel"
    more = {
        "thread_ts": call.text("thread_ts") or thread_ts,
        "ephemeral_for": user if private else None,
    }
    return desk.workspace.post(bot_message(desk, channel, fields, **more))
