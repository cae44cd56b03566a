"""Anomalies in live metrics: detectors over a small state a series, for one series or a hundred thousand.

What is exported here loads nothing heavy; `book` and the detectors need numpy.
"""

from ml.anomaly.errors import SeriesError, StateError
from ml.anomaly.verdict import LINE, Verdict

__all__ = ["LINE", "SeriesError", "StateError", "Verdict"]
