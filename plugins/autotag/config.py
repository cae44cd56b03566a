from __future__ import annotations

from pathlib import Path
from typing import Literal

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
    ticket_project: str = Field("", description="Project for tickets made from messages; empty: none are.")
    unfurl: bool = Field(default=True, description="Whether a pasted link to a ticket becomes a card.")
    projects: tuple[str, ...] = Field((), description="Project keys to tag; empty means all.")
    closed: tuple[str, ...] = Field(
        ("done", "closed", "resolved", "solved", "canceled", "cancelled"),
        description="States of tickets that are left alone, in lower case.",
    )
    ask_daily: int = Field(
        0, ge=0, le=50, description="Tickets left to people that are asked about each day; they teach most."
    )
    ask_cron: str = Field("0 10 * * MON-FRI", description="When they are asked about.")
    zone: str = Field("UTC", description="Time zone of `ask_cron` and `retrain_cron` (IANA name).")
    retrain: Literal["off", "offer", "gate"] = Field(
        "offer",
        description="Whether it learns from reviews. offer: a person lets the result serve; gate: it serves "
        "at once when it is surely better.",
    )
    retrain_cron: str = Field("30 3 * * *", description="When it looks whether there is something to learn.")
    retrain_days: int = Field(7, ge=1, le=365, description="Days between trainings, unless it got worse.")
    shadow: Path | None = Field(
        None, description="Folder of a challenger that tags beside the champion, without any effect."
    )
    choices: int = Field(3, ge=2, le=5, description="Categories offered in a suggestion.")
    cache_dir: Path | None = Field(
        None, description="Where the model is kept; by default 'models' in the data directory."
    )
