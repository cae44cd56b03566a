"""A message in the chat becomes a ticket, once however often it is asked for, and is tagged as any other."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from bot.plugin import (
    ChatMessage,
    Context,
    Errand,
    MessageRef,
    Permanent,
    Refused,
    Shortcut,
    Ticket,
    TicketEvent,
    Transient,
    link,
    md,
    mention,
    on,
    shortcut,
)
from plugins.autotag.config import AutoTagConfig

FILED = "autotag.filed"
_SUMMARY, _TITLE = 120, 80
_TRIES = 5
_UNFINISHED = {"pending", "leased"}


class Filing(BaseModel):
    """Who files a message; `key` and `url` are the ticket's once there is one."""

    model_config = ConfigDict(frozen=True)
    event_id: str
    by: str
    key: str = ""
    url: str = ""


class FilingHandlers:
    config: AutoTagConfig

    @shortcut(
        "file",
        title="Tag this as a ticket",
        help="File this message as a ticket, which is then tagged.",
        permission="tags.write",
    )
    def file(self, asked: Shortcut, ctx: Context) -> None:
        _refuse_unfit(asked, self.config)
        filing = _claimed(asked, ctx)
        if filing.event_id != ctx.event.id:
            _say_known(filing, ctx)
            return
        address = _address(asked.message, ctx)
        made = ctx.step(
            "file",
            ctx.tickets.create,
            project=self.config.ticket_project,
            summary=_summary(asked.message.text),
            description=_description(asked, address),
            labels=("slack",),
        )
        _keep(filing, made, asked, address, ctx)
        data = {"ticket": made.model_dump(mode="json"), "address": address}
        ctx.emit(FILED, data, subject=made.key, serial=f"{made.system}:{made.key}")
        ctx.reply(md("{} is filed: {}. Its tag follows.", link(made.url, made.key), made.summary))

    @on(FILED)
    def link_filed(self, errand: Errand, ctx: Context) -> None:
        """Show the message on the ticket; where the helpdesk has no links, the description has it."""
        address, ticket = str(errand.data["address"]), event_of(errand).ticket
        if not address:
            return
        title = f"Slack: {_clipped(ticket.summary, _TITLE)}"
        try:
            ctx.step("link", ctx.tickets.link, key=ticket.key, url=address, title=title)
        except Permanent as exc:
            ctx.log.warning("ticket.not_linked", ticket=ticket.key, error=str(exc))


def event_of(errand: Errand) -> TicketEvent:
    """The helpdesk's own word of it says that it was the bot's doing, and such words are left alone."""
    return TicketEvent(ticket=Ticket.model_validate(errand.data["ticket"]))


def _refuse_unfit(asked: Shortcut, config: AutoTagConfig) -> None:
    if asked.by_app:
        raise Refused(
            "An app wrote this message, and only what people say becomes a ticket; nothing was filed.",
            check="person",
        )
    if not asked.message.text:
        raise Refused("This message has no text to tag; nothing was filed.", check="text")
    if not config.ticket_project:
        raise Refused(
            "Nobody has said where tickets from messages go; nothing was filed. An admin sets "
            "ticket_project in [plugins.autotag].",
            check="project",
        )


def _claimed(asked: Shortcut, ctx: Context) -> Filing:
    """Of all who ask for one message, the first files it; if that failed for good, the next may."""
    key, mine = _document(asked.message), Filing(event_id=ctx.event.id, by=asked.user.id)
    for _ in range(_TRIES):
        found = ctx.documents.get(key)
        held = Filing.model_validate(found.data) if found else None
        if held is not None and (held.key or held.event_id == mine.event_id or _is_at_it(held, ctx)):
            return held
        if ctx.documents.put(key, mine.model_dump(), version=found.version if found else 0):
            return mine
    raise Transient("This message is being filed by too many people at once.")


def _is_at_it(filing: Filing, ctx: Context) -> bool:
    return any(run.status in _UNFINISHED for run in ctx.inbox.runs(event_id=filing.event_id))


def _say_known(filing: Filing, ctx: Context) -> None:
    who = mention(filing.by)
    if filing.key:
        ctx.reply(md("This message is {} already, filed by {}.", link(filing.url, filing.key), who))
    else:
        ctx.reply(md("This message is being filed already: {} asked for it. Nothing was done twice.", who))


def _keep(filing: Filing, made: Ticket, asked: Shortcut, address: str, ctx: Context) -> None:
    if filing.key:
        return
    filed = filing.model_copy(update={"key": made.key, "url": made.url})
    with ctx.exclusive("filing") as tx:
        tx.documents.put(_document(asked.message), filed.model_dump())
        tx.audit("tags.file", made.key, after={"message": address, "project": made.project})


def _address(said: ChatMessage, ctx: Context) -> str:
    """Where a browser shows the message; empty where the bot may not look."""
    try:
        return ctx.chat.permalink(MessageRef(channel=said.channel, ts=said.ts))
    except Permanent as exc:
        ctx.log.warning("permalink.not_given", error=str(exc))
        return ""


def _document(said: ChatMessage) -> str:
    return f"filed:{said.channel}:{said.ts}"


def _summary(text: str) -> str:
    return _clipped(text.split("\n", 1)[0], _SUMMARY)


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _description(asked: Shortcut, address: str) -> str:
    """What the summary left out; where it is from stands below as a signature, which the tagger skips."""
    text, by = asked.message.text, asked.user.name or asked.user.id
    said = "" if text == _summary(text) else f"{text}\n\n"
    return f"{said}-- \nSlack, by {by}" + (f": {address}" if address else "")
