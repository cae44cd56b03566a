"""What people said joins an incident's timeline: by a reaction in its thread, or from any message's menu."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.plugin import (
    ChatMessage,
    Context,
    MessageRef,
    Permanent,
    Reaction,
    Refused,
    Said,
    Shortcut,
    Submission,
    md,
    on,
    shortcut,
    view,
)
from plugins.alert_relay import forms, memory
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.handlers.incidents import MANAGE
from plugins.alert_relay.incidents import ledger, timeline
from plugins.alert_relay.incidents.incident import Incident
from plugins.alert_relay.incidents.ledger import Ledger

_TEXT = 2000


class TimelineHandlers:
    config: AlertRelayConfig

    @on("slack.reaction")
    def mark(self, reaction: Reaction, ctx: Context) -> None:
        """A message that somebody marks joins the timeline of the incident in whose thread it stands."""
        if reaction.emoji != self.config.mark_emoji:
            return
        ref = MessageRef(channel=reaction.channel, ts=reaction.ts)
        said = ctx.chat.read(ref)
        known = _where(ctx, ref, said) if said else None
        if said is None or known is None:
            return
        data = {
            "ts": reaction.ts,
            "added": reaction.added,
            "author": said.user,
            "by": reaction.user.id,
            "text": said.text[:_TEXT],
            "said_at": _said_at(reaction.ts, ctx.now()).isoformat(),
        }
        memory.note_once(ctx, "marked", known.id, data)

    @shortcut(
        "add-to-incident",
        title="Add to incident",
        help="Put this message into the timeline of an open incident.",
        permission=MANAGE,
    )
    def choose_incident(self, asked: Shortcut, ctx: Context) -> None:
        if not asked.message.text:
            raise Refused(
                "This message has no text that a timeline could show; nothing was added.", check="text"
            )
        found = [known for known in Ledger(ctx.documents).all() if known.ended_at is None]
        if not found:
            ctx.reply("No incident is open, so this message was added to none.")
            return
        # The form carries too little for a long text, and the bot may not be able to read it again.
        ctx.documents.put(_document(asked.message.channel, asked.message.ts), _quoted(asked.message, ctx))
        modal = forms.timeline(found, asked)
        ctx.step("form", ctx.chat.open_modal, trigger_id=asked.trigger_id, modal=modal)

    @view("timeline", permission=MANAGE)
    def add_to_incident(self, form: Submission, ctx: Context) -> None:
        _answer_at_message(form, ctx)
        channel, ts = str(form.private["channel"]), str(form.private["ts"])
        kept = ctx.documents.get(_document(channel, ts))
        if kept is None:
            raise Refused("This form is too old; choose Add to incident once more.", check="known")
        data = {**kept.data, "by": form.user.id, "added": True, "address": _address(channel, ts, ctx)}
        known, is_new = _added(str(form.values["incident"]), data, ctx)
        said = "Added to" if is_new else "This message stands already in"
        ctx.reply(md("{} the timeline of *{}*: {}", said, known.id, known.title))


def _added(key: str, data: dict[str, object], ctx: Context) -> tuple[Incident, bool]:
    """Note a message down unless the timeline has it; and whether this event did."""
    with ctx.exclusive(ledger.LOCK) as tx:
        known = Ledger(tx.documents).asked(key)
        standing = timeline.standing(known, tx.records).get(str(data["ts"]))
        if standing is None:
            tx.records.append("marked", known.id, data)
            tx.audit("incident.note", known.id, after={"message": data["address"] or data["ts"]})
        return known, standing is None or standing.event_id == ctx.event.id


def _quoted(said: ChatMessage, ctx: Context) -> dict[str, object]:
    return {
        "ts": said.ts,
        "author": said.user.id or said.user.name,
        "text": said.text[:_TEXT],
        "said_at": _said_at(said.ts, ctx.now()).isoformat(),
    }


def _document(channel: str, ts: str) -> str:
    return f"quoted:{channel}:{ts}"


def _address(channel: str, ts: str, ctx: Context) -> str:
    """Where a browser shows the message; empty where the bot may not look."""
    try:
        return ctx.chat.permalink(MessageRef(channel=channel, ts=ts))
    except Permanent as exc:
        ctx.log.warning("permalink.not_given", error=str(exc))
        return ""


def _answer_at_message(form: Submission, ctx: Context) -> None:
    """A form has no channel of its own, and the message's may be one that the bot is not in."""
    if ctx.reply_to is not None:
        ctx.reply_to = ctx.reply_to.model_copy(update={"response_url": str(form.private["response_url"])})


def _where(ctx: Context, ref: MessageRef, said: Said) -> Incident | None:
    """The newest incident whose line the message stands under, or is."""
    root = said.thread_ts or ref.ts
    for known in reversed(Ledger(ctx.documents).all()):
        refs = [line.ref for line in known.lines.values() if line.ref]
        if any(place.channel == ref.channel and place.ts == root for place in refs):
            return known
    return None


def _said_at(ts: str, now: datetime) -> datetime:
    """Slack's ts begins with the second that a message was written in."""
    seconds = ts.partition(".")[0]
    return datetime.fromtimestamp(int(seconds), UTC) if seconds.isdecimal() and int(seconds) > 10**9 else now
