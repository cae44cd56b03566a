from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from bot.core.zones import Zone
from bot.plugin import PluginConfig
from plugins.alert_relay.mitigation.declarations import Mitigation, MitigationPolicy, Rules, in_turn, unique
from plugins.alert_relay.routing.maintenance import Maintenance
from plugins.alert_relay.routing.quiet import QuietHours
from plugins.alert_relay.routing.routes import OnCall, Route


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
    zone: Zone = Field("UTC", description="Time zone of `morning` (IANA name).")
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
    keep_days: float = Field(
        400.0,
        ge=32,
        description="How long ended groups, incidents and mitigation runs are kept after their last change.",
    )
    reopen_minutes: float = Field(
        30.0,
        ge=0,
        description="A group that fires again within this time after its end reopens its message; "
        "later, it gets a new one.",
    )
    quiet: QuietHours | None = Field(
        None, description="Hours in which groups that are not urgent wait or call nobody; none by default."
    )
    maintenance: tuple[Maintenance, ...] = Field(
        (), description="Planned windows in which groups that match call nobody."
    )
    incident_labels: tuple[str, ...] = Field(
        ("service",), description="Groups that share these labels are one incident; empty: each is its own."
    )
    incident_hours: float = Field(
        24.0,
        gt=0,
        description="A group joins an open incident this long after that one's newest group began.",
    )
    mark_emoji: str = Field(
        "memo", pattern="^[a-z0-9_+-]+$", description="A message with this reaction joins the timeline."
    )
    storm_groups: int = Field(
        20, ge=0, description="More new groups a minute in a channel become one summary; 0 never."
    )
    poll_cron: str = Field(
        "* * * * * */30",
        description="When messages are compared with Alertmanager (the last field: seconds, at least 10).",
    )
    adopt_minutes: float = Field(
        1.0, ge=0, description="A group that Alertmanager lists this long without telling is shown too."
    )
    downtime_severities: tuple[str, ...] = Field(
        ("critical", "page"), description="Severities that count as downtime of their service."
    )
    mitigations: Annotated[tuple[Mitigation, ...], AfterValidator(unique), AfterValidator(in_turn)] = Field(
        (), description="What people may do about alerts with one click; declared as [[mitigations]]."
    )
    mitigation: MitigationPolicy = Field(
        MitigationPolicy(), description="What holds for all mitigations: limits, freezes, observe only."
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
    def rules(self) -> Rules:
        """The mitigations, with what holds for all of them."""
        return Rules(mitigations=self.mitigations, policy=self.mitigation)

    def quiet_for(self, route: Route) -> QuietHours | None:
        return route.quiet or self.quiet

    @property
    def silence_for(self) -> timedelta:
        return timedelta(hours=self.silence_hours)
