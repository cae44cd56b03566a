"""Folders that are built once from installed packages and then kept: whole, and what was written there."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import structlog
from filelock import FileLock

log = structlog.get_logger()


def built(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, which `make` fills if it is missing or does not hold what was written there.

    One process builds it at a time.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    sums = folder.with_name(f"{folder.name}.json")
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if folder.exists() and sums.exists():
            if _sums(folder) == sums.read_text(encoding="utf-8"):
                return folder
            log.warning("model.rebuilt", folder=str(folder), reason="its checksums do not match")
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            make(made)
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
        sums.write_text(_sums(folder), encoding="utf-8")
    log.info("model.built", folder=str(folder))
    return folder


def _sums(folder: Path) -> str:
    return json.dumps({file.name: sha256(file) for file in sorted(folder.iterdir())})


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
