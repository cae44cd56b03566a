from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bot.plugin import PluginConfig


class AutoTagConfig(PluginConfig):
    channel: str = Field("#support", description="Channel for suggestions and for news of tagged tickets.")
    announce: bool = Field(
        default=True, description="Whether tickets tagged without asking are told in the channel."
    )
    label_prefix: str = Field(
        "", pattern=r"^[^\s]{0,20}$", description="Put before each label, for example 'query-'; no spaces."
    )
    projects: tuple[str, ...] = Field((), description="Project keys to tag; empty means all.")
    closed: tuple[str, ...] = Field(
        ("done", "closed", "resolved", "solved", "canceled", "cancelled"),
        description="States of tickets that are left alone, in lower case.",
    )
    choices: int = Field(3, ge=2, le=5, description="Categories offered in a suggestion.")
    cache_dir: Path | None = Field(
        None, description="Where the model is kept; by default 'models' in the data directory."
    )
