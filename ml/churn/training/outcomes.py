"""What people recorded about warnings, as labels. The digest leaves it in FOLDER/outcomes.jsonl.

A departure that somebody recorded is one, though the tables may not show it yet. A customer who was acted on
and saved tells nothing about a customer who is left alone: as "stayed" it would teach that the warning was
wrong. Such rows are left out, and a false alarm is what the tables say anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from ml.churn.errors import DataError
from ml.churn.training.dataset import Dataset

FILE = "outcomes.jsonl"


class Recorded(BaseModel):
    """`treated`: whether somebody had seen the warning or acted on it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    customer_id: str
    outcome: Literal["saved", "churned", "false_alarm"]
    recorded_at: datetime
    treated: bool = True

    @property
    def day(self) -> date:
        return self.recorded_at.date()


def read(folder: Path) -> list[Recorded]:
    """Raises DataError where a line can't be read."""
    file = folder / FILE
    if not file.exists():
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [Recorded.model_validate_json(line) for line in lines if line.strip()]
    except ValidationError as exc:
        raise DataError(
            f"{file} can't be read: {exc.errors()[0]['msg']}. Move it away: the digest writes it anew with "
            "the next outcome that is recorded."
        ) from exc


def sealed(sha256: str, folder: Path) -> str:
    """The checksum of the tables together with the outcomes: what a training has learned from."""
    file = folder / FILE
    if not file.exists() or not file.stat().st_size:
        return sha256
    return hashlib.sha256(sha256.encode() + file.read_bytes()).hexdigest()


def applied(data: Dataset, recorded: Iterable[Recorded]) -> Dataset:
    """The examples with the labels that people know better."""
    labels, keep = data.labels.copy(), np.ones(len(data.labels), dtype=np.bool_)
    for one in recorded:
        rows = _rows(data, one)
        if one.outcome == "churned":
            labels[rows] = 1
        elif one.outcome == "saved" and one.treated:
            keep[rows] = False
    changed = Dataset(**{**data.__dict__, "labels": labels})
    return changed if keep.all() else changed.part(keep)


def _rows(data: Dataset, one: Recorded) -> npt.NDArray[np.bool_]:
    """The customer's examples in whose window the outcome fell."""
    found: npt.NDArray[np.bool_] = data.groups == one.customer_id
    for number, cut in enumerate(data.cuts):
        start = cut + timedelta(days=data.embargo_days)
        if not start <= one.day < start + timedelta(days=data.horizon_days):
            found = found & (data.cut_of != number)
    return found
