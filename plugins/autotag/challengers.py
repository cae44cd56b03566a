"""What was learned when, how it compared with the model that serves, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bot.plugin import Context

_KEY = "challenger:"
State = Literal["ready", "none", "serves", "kept", "gone"]


class Challenger(BaseModel):
    """`id` is the event that trained it; `learned`: from so many tickets; `none`: it was not better.

    `accuracy` and `before` are shares of right best guesses of the challenger and of the model that serves,
    on tickets that neither had seen; `low` and `high` the 95 % interval of their difference. `dropped`: it
    was trained because the model that serves got worse. `detail` says who decided, or why there is nothing.
    `digest` is the manifest's checksum, `data` that of the examples.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    at: datetime
    against: str
    why: str
    dropped: bool
    learned: int
    version: str = ""
    folder: str = ""
    digest: str = ""
    data: str = ""
    state: State = "none"
    accuracy: float = 0.0
    before: float = 0.0
    low: float = 0.0
    high: float = 0.0
    detail: str = ""
    decided_by_event: str = ""


def keep(made: Challenger, ctx: Context) -> Challenger:
    ctx.documents.put(f"{_KEY}{made.id}", made.model_dump(mode="json"))
    return made


def get(id_: str, ctx: Context) -> Challenger | None:
    found = ctx.documents.get(f"{_KEY}{id_}")
    return Challenger.model_validate(found.data) if found else None


def known(ctx: Context) -> list[Challenger]:
    """The newest first."""
    found = [Challenger.model_validate(document.data) for document in ctx.documents.having(_KEY)]
    return sorted(found, key=lambda challenger: challenger.at, reverse=True)


def decide(id_: str, state: State, detail: str, ctx: Context) -> Challenger | None:
    """Decide about one that is ready; whoever is faster counts. The challenger as it stands then."""
    while (found := ctx.documents.get(f"{_KEY}{id_}")) is not None:
        challenger = Challenger.model_validate(found.data)
        if challenger.state != "ready":
            return challenger
        decided = {"state": state, "detail": detail, "decided_by_event": ctx.event.id}
        changed = challenger.model_copy(update=decided)
        if ctx.documents.put(found.key, changed.model_dump(mode="json"), version=found.version):
            return changed
    return None
