"""The newest look at how the champion does, as `watch` left it. Reading it needs nothing heavy."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

SEEN = "watch.json"


class Finding(BaseModel):
    """`kind`: schedule, degradation, calibration, outdone or drift; `retrains`: a reason to train."""

    model_config = ConfigDict(frozen=True)
    kind: str
    words: str
    retrains: bool


class Look(BaseModel):
    """`model` is the champion's digest, `outcomes` how many it was judged by."""

    model_config = ConfigDict(frozen=True)
    as_of: date
    model: str
    outcomes: int
    findings: tuple[Finding, ...] = ()


def newest(folder: Path) -> Look | None:
    """None before the first look; a damaged one is none."""
    try:
        return Look.model_validate_json((folder / SEEN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
