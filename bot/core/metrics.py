"""Metrics: prefix signalbox_, base units, labels from closed sets (never a user, channel or ticket).

With PROMETHEUS_MULTIPROC_DIR set before the first import, all processes of a node share their figures
through files and any of them can answer for all.
"""

from __future__ import annotations

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, multiprocess

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 3.0)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0)

INBOX_RECEIVED = Counter(
    "signalbox_inbox_received_total",
    "Deliveries: accepted, duplicate, refused or shed.",
    ["source", "outcome"],
)
ACK_SECONDS = Histogram(
    "signalbox_ack_duration_seconds", "From the delivery to its answer.", ["source"], buckets=_FAST
)
INBOX_RUNS = Gauge(
    "signalbox_inbox_runs",
    "Runs that are pending, leased or dead.",
    ["status"],
    multiprocess_mode="mostrecent",
)
INBOX_OLDEST = Gauge(
    "signalbox_inbox_oldest_pending_seconds",
    "How long the oldest pending run has been due.",
    multiprocess_mode="mostrecent",
)
HANDLER_RUNS = Counter(
    "signalbox_handler_runs_total", "Runs by how they ended.", ["plugin", "handler", "outcome"]
)
HANDLER_SECONDS = Histogram(
    "signalbox_handler_duration_seconds", "How long handlers ran.", ["plugin", "handler"], buckets=_SLOW
)
DEAD_LETTERS = Counter("signalbox_dead_letters_total", "Runs that became dead letters.", ["plugin"])
RETRIES = Counter("signalbox_retries_total", "Runs that will be tried again.", ["plugin", "reason"])
BREAKER_OPEN = Gauge(
    "signalbox_breaker_open",
    "1 while a plugin's runs are postponed.",
    ["plugin"],
    multiprocess_mode="mostrecent",
)
QUEUE_DOWN = Counter("signalbox_enqueue_failures_total", "Hand-overs to the broker that failed.")
BUILD_INFO = Gauge(
    "signalbox_build_info", "1, with the version.", ["version"], multiprocess_mode="mostrecent"
)


def node_registry() -> CollectorRegistry:
    """The figures of all processes of this node, or of this one where they share no folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # noqa: TID251  # prometheus_client's own switch
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
