"""The data directory: locked against a second `up`, and home of secrets that were made here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bot.core.errors import ConfigError

SECRETS = ("secret_key", "redis_password", "slack_signing", "jira_webhook", "jira_api", "alertmanager", "api")
ENVIRONMENT = "environment.json"


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Own the directory while the block runs."""
    _make(data)
    lock = FileLock(data / "up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"Another `signalbox up` is using {data}. Stop it, or start this one with another --data."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _make(data: Path) -> None:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "logs").mkdir(exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"The data directory {data} can't be made: {exc.strerror}. Choose another with --data."
        ) from exc


def local_secrets(data: Path) -> dict[str, str]:
    """Secrets of the embedded parts, made once and readable by the owner only."""
    file = data / "secrets.json"
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    missing = [name for name in SECRETS if name not in known]
    if missing:
        known |= {name: secrets.token_hex(24) for name in missing}
        _write_private(file, known)
    return known


def save_environment(data: Path, made: Mapping[str, str]) -> None:
    """Keep what `up` gives its children, so that other commands see the same settings as they do."""
    _write_private(data / ENVIRONMENT, made)


def saved_environment(data: Path) -> dict[str, str]:
    """What the last `up` on this directory gave its children; empty when there was none."""
    file = data / ENVIRONMENT
    found: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _write_private(file: Path, values: Mapping[str, str]) -> None:
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(values, indent=1))
    fresh.replace(file)
