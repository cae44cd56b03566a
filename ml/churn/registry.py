"""Which churn model serves, which waits, and what was promoted when.

FOLDER/models/<version>/ are sealed models; champion, challenger and before are links to one; promoted.jsonl
is the
allow-list of digests: what is not in it is not loaded.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ml.churn.errors import ModelTamperedError, ModelUnavailableError
from ml.churn.model import artifact
from ml.churn.model.artifact import Manifest

CHAMPION, CHALLENGER, BEFORE, PROMOTED = "champion", "challenger", "before", "promoted.jsonl"


def home(folder: Path) -> Path:
    return folder / "models"


def keep(model: Path, folder: Path) -> Path:
    """Copy a sealed model into the registry, as the challenger."""
    manifest = artifact.read(model)
    place = home(folder) / f"{manifest.facts.name}-{artifact.digest(model)[:12]}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as scratch:
            Path(shutil.copytree(model, Path(scratch) / "copy")).rename(place)
    _point(home(folder) / CHALLENGER, place)
    return place


def promote(folder: Path, model: Path, *, by: str = "", why: str = "") -> Path:
    """Let a model of the registry serve. The one that served is kept as `before`, for `rollback`."""
    artifact.read(model)
    place = model.resolve()
    present = _target(home(folder) / CHAMPION)
    if present == place:
        return place
    _allow(folder, place, by, why)
    if present is not None:
        _point(home(folder) / BEFORE, present)
    _point(home(folder) / CHAMPION, place)
    return place


def rollback(folder: Path, *, by: str = "", why: str = "rollback") -> Path:
    """Let the model serve again that served before; a second rollback undoes the first."""
    place = _target(home(folder) / BEFORE)
    if place is None:
        raise ModelUnavailableError("No model served before this one, so there is nothing to go back to.")
    return promote(folder, place, by=by, why=why)


def champion(folder: Path) -> Path:
    """The folder of the model that serves.

    Raises:
        ModelUnavailableError: none was promoted.
        ModelTamperedError: its digest is not in the allow-list.
    """
    place = _target(home(folder) / CHAMPION)
    if place is None or not place.is_dir():
        raise ModelUnavailableError(
            "No churn model serves yet. Train one with `signalbox churn train`, or see it all with "
            "`signalbox churn demo`."
        )
    if artifact.digest(place) not in {line["digest"] for line in promotions(folder)}:
        raise ModelTamperedError(
            f"{place} was never promoted here. Promote it with: signalbox models promote"
        )
    return place


def before(folder: Path) -> Path | None:
    """The model that served before, which a rollback lets serve again; None where none was promoted."""
    place = _target(home(folder) / BEFORE)
    if place is None or not place.is_dir():
        return None
    return place if artifact.digest(place) in {line["digest"] for line in promotions(folder)} else None


def challenger(folder: Path) -> Path | None:
    return _target(home(folder) / CHALLENGER)


def models(folder: Path) -> list[tuple[Path, Manifest]]:
    """All models of the registry, newest first."""
    places = (p for p in home(folder).glob("*/") if not p.is_symlink() and (p / artifact.MANIFEST).exists())
    found = [(place, artifact.read(place)) for place in places]
    return sorted(found, key=lambda model: model[1].facts.created, reverse=True)


def promotions(folder: Path) -> list[dict[str, str]]:
    """Oldest first: digest, model, at, by, why."""
    file = home(folder) / PROMOTED
    return (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    )


def _allow(folder: Path, place: Path, by: str, why: str) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"digest": artifact.digest(place), "model": place.name, "at": at, "by": by, "why": why}
    with (home(folder) / PROMOTED).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _target(link: Path) -> Path | None:
    return link.resolve() if link.is_symlink() else None


def _point(link: Path, place: Path) -> None:
    """Readers see the old model or the new one: a link is exchanged in one step."""
    with tempfile.TemporaryDirectory(dir=link.parent, prefix=".link-") as scratch:
        made = Path(scratch) / "link"
        made.symlink_to(os.path.relpath(place, link.parent), target_is_directory=True)
        made.replace(link)


def note_verdict(folder: Path, model: Path, verdict: dict[str, object]) -> None:
    """Keep what the gate said of a model."""
    place = folder / "gate"
    place.mkdir(parents=True, exist_ok=True)
    said = {"model": model.name, "at": datetime.now(UTC).isoformat(timespec="seconds"), **verdict}
    (place / f"{model.name}.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def verdict(folder: Path, model: Path) -> dict[str, object] | None:
    """What the gate said of a model; None when there was no champion to compare it with."""
    file = folder / "gate" / f"{model.resolve().name}.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None
