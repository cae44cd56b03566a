from __future__ import annotations

from pydantic import Field

from bot.plugin import PluginConfig


class DailyDigestConfig(PluginConfig):
    channel: str = Field("#digest", description="Channel for the digest.")
    cron: str = Field("0 9 * * *", description="When to post, as a cron expression in the zone.")
    zone: str = Field("UTC", description="IANA time zone of the cron expression, such as 'Europe/Berlin'.")
