"""/signalbox incident: show, merge, close, export."""

from __future__ import annotations

import json
from datetime import timedelta

from bot.plugin import Command, Context, Message, Refused, command
from plugins.alert_relay import memory
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.desk import Desk
from plugins.alert_relay.incidents import incident as policy
from plugins.alert_relay.incidents import ledger, listing, postmortem, timeline
from plugins.alert_relay.incidents.ledger import Ledger
from plugins.alert_relay.state import Others

USAGE = "[KEY | list [DAYS] | merge KEY INTO | close KEY | export KEY]"
MANAGE = "alerts.incident"
_DAYS = 7


class IncidentHandlers:
    config: AlertRelayConfig

    @command("incident", help="Incidents and their timelines", usage=USAGE)
    def incident(self, asked: Command, ctx: Context) -> None:
        match asked.text.split():
            case []:
                found = [known for known in Ledger(ctx.documents).all() if known.firing]
                ctx.reply(listing.overview(found, ctx.now(), head="Open incidents"))
            case ["list", *rest]:
                ctx.reply(_recent(ctx, rest))
            case ["merge", one, into]:
                ctx.permissions.require(asked.user.id, MANAGE, "merge incidents")
                self._merge(one, into, asked, ctx)
            case ["close", key]:
                ctx.permissions.require(asked.user.id, MANAGE, "close incidents")
                _close(key, asked, ctx)
            case ["export", key]:
                _export(key, asked, ctx)
            case [key]:
                known = Ledger(ctx.documents).asked(key)
                ctx.reply(listing.story(known, timeline.of(known, ctx.records, ctx.now()), ctx.now()))
            case _:
                ctx.reply(f"Say `incident {USAGE}`; KEY is one such as INC-12.")

    def _merge(self, one: str, into: str, asked: Command, ctx: Context) -> None:
        """All of the one goes into the other; a second time there is nothing left to do."""
        with ctx.exclusive(ledger.LOCK) as tx:
            store = Ledger(tx.documents)
            part, whole = store.asked(one), store.asked(into)
            if part.id != whole.id:
                whole = policy.merged(whole, part)
                store.put(whole)
                store.put(part.model_copy(update={"merged_into": whole.id, "members": (), "lines": {}}))
                data = {"what": "merged", "other": part.id, "by": asked.user.id}
                tx.records.append("incident", whole.id, data)
                tx.audit("incident.merge", whole.id, after=data)
        desk = Desk(self.config, ctx, asked.user.id)
        for member in whole.members:
            desk.change(member.key, _moved_to(whole.id, part.id))
        desk.refresh_lines(whole)
        ctx.reply(f"{one.upper()} is part of {whole.id} now: {whole.title}.")


def _moved_to(incident_id: str, part_id: str) -> memory.Change:
    changed = {"incident": incident_id, "others": Others()}
    return lambda known: known.model_copy(update=changed) if known and known.incident == part_id else known


def _recent(ctx: Context, rest: list[str]) -> Message:
    days = int(rest[0]) if rest and rest[0].isdecimal() else _DAYS
    since = ctx.now() - timedelta(days=min(days, 3650))
    found = [known for known in Ledger(ctx.documents).all() if (known.ended_at or ctx.now()) >= since]
    return listing.overview(found, ctx.now(), head=f"Incidents of the last {days} days")


def _close(key: str, asked: Command, ctx: Context) -> None:
    with ctx.exclusive(ledger.LOCK) as tx:
        store = Ledger(tx.documents)
        known = store.asked(key)
        urgent = [member.title for member in known.firing if member.urgent]
        if urgent:
            raise Refused(
                f"{urgent[0]} still fires and nobody acknowledged or silenced it, so {known.id} is not over; "
                "nothing was closed.",
                check="still-firing",
            )
        if known.closed_at is None:
            store.put(known.model_copy(update={"closed_at": ctx.now(), "closed_by": asked.user.id}))
            data = {"what": "closed", "by": asked.user.id}
            tx.records.append("incident", known.id, data)
            tx.audit("incident.close", known.id, after=data)
    ctx.reply(f"{known.id} is closed: what fires from now on begins another incident.")


def _export(key: str, asked: Command, ctx: Context) -> None:
    known = Ledger(ctx.documents).asked(key)
    entries, now = timeline.of(known, ctx.records, ctx.now()), ctx.now()
    files = {
        f"{known.id}.md": postmortem.markdown(known, entries, now),
        f"{known.id}.json": json.dumps(postmortem.as_json(known, entries, now), indent=2),
    }
    for number, (filename, text) in enumerate(files.items()):
        ctx.step(
            f"export-{number}",
            ctx.chat.upload,
            channel=asked.reply_to.channel,
            filename=filename,
            content=text.encode(),
            title=f"Post-mortem of {known.id}",
        )
    ctx.reply(f"The post-mortem of {known.id} stands in this channel, as Markdown and as JSON.")
