"""The way through the Spark engine: samples are landed for it, and what it said is read again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from ml.anomaly import landing, verdict_files
from ml.anomaly.book import Book, Samples
from plugins.anomaly_watch.config import Watch

SILENT_SECONDS = 600.0


class Position(BaseModel):
    """How far each series was landed, and up to when verdicts were read; in seconds since 1970."""

    model_config = ConfigDict(frozen=True)
    landed: dict[str, float] = {}
    read: float = 0.0

    @property
    def lag(self) -> float:
        """Seconds between the newest sample that was landed and the newest word of the engine."""
        return max(self.landed.values(), default=self.read) - self.read


def position(folder: Path, watch: Watch) -> Position:
    file = _file(folder, watch)
    return Position.model_validate_json(file.read_bytes()) if file.exists() else Position()


def land(folder: Path, watch: Watch, samples: Mapping[str, Samples], known: Mapping[str, float]) -> int:
    """Only samples that were not landed yet; how many.

    The position is kept after them: cut off in between, they land twice and count once.
    """
    new = {name: _after(each, known.get(name, -math.inf)) for name, each in samples.items()}
    landing.write(folder / "landing" / watch.name, new)
    now = {name: float(each.at[-1]) for name, each in new.items() if len(each.at)}
    if now:
        before = position(folder, watch)
        _keep(folder, watch, before.model_copy(update={"landed": {**before.landed, **now}}))
    return sum(len(each.at) for each in new.values())


def heard(folder: Path, watch: Watch, old: Book, oldest: float) -> tuple[Book, int]:
    """The book with what the engine said since the last look, and how many samples that was about.

    What is older than `oldest`, in seconds since 1970, is forgotten: positions and files.
    """
    before = position(folder, watch)
    news = verdict_files.read(folder / "verdicts" / watch.name, before.read)
    landed = {name: at for name, at in before.landed.items() if at >= oldest}
    _keep(folder, watch, Position(landed=landed, read=news.until))
    for part in ("landing", "verdicts"):
        verdict_files.forget(folder / part / watch.name, oldest)
    return old.hearing(news.latest), news.samples


def _after(samples: Samples, at: float) -> Samples:
    new = np.asarray(samples.at) > at
    return Samples(samples.at[new], samples.values[new])


def _file(folder: Path, watch: Watch) -> Path:
    return folder / f"{watch.name}.position.json"


def _keep(folder: Path, watch: Watch, now: Position) -> None:
    file = _file(folder, watch)
    hidden = file.with_suffix(".new")
    hidden.write_text(now.model_dump_json())
    hidden.replace(file)
