"""The plugin test kit: `Kit` drives a plugin, `Conformance` is what every plugin must hold to."""

from bot.testing.alerts import FakeAlerts
from bot.testing.chat import FakeChat, Reply, Shown
from bot.testing.clock import START, Clock
from bot.testing.conformance import Conformance, Samples
from bot.testing.executors import FakeExecutor, FakeExecutors, FakeParameters
from bot.testing.faults import Call, WorkerKilled
from bot.testing.kit import Kit
from bot.testing.metrics import FakeMetrics
from bot.testing.outcome import Delivered
from bot.testing.text import text_of
from bot.testing.tickets import FakeTickets

__all__ = [
    "START",
    "Call",
    "Clock",
    "Conformance",
    "Delivered",
    "FakeAlerts",
    "FakeChat",
    "FakeExecutor",
    "FakeExecutors",
    "FakeMetrics",
    "FakeParameters",
    "FakeTickets",
    "Kit",
    "Reply",
    "Samples",
    "Shown",
    "WorkerKilled",
    "text_of",
]
