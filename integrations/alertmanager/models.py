"""Alertmanager's JSON as typed values: webhook payload version 4 and API v2.

Unknown fields are accepted: 0.32 and 0.34 added some, and more will come.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.core.events import Alert, AlertGroup
from bot.core.ports import Matcher, Silence

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class WebhookAlert(_Wire):
    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: datetime = Field(alias="startsAt")
    ends_at: datetime | None = Field(None, alias="endsAt")
    generator_url: str = Field("", alias="generatorURL")
    fingerprint: str

    def value(self) -> Alert:
        # A firing alert ends at year 1: Go's zero time, not an end.
        ended = self.ends_at if self.ends_at and self.ends_at > _NEVER and self.status == "resolved" else None
        return Alert(
            fingerprint=self.fingerprint,
            status=self.status,
            labels=self.labels,
            annotations=self.annotations,
            starts_at=self.starts_at,
            ends_at=ended,
            generator_url=self.generator_url,
        )


class Notification(_Wire):
    version: Literal["4"]
    group_key: str = Field(alias="groupKey")
    truncated: int = Field(0, alias="truncatedAlerts")
    status: Literal["firing", "resolved"]
    receiver: str
    group_labels: dict[str, str] = Field(default_factory=dict, alias="groupLabels")
    common_labels: dict[str, str] = Field(default_factory=dict, alias="commonLabels")
    common_annotations: dict[str, str] = Field(default_factory=dict, alias="commonAnnotations")
    external_url: str = Field("", alias="externalURL")
    alerts: list[WebhookAlert]

    @property
    def key(self) -> str:
        return group_key(self.receiver, self.group_labels)

    def value(self) -> AlertGroup:
        return AlertGroup(
            key=self.key,
            receiver=self.receiver,
            status=self.status,
            group_labels=self.group_labels,
            common_labels=self.common_labels,
            common_annotations=self.common_annotations,
            alerts=tuple(alert.value() for alert in self.alerts),
            truncated=self.truncated,
            external_url=self.external_url,
            group_key=self.group_key,
        )

    def fingerprint(self) -> str:
        """What makes two deliveries the same notification; Alertmanager gives them no id."""
        alerts = sorted(
            (
                a.fingerprint,
                a.status,
                a.starts_at.isoformat(),
                str(a.ends_at) if a.status == "resolved" else "",
            )
            for a in self.alerts
        )
        return _digest([self.receiver, self.group_key, self.truncated, alerts])


class _Named(_Wire):
    name: str


class _AlertStatus(_Wire):
    state: str = "active"
    silenced_by: tuple[str, ...] = Field((), alias="silencedBy")
    inhibited_by: tuple[str, ...] = Field((), alias="inhibitedBy")
    muted_by: tuple[str, ...] = Field((), alias="mutedBy")  # old Alertmanagers do not tell


class ApiAlert(_Wire):
    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: datetime = Field(alias="startsAt")
    generator_url: str = Field("", alias="generatorURL")
    status: _AlertStatus

    def value(self) -> Alert:
        return Alert(
            fingerprint=self.fingerprint,
            status="firing",
            labels=self.labels,
            annotations=self.annotations,
            starts_at=self.starts_at,
            generator_url=self.generator_url,
            silenced_by=self.status.silenced_by,
            inhibited_by=self.status.inhibited_by,
            muted_by=self.status.muted_by,
        )


class ApiGroup(_Wire):
    """One element of GET /api/v2/alerts/groups."""

    labels: dict[str, str]
    receiver: _Named
    alerts: list[ApiAlert]

    def value(self) -> AlertGroup:
        alerts = tuple(alert.value() for alert in self.alerts)
        return AlertGroup(
            key=group_key(self.receiver.name, self.labels),
            receiver=self.receiver.name,
            status="firing",
            group_labels=self.labels,
            common_labels=_common([a.labels for a in alerts]),
            common_annotations=_common([a.annotations for a in alerts]),
            alerts=alerts,
        )


class ApiMatcher(_Wire):
    name: str
    value: str
    is_regex: bool = Field(alias="isRegex")
    is_equal: bool = Field(default=True, alias="isEqual")


class _SilenceStatus(_Wire):
    state: str


class ApiSilence(_Wire):
    id: str
    matchers: list[ApiMatcher]
    starts_at: datetime = Field(alias="startsAt")
    ends_at: datetime = Field(alias="endsAt")
    created_by: str = Field(alias="createdBy")
    comment: str
    status: _SilenceStatus

    def value(self) -> Silence:
        return Silence(
            id=self.id,
            matchers=tuple(Matcher(**matcher.model_dump()) for matcher in self.matchers),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            created_by=self.created_by,
            comment=self.comment,
            state=self.status.state,
        )


class Created(_Wire):
    """The answer to POST /api/v2/silences."""

    id: str = Field(alias="silenceID")


class _Version(_Wire):
    version: str


class ApiStatus(_Wire):
    version: _Version = Field(alias="versionInfo")


def group_key(receiver: str, labels: Mapping[str, str]) -> str:
    """Our own key of a group: it outlives a change of the routing tree, unlike Alertmanager's groupKey."""
    return _digest([receiver, sorted(labels.items())])[:32]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


def _common(maps: list[dict[str, str]]) -> dict[str, str]:
    if not maps:
        return {}
    return {k: v for k, v in maps[0].items() if all(other.get(k) == v for other in maps[1:])}
