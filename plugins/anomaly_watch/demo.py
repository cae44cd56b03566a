"""Made-up anomalies: two series that are not as usual, and what people did not believe."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.demo import Effect, Stage
from bot.demo.stage import PEOPLE
from plugins.anomaly_watch.labels import series_name, text_of
from plugins.anomaly_watch.plugin import EXCUSED

PLUGIN = "anomaly-watch"
_NOW = (
    ("demo-latency", {"service": "checkout", "route": "/pay"}, "0.84 s, expected 0.21-0.35 s", 18, 0.97),
    ("demo-queue", {"service": "search", "queue": "index"}, "412 jobs, expected 20-60 jobs", 41, 0.91),
)
"""Watch, labels, what is said, for how many minutes, and the score."""
_WATCHED = 12
_DOUBTED = (
    ("demo-latency", {"service": "payments", "route": "/refund"}, 3),
    ("demo-queue", {"service": "search", "queue": "mail"}, 11),
)


def make_up(stage: Stage) -> None:
    documents = stage.documents(PLUGIN, stage.now)
    for watch, labels, words, minutes, score in _NOW:
        row = _row(stage, watch, labels, words, minutes, score)
        documents.put(f"firing:{watch}", {"rows": [row], "series": _WATCHED, "firing": 1})
    for watch, labels, days in _DOUBTED:
        at, by, series = stage.now - timedelta(days=days), PEOPLE[0], series_name(labels)
        event = stage.event(
            at, "slack.action", f"{PLUGIN}:excuse", f"{PLUGIN}.excuse", actor=by,
            effects=(Effect("reply-0", "SlackChat.reply"),),
        )  # fmt: skip
        told = {"watch": watch, "series": series, "by": by}
        stage.records(PLUGIN, at, event).append(EXCUSED, series, told, durable=False)
        stage.audit(at, by, "anomaly.excused", series, after=told, event_id=event)


def _row(
    stage: Stage, watch: str, labels: dict[str, str], words: str, minutes: int, score: float
) -> dict[str, Any]:
    return {
        "watch": watch,
        "series": series_name(labels),
        "labels": labels,
        "service": labels["service"],
        "reason": f"{watch} ({text_of(labels)}) {words}, for {minutes} min (made up)",
        "since": (stage.now - timedelta(minutes=minutes)).timestamp(),
        "at": stage.now.timestamp(),
        "score": score,
    }
