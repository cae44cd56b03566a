from __future__ import annotations

from pydantic import Field

from bot.plugin import PluginConfig


class DeploysConfig(PluginConfig):
    channel: str = Field("#releases", description="Where deployments are posted.")
