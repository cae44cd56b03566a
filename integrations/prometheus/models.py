"""The answers of Prometheus's HTTP API v1, as far as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from bot.core.ports import Rule, Sample, Series

Point = tuple[float, str]
"""Unix time in seconds; the value as text, because JSON has no NaN and no infinity."""


class Problem(BaseModel):
    """The body of a refusal."""

    error_type: str = Field("", alias="errorType")
    error: str = ""


class ApiSample(BaseModel):
    """`histogram` stands instead of a value in native histograms."""

    metric: Mapping[str, str]
    value: Point | None = None

    def sample(self) -> Sample | None:
        return self.value and Sample(labels=self.metric, at=moment(self.value[0]), value=float(self.value[1]))


class ApiSeries(BaseModel):
    metric: Mapping[str, str]
    values: tuple[Point, ...] = ()

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted(self.metric.items()))

    def points(self) -> list[tuple[datetime, float]]:
        return [(moment(at), float(value)) for at, value in self.values]


class Vector(BaseModel):
    type: Literal["vector"] = Field(alias="resultType")
    result: tuple[ApiSample, ...]

    def samples(self) -> list[Sample]:
        return [sample for found in self.result if (sample := found.sample())]


class Scalar(BaseModel):
    type: Literal["scalar"] = Field(alias="resultType")
    result: Point

    def samples(self) -> list[Sample]:
        return [Sample(labels={}, at=moment(self.result[0]), value=float(self.result[1]))]


class Instant(BaseModel):
    """A range vector and a string have no value at one time, and are refused here."""

    data: Annotated[Vector | Scalar, Field(discriminator="type")]


class Matrix(BaseModel):
    type: Literal["matrix"] = Field(alias="resultType")
    result: tuple[ApiSeries, ...]


class Range(BaseModel):
    data: Matrix


class ApiRule(BaseModel):
    """An alerting rule, or a recording rule, which has no duration."""

    type: str
    name: str
    query: str
    duration: float = 0.0
    labels: Mapping[str, str] = {}

    def rule(self) -> Rule:
        return Rule(name=self.name, expression=self.query, hold=self.duration, labels=self.labels)


class RuleGroup(BaseModel):
    rules: tuple[ApiRule, ...]


class RuleGroups(BaseModel):
    groups: tuple[RuleGroup, ...]

    def alerting(self) -> list[Rule]:
        return [rule.rule() for group in self.groups for rule in group.rules if rule.type == "alerting"]


class Rules(BaseModel):
    data: RuleGroups


class BuildInfo(BaseModel):
    data: Mapping[str, Any]


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def merged(parts: list[ApiSeries]) -> list[Series]:
    """Series whose points came in several answers, in the order in which they came."""
    points: dict[tuple[tuple[str, str], ...], list[tuple[datetime, float]]] = {}
    for part in parts:
        points.setdefault(part.key, []).extend(part.points())
    return [Series(labels=dict(key), points=tuple(found)) for key, found in points.items() if found]
