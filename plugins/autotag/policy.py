"""Whether to tag a ticket, and what a decision means. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bot.plugin import Ticket, TicketEvent
from plugins.autotag.config import AutoTagConfig
from plugins.autotag.model import Band, Tagging

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
Verdict = Literal["accept", "correct", "reject"]
BY_A_PERSON = "already labelled by a person"


class Decision(BaseModel):
    """What was decided about a ticket, by which model, and why. Kept for good.

    `also`: further categories to apply, of a model that knows several a ticket.
    """

    model_config = ConfigDict(frozen=True)
    ticket: str
    band: Band
    reason: str
    text_hash: str
    category: str | None = None
    also: tuple[str, ...] = ()
    confidence: float = 0.0
    scores: dict[str, float] = {}
    model_version: str = ""
    words: tuple[str, ...] = ()
    priority: str = ""
    language: str = ""

    @property
    def categories(self) -> tuple[str, ...]:
        """What there is to apply or to suggest, the surest first."""
        return (self.category, *self.also) if self.category else ()

    def best(self, number: int) -> list[tuple[str, float]]:
        known = [(slug, score) for slug, score in self.scores.items() if slug != "out-of-scope"]
        return sorted(known, key=lambda pair: -pair[1])[:number]


def text_of(ticket: Ticket) -> str:
    return f"{ticket.summary}\n\n{ticket.description}".strip()


def text_hash(ticket: Ticket) -> str:
    return hashlib.sha256(text_of(ticket).encode()).hexdigest()[:16]


def is_key(text: str) -> bool:
    """Whether the text can be a ticket's key; it becomes part of a URL."""
    return _KEY.fullmatch(text) is not None


def left_alone(ticket: Ticket, config: AutoTagConfig) -> str:
    """Why a ticket is none of our business; empty when it is."""
    if ticket.status.lower() in config.closed:
        return f"it is {ticket.status}"
    if config.projects and ticket.project not in config.projects:
        return f"project {ticket.project} is not tagged"
    return ""


def is_settled(decisions: Sequence[Decision], ticket: Ticket) -> bool:
    """A ticket is decided once; one that said nothing may have been given words since."""
    if not decisions:
        return False
    newest = decisions[0]
    return newest.band != "leave" or newest.reason == BY_A_PERSON or newest.text_hash == text_hash(ticket)


def category_labels(labels: Iterable[str], slugs: Iterable[str], prefix: str) -> list[str]:
    ours = {prefix + slug for slug in slugs}
    return [label for label in labels if label in ours]


def withdrawn(decisions: Iterable[Decision], ticket: Ticket, prefix: str) -> set[str]:
    """Categories that we set once and somebody took away: their word stands."""
    applied = {category for d in decisions if d.band == "apply" for category in d.categories}
    return {category for category in applied if prefix + category not in ticket.labels}


def decided(ticket: Ticket, tagging: Tagging, version: str, words: tuple[str, ...] = ()) -> Decision:
    return Decision(
        ticket=ticket.key,
        band=tagging.band,
        reason=tagging.reason,
        text_hash=text_hash(ticket),
        category=tagging.category,
        also=tagging.also,
        confidence=tagging.confidence,
        scores=_rounded(tagging.scores),
        model_version=version,
        words=words,
        priority=ticket.priority,
        language=tagging.language,
    )


def by_a_person(ticket: Ticket, labels: Sequence[str]) -> Decision:
    return Decision(
        ticket=ticket.key, band="leave", reason=BY_A_PERSON, text_hash=text_hash(ticket), category=labels[0]
    )


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    return {slug: round(score, 4) for slug, score in scores.items()}


def verdict(decision: Decision | None, category: str) -> Verdict:
    """What a person's choice says about the model's."""
    return "accept" if decision is not None and decision.categories == (category,) else "correct"


def said_in_the_helpdesk(
    event: TicketEvent, decision: Decision, slugs: Sequence[str], prefix: str
) -> tuple[Verdict, str | None] | None:
    """What a person's change of the labels says about a decision: labels are the shortest review."""
    added = [slug for slug in slugs if prefix + slug in event.labels_added]
    if added:
        return verdict(decision, added[0]), added[0]
    ours = {prefix + category for category in decision.categories} if decision.band == "apply" else set()
    return ("reject", None) if ours & set(event.labels_removed) else None
