from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from bot.plugin import PluginConfig


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        raise ValueError(f"{text!r} is not a regular expression: {exc}. Example: 'payments|billing'") from exc
    return text


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not an IANA time zone. Example: 'Europe/Berlin'")
    return name


class Route(BaseModel):
    """Groups that match go to `channel`. Every label named must fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str = Field(description="Channel for the groups that match.")
    match: dict[str, str] = Field(default_factory=dict, description="Labels and the values they must have.")
    match_re: dict[str, Annotated[str, AfterValidator(_pattern)]] = Field(
        default_factory=dict, description="Labels and regular expressions that their whole values must match."
    )
    escalate_minutes: float | None = Field(
        None, ge=0, description="Instead of the general escalate_minutes; 0 never escalates."
    )
    oncall: str = Field(
        "", description="Name of the on-call entry that is called; empty for the general one."
    )

    def fits(self, labels: Mapping[str, str]) -> bool:
        equal = all(labels.get(name, "") == value for name, value in self.match.items())
        return equal and all(re.fullmatch(p, labels.get(name, "")) for name, p in self.match_re.items())


class OnCall(BaseModel):
    """Who is called: a Slack user group, or people who take turns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field("", pattern=r"^(S[A-Z0-9]+)?$", description="Id of a Slack user group, e.g. S0123ABC.")
    users: tuple[Annotated[str, Field(pattern=r"^[UW][A-Z0-9]+$")], ...] = Field(
        (), description="Slack user ids in the order of their shifts."
    )
    start: AwareDatetime = Field(
        datetime(2024, 1, 1, tzinfo=UTC), description="When the first person's first shift began."
    )
    shift_hours: float = Field(168.0, gt=0, description="Length of a shift; 168 is a week.")

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.group and not self.users:
            raise ValueError('an on-call entry names a group or users. Example: users = ["U0123", "U0456"]')
        return self

    def now(self, at: datetime) -> str:
        """The id of the person or user group to call."""
        if not self.users:
            return self.group
        return self.users[(at - self.start) // timedelta(hours=self.shift_hours) % len(self.users)]


class AlertRelayConfig(PluginConfig):
    channel: str = Field("#alerts", description="Channel for groups that no route matches.")
    routes: tuple[Route, ...] = Field(
        (), description="Where groups go by their labels; the first match wins."
    )
    shown_alerts: int = Field(5, ge=1, le=20, description="Alerts listed in a message; the rest is counted.")
    csv_from_alerts: int = Field(
        25, ge=2, description="From this many alerts on, all are attached in the thread as CSV."
    )
    silence_hours: float = Field(
        1.0, gt=0, le=168, description="How long the silence lasts that the button makes."
    )
    morning: time = Field(time(8), description="When a silence 'until morning' ends.")
    zone: str = Field("UTC", description="Time zone of `morning` (IANA name).")
    until_resolved_hours: float = Field(
        24.0, gt=0, le=168, description="A silence 'until resolved' ends after this time at the latest."
    )
    max_silenced_alerts: int = Field(
        50, ge=0, description="A silence may mute at most this many alerts outside of its group."
    )
    max_silenced_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="A silence that reaches beyond its group mutes at most this share of all.",
    )
    remind_minutes: float = Field(
        10.0, ge=0, description="How long before its end the maker of a silence is reminded; 0 never."
    )
    ticket_project: str = Field(
        "", pattern=r"^([A-Z][A-Z0-9_]*)?$", description="Jira project for tickets; empty offers none."
    )
    escalate_minutes: float = Field(
        0.0, ge=0, description="Somebody is called when nobody acknowledges in this time; 0 never."
    )
    max_escalations: int = Field(
        3, ge=1, le=20, description="How often somebody is called, escalate_minutes apart."
    )
    escalate_to: str = Field("", description="Name of the on-call entry that is called.")
    oncall: dict[str, OnCall] = Field(
        default_factory=dict, description="On-call entries by name: a user group, or people taking turns."
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
    heartbeat_minutes: float = Field(
        0.0,
        ge=0,
        description="An Alertmanager whose heartbeat stays away for this long is reported; 0 never. "
        "Give the heartbeat's route a shorter repeat_interval.",
    )

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        _zone(self.zone)
        named = {self.escalate_to, *(route.oncall for route in self.routes)} - {""}
        if unknown := sorted(named - set(self.oncall)):
            raise ValueError(
                f"there is no on-call entry {unknown[0]!r}. "
                f"Add [plugins.alert-relay.oncall.{unknown[0]}] with users or a group."
            )
        return self

    def route_for(self, labels: Mapping[str, str]) -> Route:
        return next((route for route in self.routes if route.fits(labels)), Route(channel=self.channel))

    def escalates_after(self, route: Route) -> timedelta | None:
        minutes = self.escalate_minutes if route.escalate_minutes is None else route.escalate_minutes
        return timedelta(minutes=minutes) if minutes and (route.oncall or self.escalate_to) else None

    def called(self, route: Route, at: datetime) -> str:
        """The id of the person or user group that is on call for a route; empty when nobody is."""
        entry = self.oncall.get(route.oncall or self.escalate_to)
        return entry.now(at) if entry else ""

    @property
    def silence_for(self) -> timedelta:
        return timedelta(hours=self.silence_hours)
