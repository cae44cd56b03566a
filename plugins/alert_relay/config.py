from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bot.plugin import PluginConfig


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        raise ValueError(f"{text!r} is not a regular expression: {exc}. Example: 'payments|billing'") from exc
    return text


class Route(BaseModel):
    """Groups that match go to `channel`. Every label named must fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str = Field(description="Channel for the groups that match.")
    match: dict[str, str] = Field(default_factory=dict, description="Labels and the values they must have.")
    match_re: dict[str, Annotated[str, AfterValidator(_pattern)]] = Field(
        default_factory=dict, description="Labels and regular expressions that their whole values must match."
    )

    def fits(self, labels: Mapping[str, str]) -> bool:
        equal = all(labels.get(name, "") == value for name, value in self.match.items())
        return equal and all(re.fullmatch(p, labels.get(name, "")) for name, p in self.match_re.items())


class AlertRelayConfig(PluginConfig):
    channel: str = Field("#alerts", description="Channel for groups that no route matches.")
    routes: tuple[Route, ...] = Field(
        (), description="Where groups go by their labels; the first match wins."
    )
    shown_alerts: int = Field(5, ge=1, le=20, description="Alerts listed in a message; the rest is counted.")
    silence_hours: float = Field(
        1.0, gt=0, le=168, description="How long the silence lasts that the button makes."
    )
    reopen_minutes: float = Field(
        30.0,
        ge=0,
        description="A group that fires again within this time after its end reopens its message; "
        "later, it gets a new one.",
    )
    heartbeat: str = Field(
        "Watchdog", description="Name of the alert that always fires; it is noted down and not posted."
    )

    def channel_for(self, labels: Mapping[str, str]) -> str:
        return next((route.channel for route in self.routes if route.fits(labels)), self.channel)
