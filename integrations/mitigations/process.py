"""One bounded child process: its limits, its time, what it said. Never a shell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from bot.core.errors import Permanent

MOST_BYTES = 64 * 1024
GRACE_SECONDS = 2.0
_LAUNCHER = str(Path(__file__).with_name("launch.py"))
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    cpu_seconds: int
    memory_mb: int
    file_mb: int

    def words(self) -> list[str]:
        return [str(self.cpu_seconds), str(self.memory_mb * _MEGABYTE), str(self.file_mb * _MEGABYTE)]


@dataclass(frozen=True)
class Ended:
    """`status` is None for a process that was killed because its time was up."""

    status: int | None
    output: bytes


def run(argv: Sequence[str], limits: Limits, env: Mapping[str, str], timeout: float) -> Ended:
    """Run a program in a process group of its own, and leave nothing of the group behind."""
    try:
        process = subprocess.Popen(  # noqa: S603  # a list from the settings, checked arguments, no shell
            [sys.executable, "-I", "-S", _LAUNCHER, *limits.words(), "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=dict(env),
            start_new_session=True,
        )
    except OSError as exc:
        raise Permanent(f"No process could be started for {argv[0]}: {exc.strerror}.") from exc
    kept = bytearray()
    reader = Thread(target=_keep_last, args=(process.stdout, kept), daemon=True)
    reader.start()
    status = _wait(process, timeout)
    reader.join(GRACE_SECONDS)
    if process.stdout is not None and not reader.is_alive():
        process.stdout.close()
    return Ended(status, bytes(kept))


def _wait(process: subprocess.Popen[bytes], timeout: float) -> int | None:
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        _signal(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):  # it is killed next
            process.wait(GRACE_SECONDS)
        return None
    finally:
        _signal(process.pid, signal.SIGKILL)  # children that it left behind hold the pipe, too
        process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # nobody is left
        os.killpg(group, number)


def _keep_last(pipe: IO[bytes] | None, kept: bytearray) -> None:
    while pipe is not None and (part := os.read(pipe.fileno(), 8192)):
        kept += part
        del kept[:-MOST_BYTES]
