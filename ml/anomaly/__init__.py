"""Anomalies in live metrics: detectors over a small state a series, for one series or a hundred thousand."""

from ml.anomaly.book import Book, Samples, Scored, scored
from ml.anomaly.ensemble import Kinds, update
from ml.anomaly.errors import SeriesError, StateError
from ml.anomaly.state import State, empty
from ml.anomaly.verdict import LINE, Verdict, Verdicts

__all__ = [
    "LINE",
    "Book",
    "Kinds",
    "Samples",
    "Scored",
    "SeriesError",
    "State",
    "StateError",
    "Verdict",
    "Verdicts",
    "empty",
    "scored",
    "update",
]
