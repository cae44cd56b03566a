"""What ended a command of the pipeline early, left for those who are told of it.

FOLDER/trouble/<command>.json stands until the same command has gone well. Reading it needs nothing heavy.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError


class Trouble(BaseModel):
    """`since`: when it was first so; the same words again are the same trouble."""

    model_config = ConfigDict(frozen=True)
    command: str
    since: datetime
    words: str


def note(folder: Path, command: str, words: str) -> None:
    known = {found.command: found for found in standing(folder)}.get(command)
    if known is not None and known.words == words:
        return
    place = _file(folder, command)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(".part")
    told = Trouble(command=command, since=datetime.now(UTC), words=words)
    part.write_text(told.model_dump_json(indent=1) + "\n", encoding="utf-8")
    part.replace(place)


def clear(folder: Path, command: str) -> None:
    _file(folder, command).unlink(missing_ok=True)


def standing(folder: Path) -> list[Trouble]:
    """By command; a damaged note is none."""
    return [found for file in sorted((folder / "trouble").glob("*.json")) if (found := _read(file))]


def _read(file: Path) -> Trouble | None:
    try:
        return Trouble.model_validate_json(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def _file(folder: Path, command: str) -> Path:
    return folder / "trouble" / f"{command}.json"
