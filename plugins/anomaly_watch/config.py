from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.plugin import PluginConfig


class Watch(BaseModel):
    """One PromQL expression; each of its series is watched by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="A short name, e.g. p99-latency.")
    query: str = Field(min_length=1, description="PromQL that yields a number a series.")
    unit: str = Field("", description="Unit of the values, for messages: s, B, req/s.")
    counter: bool = Field(default=False, description="Whether the values only grow: their rate is watched.")
    limit: float | None = Field(None, description="A value that must not be reached, e.g. the disk's size.")


class Service(BaseModel):
    """Metrics of one service that are learned and watched together; each query yields one series."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="The service, e.g. checkout.")
    queries: dict[str, str] = Field(min_length=2, description="PromQL by the metric's short name.")


class AnomalyWatchConfig(PluginConfig):
    watch: tuple[Watch, ...] = Field((), description="What is watched.")
    services: tuple[Service, ...] = Field((), description="Services whose metrics are learned together.")
    train_cron: str = Field("40 3 * * *", description="When the services' models are trained anew.")
    cron: str = Field("* * * * * */30", description="When new samples are fetched (the last field: seconds).")
    step: float = Field(30.0, gt=0, description="Seconds between samples.")
    history_days: float = Field(7.0, ge=0, le=60, description="History that is read on the first start.")
    history_step: float = Field(300.0, gt=0, description="Seconds between samples of the history.")
    catch_up_hours: float = Field(
        24.0, gt=0, description="After an outage of Prometheus, samples at most this old are fetched."
    )
    warm_up: int = Field(
        150, ge=1, description="Samples of a series before which nothing about it is an anomaly."
    )
    max_series: int = Field(1000, ge=1, description="Series of one expression that are watched at most.")
    forget_days: float = Field(14.0, gt=0, description="Series not seen for this long are forgotten.")
    group_by: str = Field("service", description="Label that says which service a series belongs to.")
    channel: str = Field("#alerts", description="Channel for what lies behind an anomaly's alert.")
    engine: Literal["embedded", "spark"] = Field(
        "embedded",
        description="Who judges the samples: the worker, or `python -m ml.anomaly.spark` beside it.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [watch.name for watch in self.watch]
        if len(set(names)) < len(names):
            raise ValueError("Two watches have the same name; each needs one of its own.")
        return self
