"""Models of the churn registry, sealed and empty, with what the gate and the shadow said of them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

from ml.churn import registry
from ml.churn.features.matrix import Columns
from ml.churn.model import artifact
from ml.churn.model.artifact import Costs, Facts, Manifest, Stack

DAY = date(2026, 1, 5)
DATA = "cd" * 32


def model(folder: Path, name: str, *, auc: float = 0.84, created: str = "2026-01-05T03:00:00+00:00") -> Path:
    """Keep a sealed model as the challenger; its folder in the registry."""
    place = folder / "made" / name
    place.mkdir(parents=True)
    (place / artifact.BOOSTING).write_text(f"boosting of {name}")
    facts = Facts(
        name=name,
        created=created,
        data_sha256=DATA,
        code_version="1",
        seed=0,
        examples=5000,
        base_rate=0.1,
        cuts=("2025-09-01",),
        horizon_days=90,
        embargo_days=7,
        metrics={"auc": auc, "log_loss": 0.4},
        intervals={"auc": (auc - 0.02, auc + 0.02)},
    )
    manifest = Manifest(
        facts=facts,
        columns=Columns(numbers=("logins",), values={}),
        medians=(1.0,),
        stack=Stack(weights=(1, 1, 1), bias=0),
        threshold=0.5,
        costs=Costs(),
        files={},
    )
    artifact.seal(place, manifest)
    return registry.keep(place, folder)


def champion(folder: Path, name: str = "churn-old", by: str = "cli:root") -> Path:
    place = model(folder, name, created="2025-12-29T03:00:00+00:00")
    return registry.promote(folder, place, by=by, why="the first model")


def judged(folder: Path, place: Path, against: Path, *, passed: bool = True) -> None:
    registry.note_verdict(
        folder,
        place,
        {
            "passed": passed,
            "chance": 0.98,
            "challenger": {"auc": 0.861, "log_loss": 0.38},
            "champion": {"auc": 0.842, "log_loss": 0.40},
            "challenger_intervals": {"auc": (0.84, 0.88)},
            "champion_intervals": {"auc": (0.82, 0.862)},
            "words": "Better with a chance of 98.0%, worse for nobody." if passed else "Not promoted: worse.",
            "against": against.name,
        },
    )


def beside(folder: Path, place: Path, against: Path, cycles: int = 1, trouble: str = "") -> None:
    """Days on which both scored."""
    (folder / "shadow" / place.name).mkdir(parents=True, exist_ok=True)
    for cycle in range(cycles):
        day = DAY + timedelta(weeks=cycle)
        said = {
            "model": place.name,
            "against": against.name,
            "run_id": f"{day}-0000000{cycle}",
            "as_of": f"{day}",
            "customers": 3000,
            "flagged": 210,
            "flagged_by_champion": 230,
            "flagged_by_both": 190,
            "agreement": 0.93,
            "trouble": trouble,
        }
        (folder / "shadow" / place.name / f"{day}.json").write_text(json.dumps(said))


def ready(folder: Path, name: str = "churn-new") -> tuple[Path, Path]:
    """A champion, and a challenger that may replace it."""
    old = champion(folder)
    new = model(folder, name, auc=0.861)
    judged(folder, new, old)
    beside(folder, new, old)
    return old, new


def another(folder: Path, name: str = "churn-next") -> Path:
    """A challenger that may replace the present champion."""
    old = registry.champion(folder)
    new = model(folder, name, auc=0.87)
    judged(folder, new, old)
    beside(folder, new, old)
    return new
