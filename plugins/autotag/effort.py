"""The work that tagging spared, from what was decided and what people then changed."""

from __future__ import annotations

from collections.abc import Iterable

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
