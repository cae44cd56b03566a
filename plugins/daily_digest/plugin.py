from __future__ import annotations

from datetime import datetime

from bot.plugin import Command, Context, Message, Page, Plugin, Tick, command, schedule
from plugins.daily_digest import counts, messages
from plugins.daily_digest.config import DailyDigestConfig
from plugins.daily_digest.page import activity


class DailyDigest(Plugin[DailyDigestConfig]):
    name = "daily-digest"
    page_title = "Activity"
    Config = DailyDigestConfig

    @schedule("config:cron", zone="config:zone")
    def post(self, tick: Tick, ctx: Context) -> None:
        key = f"digest:{tick.due_at.isoformat()}"
        message = self._digest(tick.due_at, ctx)
        ctx.step("post", ctx.chat.upsert, channel=self.config.channel, key=key, message=message)

    @command("digest", help="Show the counts of the last 24 hours.", queue="io")
    def show(self, command: Command, ctx: Context) -> None:  # noqa: ARG002  # nothing to choose
        ctx.reply(self._digest(ctx.now(), ctx))

    def _digest(self, end: datetime, ctx: Context) -> Message:
        now, before = counts.of_day(ctx, end), counts.of_day(ctx, end - counts.DAY)
        return messages.digest(now, before, end, self.config.zone, ctx.settings.slack.command)

    def page(self, ctx: Context) -> Page:
        return activity(ctx, self.page_title)
