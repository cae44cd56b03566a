"""When the tagger learns anew, and from what: reviews, and tags that nobody objected to. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.memory import Record
from plugins.autotag.policy import Decision

SETTLED = timedelta(days=3)
"""After so long, a tag that nobody changed counts as right."""
RECENT = timedelta(days=28)
LEAST = 50
"""Outcomes from which on a drop can be told from chance."""
_Z = 1.96
_SIGMAS = 3.0
_BORNE = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one ticket's decision. `truth`: empty when people only said that it was wrong.

    `reviewed`: a person said so; otherwise nobody objected to a tag for three days.
    """

    ticket: str
    at: datetime
    decided_at: datetime
    decision: Decision
    truth: str
    reviewed: bool

    @property
    def right(self) -> bool:
        return bool(self.truth) and self.truth == self.decision.category


def outcomes(decisions: Iterable[Record], reviews: Iterable[Record], now: datetime) -> list[Outcome]:
    """Of each ticket's newest decision and review, oldest first. Records as `find` gives them."""
    said = {record.subject: record for record in reversed(list(reviews))}
    newest = {record.subject: record for record in reversed(list(decisions))}
    found = []
    for ticket, record in newest.items():
        decision, review = Decision.model_validate(record.data), said.get(ticket)
        if review is not None:
            truth = str(review.data["category"] or "")
            found.append(Outcome(ticket, review.at, record.at, decision, truth, reviewed=True))
        elif decision.band == "apply" and decision.category and record.at <= now - SETTLED:
            at = record.at + SETTLED
            found.append(Outcome(ticket, at, record.at, decision, decision.category, reviewed=False))
    return sorted(found, key=lambda outcome: outcome.at)


def due(found: Sequence[Outcome], trained_at: datetime | None, every: timedelta, now: datetime) -> str:
    """Why it is time by schedule; empty when it is not, or when people said too little since."""
    since = [o for o in found if o.reviewed and (trained_at is None or o.at > trained_at)]
    if len(since) < LEAST or (trained_at is not None and now - trained_at < every):
        return ""
    return f"People reviewed {len(since)} tickets since it learned last."


def degraded(found: Sequence[Outcome], version: str, precision: float, now: datetime) -> str:
    """What the model that serves no longer keeps to, by the tickets of four weeks; empty when it does."""
    recent = [o for o in found if o.decision.model_version == version and o.decided_at >= now - RECENT]
    applied = [outcome for outcome in recent if outcome.decision.band == "apply"]
    right = sum(outcome.right for outcome in applied)
    if len(applied) >= LEAST and _upper(right, len(applied)) < precision:
        return (
            f"Of the last {len(applied)} tags set without asking {right / len(applied):.0%} were right; "
            f"{precision:.0%} is what it stands for."
        )
    return _overconfident([outcome for outcome in recent if outcome.decision.category])


def _overconfident(judged: Sequence[Outcome]) -> str:
    """Fewer were right than the confidences add up to, by more than chance and a twentieth explain."""
    expected = sum(outcome.decision.confidence for outcome in judged)
    spread = math.sqrt(sum(o.decision.confidence * (1 - o.decision.confidence) for o in judged))
    right = sum(outcome.right for outcome in judged)
    if len(judged) < LEAST or right >= expected * (1 - _BORNE) - _SIGMAS * spread:
        return ""
    return f"Of {len(judged)} judged tickets {right} were right; its confidence promised {expected:.0f}."


def _upper(hits: int, number: int) -> float:
    """The upper end of Wilson's 95 % interval (Wilson, 1927)."""
    share, z2 = hits / number, _Z * _Z
    centre = share + z2 / (2 * number)
    margin = _Z * math.sqrt(share * (1 - share) / number + z2 / (4 * number * number))
    return (centre + margin) / (1 + z2 / number)
