"""Scores, bands and verdicts as metrics: on /metrics, and for a Pushgateway."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from bot.plugin import GaugeValue
from ml.anomaly import Verdict
from plugins.anomaly_watch.config import AnomalyWatchConfig, Watch
from plugins.anomaly_watch.labels import labels_of, text_of

if TYPE_CHECKING:
    from plugins.anomaly_watch.collector import Collected

_LABELS = ("watch", "series", "service")
_HELP = {
    "value": "The newest value of a watched series.",
    "expected": "What the series was expected to be.",
    "lower": "Lower edge of the band.",
    "upper": "Upper edge of the band.",
    "score": "0 as usual to 1; from 0.5 on an anomaly.",
    "firing": "1 within an anomaly.",
}
_GAUGES = {
    name: Gauge(f"signalbox_anomaly_{name}", text, _LABELS, multiprocess_mode="mostrecent")
    for name, text in _HELP.items()
}
SAMPLES = Counter("signalbox_anomaly_samples_total", "Samples that were scored.", ["watch"])
SERIES = Gauge(
    "signalbox_anomaly_series", "Series that are watched.", ["watch"], multiprocess_mode="mostrecent"
)
LEFT_OUT = Gauge(
    "signalbox_anomaly_series_left_out",
    "Series beyond the limit, which are not watched.",
    ["watch"],
    multiprocess_mode="mostrecent",
)
DELAY = Gauge(
    "signalbox_anomaly_delay_seconds",
    "From a watched expression's newest sample to its verdict.",
    ["watch"],
    multiprocess_mode="mostrecent",
)


def export(watch: Watch, config: AnomalyWatchConfig, collected: Collected) -> None:
    """Show the newest verdicts on this node's /metrics. Series are bounded by `max_series`."""
    SAMPLES.labels(watch.name).inc(collected.samples)
    SERIES.labels(watch.name).set(len(collected.latest))
    LEFT_OUT.labels(watch.name).set(collected.left_out)
    if math.isfinite(collected.delay):
        DELAY.labels(watch.name).set(collected.delay)
    show(watch, config, collected.latest)
    for name in collected.gone:
        for figure, gauge in _GAUGES.items():
            gauge.labels(**_labels(watch, config, name)).set(0 if figure == "firing" else math.nan)


def show(watch: Watch, config: AnomalyWatchConfig, latest: Mapping[str, Verdict]) -> None:
    for name, verdict in latest.items():
        labels = _labels(watch, config, name)
        for figure, value in _values(verdict).items():
            _GAUGES[figure].labels(**labels).set(value)


def figures(watch: Watch, config: AnomalyWatchConfig, latest: Mapping[str, Verdict]) -> Iterator[GaugeValue]:
    for name, verdict in latest.items():
        labels = _labels(watch, config, name)
        for figure, value in _values(verdict).items():
            yield GaugeValue(
                name=f"signalbox_anomaly_{figure}", help=_HELP[figure], labels=labels, value=value
            )


def _labels(watch: Watch, config: AnomalyWatchConfig, name: str) -> dict[str, str]:
    labels = labels_of(name)
    return {"watch": watch.name, "series": text_of(labels), "service": labels.get(config.group_by, "")}


def _values(verdict: Verdict) -> dict[str, float]:
    known = {name: getattr(verdict, name) for name in ("value", "expected", "lower", "upper", "score")}
    finite = {name: value for name, value in known.items() if math.isfinite(value)}
    return {**finite, "firing": float(verdict.firing)}
