from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.plugin import (
    Block,
    Click,
    Command,
    Context,
    Message,
    Page,
    Permanent,
    Plugin,
    Tick,
    User,
    action,
    command,
    schedule,
)
from plugins.daily_digest import counts, messages, subscribers
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
        for user in subscribers.all_of(ctx):
            self._send(user, f"{key}:{user}", message, ctx)

    def _send(self, user: str, key: str, message: Message, ctx: Context) -> None:
        try:
            ctx.step(f"post-{user}", ctx.chat.upsert, channel=user, key=key, message=message)
        except Permanent as exc:  # e.g. somebody who has left: the others still get theirs
            ctx.log.warning("digest.not_sent", user=user, error=str(exc))

    def home(self, user: User, ctx: Context) -> Sequence[Block]:
        return subscribers.setting(user.id, self.config.channel, ctx)

    @action("subscribe", permission=None)
    def subscribe(self, click: Click, ctx: Context) -> None:
        subscribers.choose(click.user.id, ctx, wanted=bool(click.args["wanted"]))
        ctx.show_home(click.user)

    @command("digest", help="Show the counts of the last 24 hours.", queue="io")
    def show(self, command: Command, ctx: Context) -> None:  # noqa: ARG002  # nothing to choose
        ctx.reply(self._digest(ctx.now(), ctx))

    def _digest(self, end: datetime, ctx: Context) -> Message:
        now, before = counts.of_day(ctx, end), counts.of_day(ctx, end - counts.DAY)
        return messages.digest(now, before, end, self.config.zone, ctx.settings.slack.command)

    def page(self, ctx: Context) -> Page:
        return activity(ctx, self.page_title)
