"""Files that are built once from installed packages and then kept: whole, and what was written there."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import structlog
from filelock import FileLock

log = structlog.get_logger()


def built(file: Path, make: Callable[[Path], None]) -> Path:
    """`file`, which `make` writes if it is missing or not what was written there.

    One process builds it at a time.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    checksum = file.with_suffix(".sha256")
    with FileLock(file.with_suffix(".lock")):
        if file.exists() and checksum.exists():
            if sha256(file) == checksum.read_text().strip():
                return file
            log.warning("model.rebuilt", file=str(file), reason="its checksum does not match")
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            made = Path(folder) / file.name
            make(made)
            made.replace(file)
        checksum.write_text(sha256(file))
    log.info("model.built", file=str(file))
    return file


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
