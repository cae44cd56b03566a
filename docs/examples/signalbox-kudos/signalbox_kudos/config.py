from __future__ import annotations

from pydantic import Field

from bot.plugin import PluginConfig


class KudosConfig(PluginConfig):
    channel: str = Field("#team", description="Where the week's thanks are counted.")
    cron: str = Field("0 16 * * FRI", description="When.")
    zone: str = Field("UTC", description="Time zone of the schedule (IANA name).")
