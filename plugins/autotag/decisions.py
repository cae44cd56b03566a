"""The decisions and reviews of one ticket, kept as records."""

from __future__ import annotations

from bot.core.memory import Record
from bot.plugin import Context
from plugins.autotag import metrics
from plugins.autotag.policy import Decision, Verdict

DECISION, REVIEW, MODEL = "decision", "review", "model"
_DECIDED = {"band", "category", "confidence", "model_version"}


class Decisions:
    def __init__(self, ctx: Context, ticket: str) -> None:
        self._ctx = ctx
        self._ticket = ticket

    def all(self) -> list[Decision]:
        """Newest first."""
        return [_decision(record) for record in self._records()]

    def earlier(self) -> list[Decision]:
        """Those of other events than this one."""
        return [_decision(r) for r in self._records() if r.event_id != self._ctx.event.id]

    def newest(self) -> Decision | None:
        return next(iter(self.all()), None)

    def of_this_event(self) -> Decision | None:
        """What an earlier attempt at this event decided."""
        mine = (r for r in self._records() if r.event_id == self._ctx.event.id)
        return next((_decision(record) for record in mine), None)

    def keep(self, decision: Decision) -> Decision:
        self._ctx.records.append(DECISION, self._ticket, decision.model_dump(mode="json"))
        metrics.DECISIONS.labels(decision.band, decision.category or "none").inc()
        return decision

    def review(self, verdict: Verdict, category: str | None, by: str) -> None:
        """What a person said to a decision; once, however often the event is handled."""
        found = self._ctx.records.find(REVIEW, subject=self._ticket)
        if any(record.event_id == self._ctx.event.id for record in found):
            return
        newest = self.newest()
        decided = newest.model_dump(mode="json", include=_DECIDED) if newest else None
        self._ctx.records.append(
            REVIEW, self._ticket, {"verdict": verdict, "category": category, "by": by, "decided": decided}
        )
        metrics.REVIEWS.labels(verdict, (newest.category if newest else None) or "none").inc()

    def is_reviewed(self) -> bool:
        """Whether somebody has said what the ticket is, or is not: their word stands."""
        return bool(self._ctx.records.find(REVIEW, subject=self._ticket, limit=1))

    def _records(self) -> list[Record]:
        return self._ctx.records.find(DECISION, subject=self._ticket)


def _decision(record: Record) -> Decision:
    return Decision.model_validate(record.data)


def note_model(ctx: Context, *, version: str = "", error: str = "") -> None:
    """Keep what the workers last knew about the model; only changes are written."""
    data = {"version": version, "error": error}
    if [record.data for record in ctx.records.find(MODEL, limit=1)] != [data]:
        ctx.records.append(MODEL, "tagger", data)


def model_error(ctx: Context, plugin: str) -> str:
    return next((str(record.data["error"]) for record in ctx.records.of(plugin).find(MODEL, limit=1)), "")
