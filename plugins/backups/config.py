from __future__ import annotations

from pydantic import Field

from bot.plugin import PluginConfig


class BackupsConfig(PluginConfig):
    channel: str = Field("#alerts", description="Channel for the alarm when backups fail.")
    create_cron: str = Field("30 2 * * *", description="When an archive is made.")
    verify_cron: str = Field("30 4 * * SUN", description="When the newest archive is restored into scratch.")
    zone: str = Field("UTC", description="IANA time zone of both cron expressions.")
