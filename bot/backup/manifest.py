"""What an archive holds, and how it is known to be whole: its last member, and a file that lies beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MANIFEST = "manifest.json"
PREFIX, SUFFIX, ENCRYPTED = "signalbox-", ".tar.gz", ".enc"
_STAMP = "%Y%m%dT%H%M%SZ"


class Manifest(BaseModel):
    """Facts about one archive; no secrets."""

    model_config = ConfigDict(frozen=True)
    format: int = 1
    version: str = Field(description="Of the program that made it.")
    created_at: datetime
    seconds: float = 0.0
    databases: dict[str, str] = Field(description="Member to kind: sqlite or postgresql.")
    revision: str = Field(description="Of the database's schema.")
    audit_head: str = Field(
        description="Where the audit chain ended: an anchor for `signalbox audit verify`."
    )
    files: dict[str, str] = Field(default_factory=dict, description="Member to sha256 of its content.")
    golden: dict[str, Any] = Field(
        default_factory=dict, description="What the models that serve said about fixed inputs, by check."
    )
    archive_sha256: str = ""
    archive_bytes: int = 0


def archive_name(at: datetime, *, encrypted: bool) -> str:
    return f"{PREFIX}{at.astimezone(UTC):{_STAMP}}{SUFFIX}{ENCRYPTED if encrypted else ''}"


def made_at(name: str) -> datetime | None:
    """When an archive was made, by its name; None for what is no archive of ours."""
    stem = Path(name).name.removesuffix(ENCRYPTED)
    if not (stem.startswith(PREFIX) and stem.endswith(SUFFIX)):
        return None
    try:
        stamp = stem.removeprefix(PREFIX).removesuffix(SUFFIX)
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def sidecar(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.json")
