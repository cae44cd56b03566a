"""Tags tickets that were there before: a dry run first, then page by page, to go on where it was cut off.

What people labelled is never touched, and what was decided once is not decided again.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bot.core.audit import Audit
from bot.core.memory import Records
from bot.plugin import Ticket, Tickets
from plugins.autotag import policy
from plugins.autotag.config import AutoTagConfig
from plugins.autotag.decisions import DECISION
from plugins.autotag.model import Tagger
from plugins.autotag.policy import Decision

ACTOR = "cli:backfill"


@dataclass
class Progress:
    """What was done so far, kept in a file after each page. `after` asks for the next page."""

    query: str
    apply: bool
    after: str = ""
    pages: int = 0
    done: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def resume(cls, file: Path, query: str, *, apply: bool) -> Progress:
        """Where an unfinished run of the same query stopped, or a new start."""
        if file.exists():
            held = json.loads(file.read_text(encoding="utf-8"))
            if (held["query"], held["apply"], held["done"]) == (query, apply, False):
                return cls(query, apply, held["after"], held["pages"], counts=Counter(held["counts"]))
        return cls(query, apply)

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(self.__dict__), encoding="utf-8")
        part.replace(file)


class Backfill:
    """Args:
    per_minute: labels set at most; helpdesks limit their callers, and people watch the board.
    """

    def __init__(
        self,
        tickets: Tickets,
        tagger: Tagger,
        config: AutoTagConfig,
        slugs: tuple[str, ...],
        records: Records,
        audit: Audit,
        *,
        per_minute: float = 120,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tickets, self._tagger, self._config, self._slugs = tickets, tagger, config, slugs
        self._records, self._audit = records, audit
        self._pause = 60 / per_minute
        self._sleep = sleep

    def run(
        self, progress: Progress, file: Path, limit: int = 0
    ) -> Iterator[tuple[Ticket, str, Decision | None]]:
        """Each ticket with what became of it: tagged, suggested, left, or why it was not looked at.

        Raises what the helpdesk raises; the page that it came in is done again by the next run, where tickets
        that were tagged are found decided.
        """
        while not progress.done:
            page = self._tickets.search(progress.query, after=progress.after)
            for ticket in page.tickets:
                word, decision = self._handle(ticket, apply=progress.apply)
                progress.counts[word] += 1
                yield ticket, word, decision
            progress.after, progress.pages = page.after, progress.pages + 1
            progress.done = not page.after
            progress.save(file)
            if limit and progress.counts.total() >= limit:
                return

    def _handle(self, ticket: Ticket, *, apply: bool) -> tuple[str, Decision | None]:
        why = policy.left_alone(ticket, self._config)
        if why:
            return why, None
        if policy.category_labels(ticket.labels, self._slugs, self._config.label_prefix):
            return "labelled already", None
        earlier = [Decision.model_validate(r.data) for r in self._records.find(DECISION, subject=ticket.key)]
        if policy.is_settled(earlier, ticket):
            return "decided before", None
        [tagging] = self._tagger.tag([policy.text_of(ticket)])
        decision = policy.decided(ticket, tagging, self._tagger.version)
        word = {"apply": "tagged", "suggest": "in doubt", "leave": "left"}[decision.band]
        if apply and decision.band == "apply":
            self._tag(ticket, decision)
        return word, decision

    def _tag(self, ticket: Ticket, decision: Decision) -> None:
        """The labels first: a run that is cut off before the decision finds a label and leaves the ticket."""
        labels = [self._config.label_prefix + category for category in decision.categories]
        for label in reversed(labels):
            self._tickets.add_label(key=ticket.key, label=label, step_key=f"backfill:{ticket.key}:{label}")
        label = ", ".join(labels)
        self._records.append(DECISION, ticket.key, decision.model_dump(mode="json"))
        after = {"label": label, "confidence": decision.confidence, "model_version": decision.model_version}
        self._audit.record(
            ACTOR, "tags.apply", ticket.key, before={"labels": list(ticket.labels)}, after=after
        )
        self._sleep(self._pause)
