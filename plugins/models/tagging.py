"""The tagging models that were promoted, read from their folders without loading one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

MANIFEST = "manifest.json"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Facts(_Value):
    """As `ml.tagging.artifact` writes them."""

    name: str
    mode: str
    precision: float = 0.0
    data_sha256: str = ""
    examples: int = 0
    created: str = ""
    metrics: dict[str, float] = {}


class _Manifest(_Value):
    facts: Facts


class Kept(_Value):
    """A folder of the registry. `since` is when it was put there, `serves` whether the link points to it."""

    folder: str
    facts: Facts | None
    since: datetime
    serves: bool = False


def kept(models: Path) -> list[Kept]:
    """Args:
    models: the folder of tagging's models (`cache_dir`). The one that serves comes first, then the newest.
    """
    home = models / "tagging"
    link = home / "champion"
    serving = link.resolve() if link.exists() else None
    found = list(_found(home, serving))
    return sorted(found, key=lambda one: (not one.serves, -one.since.timestamp()))


def _found(home: Path, serving: Path | None) -> Iterator[Kept]:
    for place in home.glob("*/"):
        manifest = place / MANIFEST
        if place.is_symlink() or not manifest.is_file():
            continue
        since = datetime.fromtimestamp(place.stat().st_mtime, UTC)
        yield Kept(folder=place.name, facts=_facts(manifest), since=since, serves=place.resolve() == serving)


def _facts(manifest: Path) -> Facts | None:
    """None where the manifest is damaged."""
    try:
        return _Manifest.model_validate_json(manifest.read_bytes()).facts
    except ValidationError:
        return None
