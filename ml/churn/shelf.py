"""What stands in the registry, read without loading a model: for pages, messages and lists. Nothing heavy.

`registry` decides what serves; this only reads its files, and takes a damaged one for what it is.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

Interval = tuple[float, float]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Model(_Value):
    """A sealed model; `metrics`, with 95 % `intervals`, are of the newest cut of its day.

    `trouble` says why its manifest can't be read.
    """

    name: str
    digest: str = ""
    created: str = ""
    data_sha256: str = ""
    code_version: str = ""
    examples: int = 0
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    trouble: str = ""


class Verdict(_Value):
    """What the gate said of a challenger and the champion of its day, on the same rows."""

    model: str
    at: str = ""
    against: str = ""
    passed: bool
    chance: float = 0.0
    lasting: float = 0.0
    words: str = ""
    challenger: dict[str, float] = {}
    champion: dict[str, float] = {}
    challenger_intervals: dict[str, Interval] = {}
    champion_intervals: dict[str, Interval] = {}


class Promotion(_Value):
    """One line of the allow-list: what was let serve, when, by whom and why."""

    digest: str
    model: str
    at: str = ""
    by: str = ""
    why: str = ""


class Shelf(_Value):
    """`models` are the newest first, `promotions` the oldest first."""

    champion: Model | None = None
    challenger: Model | None = None
    before: Model | None = None
    models: tuple[Model, ...] = ()
    promotions: tuple[Promotion, ...] = ()

    def promotion(self, digest: str) -> Promotion | None:
        """The last time that a model was let serve."""
        return next((found for found in reversed(self.promotions) if found.digest == digest), None)

    def named(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)


def read(folder: Path) -> Shelf:
    """Args:
    folder: the churn folder of the data directory.
    """
    home = folder / "models"
    places = [path for path in home.glob("*/") if not path.is_symlink() and (path / "manifest.json").exists()]
    models = sorted((_model(place) for place in places), key=lambda model: model.created, reverse=True)
    known = {model.name: model for model in models}
    roles = {role: known.get(_name(home / role)) for role in ("champion", "challenger", "before")}
    return Shelf(models=tuple(models), promotions=_promotions(home / "promoted.jsonl"), **roles)


def verdict(folder: Path, name: str) -> Verdict | None:
    """None when the model was compared with nothing."""
    file = folder / "gate" / f"{name}.json"
    try:
        return Verdict.model_validate_json(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def _model(place: Path) -> Model:
    raw = (place / "manifest.json").read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    try:
        facts: dict[str, Any] = json.loads(raw)["facts"]
        return Model.model_validate({**facts, "name": place.name, "digest": digest})
    except (ValueError, KeyError, TypeError) as exc:
        return Model(name=place.name, digest=digest, trouble=f"Its manifest can't be read: {exc}")


def _promotions(file: Path) -> tuple[Promotion, ...]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return tuple(Promotion.model_validate_json(line) for line in lines if line.strip())


def _name(link: Path) -> str:
    return link.resolve().name if link.is_symlink() else ""
