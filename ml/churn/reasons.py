"""Why a score is as it is, in words with the customer's own values. "Associated with", never "because"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ml.churn.features.matrix import Columns
from ml.churn.features.specification import BY_NAME
from ml.churn.runs import Reason

Floats = npt.NDArray[np.float64]
MOST = 3
_LEAST = 0.02


def of(
    row: Floats, impacts: Floats, columns: Columns, medians: Sequence[float], most: int = MOST
) -> tuple[Reason, ...]:
    """The features that raise a customer's risk most, by their Shapley values in log-odds.

    Only features with words that people can act on are named; the others' impact is left unsaid.
    """
    found: list[Reason] = []
    for at in np.argsort(-impacts):
        if impacts[at] < _LEAST or len(found) == most:
            break
        reason = _reason(columns.names[at], float(row[at]), float(impacts[at]), float(medians[at]))
        found += [reason] if reason else []
    return tuple(found)


def _reason(name: str, value: float, impact: float, median: float) -> Reason | None:
    feature = BY_NAME.get(name)
    if feature is None or feature.words is None or not feature.actionable or np.isnan(value):
        return None
    words = feature.words.more if value > median else feature.words.less
    shown = {"value": _number(abs(value) if feature.unit == "share" else value, feature.unit)}
    if _contradicts(words, value):
        return None
    text = words.format(**shown, median=_number(median, feature.unit))
    return Reason(
        feature=name,
        text=text,
        direction="raises" if impact > 0 else "lowers",
        impact=impact,
        value=value,
        median=median,
    )


def _contradicts(words: str, value: float) -> bool:
    """A change that is small against others' may still be a rise: then neither sentence is true."""
    return ("fell" in words and value > 0) or ("rose" in words and value < 0)


def _number(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value:.0%}"
    return f"{value:,.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.1f}"
