"""The work that tagging spared, from what was decided and what people then changed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from bot.core.memory import Record


class Effort(BaseModel):
    """Tickets, each counted by its last decision and its last review."""

    model_config = ConfigDict(frozen=True)
    decided: int = 0
    applied: int = 0
    suggested: int = 0
    left: int = 0
    corrected: int = 0
    answered: int = 0
    accepted: int = 0


def measured(decisions: Iterable[Record], reviews: Iterable[Record]) -> Effort:
    """Records as `find` gives them, newest first."""
    bands = {record.subject: record.data["band"] for record in reversed(list(decisions))}
    verdicts = {record.subject: record.data["verdict"] for record in reversed(list(reviews))}
    suggested = [ticket for ticket, band in bands.items() if band == "suggest"]
    applied = [ticket for ticket, band in bands.items() if band == "apply"]
    answered = [verdicts[ticket] for ticket in suggested if ticket in verdicts]
    return Effort(
        decided=len(bands),
        applied=len(applied),
        suggested=len(suggested),
        left=len(bands) - len(applied) - len(suggested),
        corrected=sum(verdicts.get(ticket) in {"correct", "reject"} for ticket in applied),
        answered=len(answered),
        accepted=answered.count("accept"),
    )


class Category(BaseModel):
    """How often people agreed with what was said of a category."""

    model_config = ConfigDict(frozen=True)
    name: str
    reviewed: int
    right: int


def by_category(reviews: Iterable[Record]) -> list[Category]:
    """Each category that was suggested or applied and then reviewed, the most often reviewed first."""
    pairs = confusion(reviews)
    counts: Counter[str] = Counter()
    for (said, _), times in pairs.items():
        counts[said] += times
    return [Category(name=name, reviewed=n, right=pairs[name, name]) for name, n in counts.most_common()]


def confusion(reviews: Iterable[Record]) -> Counter[tuple[str, str]]:
    """How often what was said first, as (said, what people say it is); each ticket by its last review."""
    newest = {record.subject: record.data for record in reversed(list(reviews))}
    said = [(d["decided"]["category"], d["category"]) for d in newest.values() if d.get("decided")]
    return Counter((category, truth or "none of them") for category, truth in said if category)


class Drift(BaseModel):
    """Population stability index of categories, last week against four weeks before; .25 is a shift."""

    model_config = ConfigDict(frozen=True)
    psi: float
    grown: str
    tickets: int


_WEEK = timedelta(days=7)
_LEAST = 100


def shift(decisions: Sequence[Record], now: datetime) -> Drift | None:
    """None while either span holds fewer tickets than a shift could be seen in (Siddiqi, 2006)."""
    best = [
        (r.at, max(r.data["scores"], key=r.data["scores"].__getitem__)) for r in decisions if r.data["scores"]
    ]
    recent = Counter(category for at, category in best if at >= now - _WEEK)
    before = Counter(category for at, category in best if now - 5 * _WEEK <= at < now - _WEEK)
    if min(recent.total(), before.total()) < _LEAST:
        return None
    shares = {
        name: ((recent[name] + 0.5) / (recent.total() + 1), (before[name] + 0.5) / (before.total() + 1))
        for name in recent | before
    }
    moved = {name: (new - old) * math.log(new / old) for name, (new, old) in shares.items()}
    grown = max(shares, key=lambda name: shares[name][0] - shares[name][1])
    return Drift(psi=sum(moved.values()), grown=grown, tickets=recent.total())
