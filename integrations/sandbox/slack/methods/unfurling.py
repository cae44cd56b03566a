"""`chat.unfurl`: the app's cards for links in somebody's message."""

from typing import Any

from integrations.sandbox.slack import seed
from integrations.sandbox.slack.call import Call, SlackError
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.drafts import check_attachment_blocks
from integrations.sandbox.slack.links import domain_of, links_in
from integrations.sandbox.slack.model import Message


def unfurl(desk: Desk, call: Call) -> dict[str, Any]:
    unfurls = call.mapping("unfurls", "cannot_parse_attachment")
    if not unfurls:
        raise SlackError("missing_unfurls")
    message = _message(desk, call)
    for address, card in unfurls.items():
        _check(desk, message, address, card)
    kept = [one for one in message.attachments if one.get("from_url") not in unfurls]
    made = [_attachment(desk, address, card) for address, card in unfurls.items()]
    numbered = [{**one, "id": number} for number, one in enumerate([*kept, *made], start=1)]
    desk.workspace.attach(message, numbered)
    return {}


def _message(desk: Desk, call: Call) -> Message:
    """By channel and ts, or by the id that the event carried; both are hints that may have gone stale."""
    if (unfurl_id := call.text("unfurl_id")) is not None:
        return _by_id(desk, call, unfurl_id)
    if call.text("channel") is None:
        raise SlackError("missing_channel")
    if call.text("ts") is None:
        raise SlackError("missing_ts")
    return _found(desk, call.require("channel"), call.require("ts"))


def _by_id(desk: Desk, call: Call, unfurl_id: str) -> Message:
    if (source := call.text("source")) is None:
        raise SlackError("missing_source")
    if source not in {"composer", "conversations_history"}:
        raise SlackError("invalid_source")
    channel, dash, ts = unfurl_id.partition("-")
    if not dash:
        raise SlackError("invalid_unfurl_id")
    return _found(desk, channel, ts)


def _found(desk: Desk, channel_id: str, ts: str) -> Message:
    channel = desk.workspace.state.channels.get(channel_id)
    if channel is None:
        raise SlackError("cannot_find_channel")
    message = desk.workspace.messages(channel.id).get(ts)
    if message is None or message.ephemeral_for is not None:
        raise SlackError("cannot_find_message")
    return message


def _check(desk: Desk, message: Message, address: str, card: Any) -> None:
    if domain_of(address, desk.app.features.unfurl_domains) is None:
        raise SlackError("cannot_unfurl_url")
    if address not in links_in(message.text):
        raise SlackError("cannot_unfurl_message")
    if not isinstance(card, dict) or not card:
        raise SlackError("invalid_unfurls_format")
    check_attachment_blocks(card)


def _attachment(desk: Desk, address: str, card: dict[str, Any]) -> dict[str, Any]:
    return {
        **card,
        "from_url": address,
        "app_unfurl_url": address,
        "is_app_unfurl": True,
        "app_id": seed.APP_ID,
        "bot_id": desk.workspace.team.bot_id,
        "fallback": card.get("fallback") or "[no preview available]",
    }
