"""Which messages a part of the digest consists of, and which accounts stand in each. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.plugin import Message
from plugins.churn_digest import delivery, messages
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.state import Case, Part, Row


@dataclass(frozen=True, slots=True)
class Page:
    """`owner` is empty for the digest that all see; `in_thread` pages hang under its first message."""

    key: str
    channel: str
    rows: Sequence[Row]
    number: int = 1
    owner: str = ""
    in_thread: bool = False

    def render(
        self, part: Part, week: str, cases: Mapping[str, Case], config: ChurnDigestConfig, slash: str
    ) -> Message:
        if self.owner:
            lead = messages.owner_lead(self.owner, self.rows, part, config)
            return messages.further_page(part, self.rows, cases, config, lead)
        if self.number == 1:
            return messages.first_page(part, week, self.rows, cases, config, slash)
        return messages.further_page(part, self.rows, cases, config, f"Part {self.number} of the list")


def pages(week: str, part: Part) -> list[Page]:
    """Messages with controls, the first one first."""
    base = f"churn:{week}:{part.number}"
    found = [
        Page(f"{base}:{number}", part.channel, rows, number, in_thread=number > 1)
        for number, rows in enumerate(messages.pages(part.rows), 1)
    ]
    own = [(owner, place) for owner, place in part.places.items() if place != delivery.THREAD]
    return found + [page for owner, place in own for page in _owners(base, part, owner, place)]


def _owners(base: str, part: Part, owner: str, channel: str) -> list[Page]:
    key = f"{base}:{hashlib.sha256(owner.encode()).hexdigest()[:12]}"
    rows = [row for row in part.rows if row.owner == owner]
    return [
        Page(f"{key}:{number}", channel, piece, number, owner)
        for number, piece in enumerate(messages.pages(rows), 1)
    ]


def owners(rows: Sequence[Row]) -> list[str]:
    """Owners of these accounts in the order of their first one."""
    return list(dict.fromkeys(row.owner for row in rows if row.owner))
