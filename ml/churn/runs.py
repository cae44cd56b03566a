"""Scoring runs as files: what the pipeline leaves behind and others read.

FOLDER/runs/<as_of>-<8 hex>/run.json says what was scored with what; scores.jsonl holds one customer a line,
highest expected loss first. A run that stands was written whole.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RUN, SCORES = "run.json", "scores.jsonl"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Reason(_Value):
    """Why one score is as it is: `impact` in log-odds, `value` the customer's own, `median` of all."""

    feature: str
    text: str
    direction: Literal["raises", "lowers"]
    impact: float
    value: float | None = None
    median: float | None = None


class Scored(_Value):
    """A customer with the probability (0..1) of leaving; money in the run's currency."""

    customer_id: str
    name: str
    segment: str = ""
    owner: str = ""
    probability: float
    band: str = ""
    monthly_value: float = 0.0
    remaining_months: float = 0.0
    value_at_risk: float = 0.0
    renewal: date | None = None
    reasons: tuple[Reason, ...] = ()


class Run(_Value):
    """What was scored, with which data and model. `folder` is where it was read from."""

    run_id: str
    as_of: date
    created_at: datetime
    engine: str
    model_version: str
    model_digest: str
    data_hash: str
    base_rate: float
    threshold: float
    currency: str
    customers: int
    quality: Literal["passed", "failed"]
    notes: tuple[str, ...] = ()
    folder: Path = Field(Path(), exclude=True)

    def scores(self) -> Iterator[Scored]:
        """All customers, highest expected loss first."""
        with (self.folder / SCORES).open(encoding="utf-8") as lines:
            for line in lines:
                yield Scored.model_validate_json(line)


def latest(folder: Path) -> Run | None:
    """The newest run whose data passed the quality checks."""
    return next(_newest_first(folder), None)


def previous(folder: Path, run: Run) -> Run | None:
    """The run before `run`."""
    return next((found for found in _newest_first(folder) if _order(found) < _order(run)), None)


def write(folder: Path, run: Run, scores: Iterable[Scored]) -> Run:
    """Leave a run behind: it appears under its name at once and whole."""
    parent = folder / "runs"
    parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=parent))
    try:
        with (making / SCORES).open("w", encoding="utf-8") as lines:
            lines.writelines(score.model_dump_json() + "\n" for score in scores)
        (making / RUN).write_text(run.model_dump_json(indent=1), encoding="utf-8")
        making.rename(parent / run.run_id)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return run.model_copy(update={"folder": parent / run.run_id})


def _newest_first(folder: Path) -> Iterator[Run]:
    found = (_read(path) for path in (folder / "runs").glob(f"[0-9]*/{RUN}"))
    return iter(sorted((run for run in found if run.quality == "passed"), key=_order, reverse=True))


def _read(path: Path) -> Run:
    run = Run.model_validate_json(path.read_text(encoding="utf-8"))
    return run.model_copy(update={"folder": path.parent})


def _order(run: Run) -> tuple[date, datetime]:
    return run.as_of, run.created_at
