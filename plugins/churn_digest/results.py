"""How earlier warnings turned out, and whether acting on them helps. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from plugins.churn_digest import words
from plugins.churn_digest.state import Case

LAST = 10
LEAST = 30
"""Customers that each group needs before a difference is worth a sentence."""
_Z = 1.959964  # 97.5 % of the normal distribution: intervals are at 95 %


@dataclass(frozen=True, slots=True)
class Effect:
    """Share that left, in per cent points: the control group's minus that of customers who were shown."""

    shown: tuple[int, int]
    control: tuple[int, int]
    difference: float
    low: float
    high: float


def sentences(cases: Iterable[Case]) -> tuple[str, ...]:
    known = [episode for case in cases for episode in (*case.past, case)]
    return (*_hit_rate(known), *_effect_sentence(known))


def left(case: Case) -> bool | None:
    """Whether a flagged customer left: as people recorded, else as the data said; None while open."""
    return case.outcome.kind == "churned" if case.outcome else case.left


def _hit_rate(cases: Iterable[Case]) -> Iterator[str]:
    shown = [case for case in cases if case.shown_at is not None and not case.control]
    settled = sorted((c for c in shown if left(c) is not None), key=lambda c: c.flagged_at)[-LAST:]
    if not shown:
        return
    waiting = sum(left(case) is None for case in shown)
    if not settled:
        yield f"How earlier warnings turned out is not known yet: {waiting} wait for an outcome."
        return
    gone = sum(bool(left(case)) for case in settled)
    window = f"{words.day(settled[0].flagged_at)} to {words.day(settled[-1].flagged_at)}"
    people = sum(case.outcome is not None for case in settled)
    yield (
        f"{gone} of the last {len(settled)} flagged left (flagged {window}; {people} told by people, "
        f"{len(settled) - people} by the data; {waiting} still open)."
    )


def _effect_sentence(cases: list[Case]) -> Iterator[str]:
    """Both groups are judged by the data alone: nobody records outcomes for customers that nobody sees."""
    settled = [case for case in cases if case.drawn and case.left is not None]
    control = [case for case in settled if case.control]
    if not any(case.control for case in cases):
        return
    shown = [case for case in settled if not case.control]
    if min(len(control), len(shown)) < LEAST:
        yield (
            f"Whether acting helps can't be said yet: {len(shown)} shown and {len(control)} held-out "
            f"customers have an outcome, and each group needs {LEAST}."
        )
        return
    yield _in_words(effect((_gone(shown), len(shown)), (_gone(control), len(control))))


def _gone(cases: list[Case]) -> int:
    return sum(bool(case.left) for case in cases)


def _in_words(found: Effect) -> str:
    interval = f"95% interval {100 * found.low:+.0f} to {100 * found.high:+.0f}"
    points = f"{100 * found.difference:+.0f} points, {interval}"
    verdict = (
        "acting helps"
        if found.low > 0
        else "acting does harm"
        if found.high < 0
        else "no difference is shown yet"
    )
    return (
        f"{found.control[0]} of {found.control[1]} held-out and {found.shown[0]} of {found.shown[1]} shown "
        f"customers left: {points}; {verdict}."
    )


def effect(shown: tuple[int, int], control: tuple[int, int]) -> Effect:
    """The difference of two shares with its 95 % interval.

    Each group is (left, of how many). Method 10 of R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890.
    """
    p1, p2 = control[0] / control[1], shown[0] / shown[1]
    low1, high1 = wilson(*control)
    low2, high2 = wilson(*shown)
    difference = p1 - p2
    low = difference - math.hypot(p1 - low1, high2 - p2)
    high = difference + math.hypot(high1 - p1, p2 - low2)
    return Effect(shown, control, difference, low, high)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share (E. B. Wilson, 1927)."""
    share, z2 = hits / of, _Z * _Z
    centre = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return centre - half, centre + half
