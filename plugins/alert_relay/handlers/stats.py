"""/signalbox stats, and the plugin's page in the console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bot.plugin import Block, Command, Context, Page, Permanent, Section, User, command, join, md
from plugins.alert_relay import memory
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.stats import gather, picture, report
from plugins.alert_relay.stats import page as pages

_DAYS, _MOST_DAYS, _ON_HOME = 30, 400, 10


class StatsHandlers:
    name: ClassVar[str]
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
        return pages.incidents(self.config, ctx, self.page_title, self.name)

    def page_of(self, key: str, ctx: Context) -> Page | None:
        return pages.incident(key, ctx)

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
