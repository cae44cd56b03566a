"""The champion of this process: loaded when it is first needed, and again when another one is promoted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog

from ml.churn.runs import Scored

log = structlog.get_logger()
INSTALL = "Install the churn pipeline with `make train-deps`; it is not part of the small installation."


class NoModelError(Exception):
    """There is nothing to score with; the message says what to do."""


class Champion(Protocol):
    """`ml.churn.champion.Champion`, as far as this process needs it."""

    @property
    def version(self) -> str: ...

    def score(self, rows: list[dict[str, Any]]) -> Sequence[Scored]: ...


Load = Callable[[Path], Champion]


class Model:
    """Args:
    folder: where the pipeline keeps its models.
    load: reads the champion; by default the real one, whose libraries are imported then.
    """

    def __init__(self, folder: Path, load: Load | None = None) -> None:
        self._folder = folder
        self._load = load or _load
        self._lock = threading.Lock()
        self._held: tuple[tuple[tuple[str, float], ...], Champion] | None = None

    @property
    def version(self) -> str:
        """Of the model that is loaded; empty before the first request."""
        return self._held[1].version if self._held else ""

    def champion(self) -> Champion:
        """Raises NoModelError."""
        with self._lock:
            stamp = self._stamp()
            if self._held is None or self._held[0] != stamp:
                self._held = (stamp, self._load(self._folder))
                log.info("churn.model_loaded", model=self.version)
            return self._held[1]

    def _stamp(self) -> tuple[tuple[str, float], ...]:
        """Changes when another champion is promoted."""
        found = self._folder.glob("*/champion*")
        return tuple(sorted((f"{path.resolve()}", path.stat().st_mtime) for path in found))


def _load(folder: Path) -> Champion:
    """Raises NoModelError where the pipeline is not installed, or has made no champion yet."""
    try:
        from ml.churn import champion, errors  # noqa: PLC0415  # its libraries take a second
    except ImportError as exc:
        raise NoModelError(f"{INSTALL} ({exc})") from exc
    try:
        return champion.load(folder)
    except (errors.ModelUnavailableError, errors.ModelTamperedError) as exc:
        raise NoModelError(str(exc)) from exc
    except ImportError as exc:
        raise NoModelError(f"{INSTALL} ({exc})") from exc
