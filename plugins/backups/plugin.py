from __future__ import annotations

from bot.plugin import Command, Context, Health, Plugin, Tick, command, schedule
from plugins.backups import messages
from plugins.backups.config import BackupsConfig

TOLD = "told"


class BackupKeeper(Plugin[BackupsConfig]):
    name = "backups"
    Config = BackupsConfig

    @schedule("config:create_cron", zone="config:zone")
    def create(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002  # the clock says all
        ctx.backups.start("create")

    @schedule("config:verify_cron", zone="config:zone")
    def verify(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002
        ctx.backups.start("verify")

    @schedule("7,27,47 * * * *")
    def watch(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002
        """Tell once when something is wrong, in a message that says so too when it is well again."""
        health = self.health(ctx)
        told = ctx.documents.get(TOLD)
        open_key = str(told.data["key"]) if told and told.data["open"] else ""
        if health.status == "ok" and not open_key:
            return
        key = open_key or f"backups:{ctx.event.id}"
        channel, message = self.config.channel, messages.alarm(health)
        ctx.step("tell", ctx.chat.upsert, channel=channel, key=key, message=message)
        ctx.documents.put(TOLD, {"key": key, "open": health.status != "ok"})

    @command("backups", help="Show the last backup and the last restore that went well.")
    def show(self, command: Command, ctx: Context) -> None:  # noqa: ARG002  # nothing to choose
        ctx.reply(messages.summary(ctx.backups.read(), self.health(ctx)))

    def health(self, ctx: Context) -> Health:
        return ctx.backups.health(ctx.settings.backup.alarm_days)
