"""The newest scores, as the churn pipeline left them in the data directory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import islice
from pathlib import Path

from bot.plugin import Context, Refused
from ml.churn import runs
from ml.churn.runs import Run, Scored

NEXT_STEP = (
    "Nobody has been scored yet. Install the pipeline with `make train-deps`, then run "
    "`signalbox churn demo` for simulated customers, or `signalbox churn etl`, `train` and `score` for yours."
)
_RUNS_BACK = 12
_LOOKED_AT = 20_000
"""Customers of a run, those with the highest expected loss: who is shown is among them."""


def folder(ctx: Context) -> Path:
    return ctx.data_dir / "churn"


def latest(ctx: Context) -> Run | None:
    return runs.latest(folder(ctx))


def needed(ctx: Context) -> Run:
    run = latest(ctx)
    if run is None:
        raise Refused(NEXT_STEP, check="scored")
    return run


def scores(run: Run) -> Iterable[Scored]:
    """All customers of a run, most expected loss first."""
    return run.scores()


def earlier(ctx: Context, run: Run, most: int) -> Iterable[Run]:
    """The runs before this one, the newest first."""
    found = runs.previous(folder(ctx), run)
    for _ in range(most):
        if found is None:
            return
        yield found
        found = runs.previous(folder(ctx), found)


def at_risk_since(ctx: Context, run: Run, customers: Iterable[str]) -> dict[str, date]:
    """The day of the data since which each was at risk without a break, as the runs of the last weeks say."""
    since = dict.fromkeys(customers, run.as_of)
    still = set(since)
    for before in earlier(ctx, run, _RUNS_BACK):
        still = _at_risk(before, still)
        since.update(dict.fromkeys(still, before.as_of))
        if not still:
            break
    return since


def _at_risk(run: Run, customers: set[str]) -> set[str]:
    wanted, found = set(customers), set()
    for score in islice(scores(run), _LOOKED_AT):
        if score.customer_id in wanted:
            wanted.discard(score.customer_id)
            found |= {score.customer_id} if score.probability >= run.threshold else set()
        if not wanted:
            break
    return found


def of_customer(run: Run, asked: str) -> Scored | None:
    """The customer of this id, else of this name, else the first whose name begins so."""
    begun: Scored | None = None
    named: Scored | None = None
    wanted = asked.casefold()
    for score in scores(run):
        if score.customer_id == asked:
            return score
        name = score.name.casefold()
        named = named or (score if name == wanted else None)
        begun = begun or (score if name.startswith(wanted) else None)
    return named or begun
