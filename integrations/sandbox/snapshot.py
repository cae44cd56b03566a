"""One JSON file per stand-in: written atomically, a moment after the last change and on stop."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

DEBOUNCE_S = 0.5
# A state that grew large is written less often, so that writing takes at most a twentieth of the time.
PAUSE_PER_WRITE = 20.0


class Snapshot:
    """`path` None keeps nothing. `collect` returns the state as JSON-ready values."""

    def __init__(self, path: Path | None, collect: Callable[[], dict[str, Any]]) -> None:
        self._path = path
        self._collect = collect
        self._timer: asyncio.TimerHandle | None = None
        self._last_write_s = 0.0

    def load(self) -> dict[str, Any] | None:
        if self._path is None or not self._path.exists():
            return None
        try:
            state = json.loads(self._path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as exc:
            self.set_aside(str(exc))
            return None
        if not isinstance(state, dict):
            self.set_aside("it holds no JSON object")
            return None
        return state

    def set_aside(self, why: str) -> None:
        """Keep an unreadable file for a person to look at, and start afresh."""
        if self._path is None:
            return
        aside = self._path.with_name(f"{self._path.name}.corrupt-{int(time.time())}")
        self._path.replace(aside)
        log.warning("sandbox.snapshot_set_aside", path=str(self._path), moved_to=str(aside), reason=why)

    def touch(self) -> None:
        """Note a change; the file follows in a moment. Call from the event loop."""
        if self._path is not None and self._timer is None:
            pause = max(DEBOUNCE_S, PAUSE_PER_WRITE * self._last_write_s)
            self._timer = asyncio.get_running_loop().call_later(pause, self.write)

    def write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._path is None:
            return
        started = time.monotonic()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(self._path.name + ".part")
        with part.open("w", encoding="utf-8") as out:
            json.dump(self._collect(), out, ensure_ascii=False)
            out.flush()
            os.fsync(out.fileno())
        part.replace(self._path)
        self._last_write_s = time.monotonic() - started
