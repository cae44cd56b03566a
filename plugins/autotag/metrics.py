"""What is decided and what people say to it; categories are a closed set."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

DECISIONS = Counter("signalbox_autotag_decisions_total", "Decisions about tickets.", ["band", "category"])
REVIEWS = Counter(
    "signalbox_autotag_reviews_total",
    "What people said to decisions, by the category that was decided.",
    ["verdict", "category"],
)
ACCURACY = Gauge(
    "signalbox_autotag_accuracy_ratio",
    "Share of right decisions among the reviewed ones of four weeks, by the category that was decided.",
    ["category"],
    multiprocess_mode="mostrecent",
)
KEPT = Gauge(
    "signalbox_autotag_kept_ratio",
    "Share of the decisions of four weeks in this band that nobody corrected.",
    ["band"],
    multiprocess_mode="mostrecent",
)
DRIFT = Gauge(
    "signalbox_autotag_drift_psi",
    "How far categories shifted, the last week against the four before; .25 is a shift.",
    multiprocess_mode="mostrecent",
)
