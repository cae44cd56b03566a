"""What is wrong with the churn model that serves, as figures for Prometheus."""

from __future__ import annotations

from prometheus_client import Gauge

FINDINGS = Gauge(
    "signalbox_churn_findings",
    "What the last look at the churn model found: degradation, calibration, outdone or drift.",
    ["kind"],
    multiprocess_mode="mostrecent",
)
