"""/signalbox stats, and the plugin's page in the console."""

from __future__ import annotations

from collections.abc import Sequence

from bot.plugin import Block, Cell, Command, Context, Page, Permanent, Section, Table, User, command, join, md
from plugins.alert_relay import memory, words
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.incidents.incident import Incident
from plugins.alert_relay.incidents.ledger import Ledger
from plugins.alert_relay.stats import gather, picture, report

_DAYS, _MOST_DAYS, _SHOWN, _ON_HOME = 30, 400, 50, 10


class StatsHandlers:
    config: AlertRelayConfig
    page_title = "Incidents"

    @command("stats", help="Times to detect, acknowledge, mitigate and resolve", usage="[DAYS] [SERVICE]")
    def stats(self, asked: Command, ctx: Context) -> None:
        days, service = _asked(asked.text)
        found = gather.gather(
            self.config, ctx.documents, ctx.records, now=ctx.now(), days=days, service=service
        )
        ctx.reply(report.message(found, days))
        try:
            ctx.step(
                "picture",
                ctx.chat.upload,
                channel=asked.reply_to.channel,
                filename=f"stats-{days}d.png",
                content=picture.png(found),
                title=f"{days} days{f' of {service}' if service else ''}",
            )
        except Permanent as exc:  # e.g. a channel without the bot: the figures were told
            ctx.log.warning("stats.picture_not_uploaded", error=str(exc))

    def page(self, ctx: Context) -> Page:
        found = gather.gather(self.config, ctx.documents, ctx.records, now=ctx.now(), days=_DAYS)
        return report.page(found, self.page_title, _incidents(Ledger(ctx.documents).all()))

    def home(self, user: User, ctx: Context) -> Sequence[Block]:
        """What somebody has acknowledged or was asked to take, and still fires."""
        mine = [s for s in memory.firing(ctx) if s.assignee == user.id or (s.acked and s.acked.by == user.id)]
        lines = [md("• {} {}", state.card.title, state.card.summary) for state in mine[:_ON_HOME]]
        shown = join("\n", [md("*{} alerts of yours fire*", len(mine)), *lines])
        return (Section(text=shown),) if mine else ()


def _asked(text: str) -> tuple[int, str]:
    first, _, rest = text.partition(" ")
    if first.isdecimal():
        return max(1, min(int(first), _MOST_DAYS)), rest.strip()
    return _DAYS, text.strip()


def _incidents(known: list[Incident]) -> Table:
    newest = sorted(known, key=lambda incident: -incident.number)[:_SHOWN]
    return Table(
        title="Incidents",
        columns=("Incident", "What", "Began", "State", "Groups"),
        rows=tuple(
            (
                found.id,
                found.title,
                f"{found.started_at:%Y-%m-%d %H:%M}",
                _state(found),
                words.count(len(found.members), "group"),
            )
            for found in newest
        ),
        empty="No alert group has fired yet.",
    )


def _state(found: Incident) -> Cell:
    if found.ended_at is None:
        return Cell(text="fires", tone="bad")
    return Cell(
        text=f"over after {words.span((found.ended_at - found.started_at).total_seconds())}", tone="good"
    )
