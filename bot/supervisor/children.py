"""Child processes: started in sessions of their own, restarted when they die, never orphaned."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MAX_BACKOFF = 30.0
STABLE_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    """`ready` is asked until it says yes; `stop_seconds` is how long a polite stop may take."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]]
    describe: str = ""
    stop_seconds: float = 10.0


@dataclass
class _Running:
    child: Child
    process: asyncio.subprocess.Process
    started: float = field(default_factory=time.monotonic)


class Children:
    """Args:
    logs: directory where each child's output goes, one file a child.
    say: prints a line for the operator.
    """

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._running: dict[str, _Running] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, child: Child, patience: float = 60.0) -> None:
        """Start a child and wait until it is ready; ChildFailedError when it is not in time."""
        try:
            await self._spawn(child)
        except OSError as exc:
            raise ChildFailedError(_not_started(child, exc)) from exc
        self._watchers.append(asyncio.create_task(self._watch(child)))
        deadline = time.monotonic() + patience
        while not await child.ready():
            if time.monotonic() > deadline:
                raise ChildFailedError(
                    f"{child.name} was not ready within {patience:.0f} s; see {self._log(child)}."
                )
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop all, politely and then not; the first started goes last, for the others stand on it."""
        self._stopping = True
        for watcher in self._watchers:
            watcher.cancel()
        first, *others = self._running.values() or [None]
        await asyncio.gather(*(_end(running) for running in others if running))
        if first is not None:
            await _end(first)

    def pids(self) -> dict[str, int]:
        return {name: running.process.pid for name, running in self._running.items()}

    async def _spawn(self, child: Child) -> None:
        with self._log(child).open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                env=dict(child.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches us alone, and a group can be ended whole
                preexec_fn=_die_with_parent,
            )
        self._running[child.name] = _Running(child, process)

    async def _watch(self, child: Child) -> None:
        failures = 0
        while True:
            running = self._running[child.name]
            code = await running.process.wait()
            if self._stopping:
                return
            failures = 0 if time.monotonic() - running.started > STABLE_SECONDS else failures + 1
            pause = min(MAX_BACKOFF, 0.2 * 2**failures)
            self._say(
                f"{child.name} ended ({_reason(code)}); starting it again in {pause:.1f} s, "
                f"see {self._log(child)}"
            )
            _end_group(running)
            await asyncio.sleep(pause)
            await self._spawn_again(child)

    async def _spawn_again(self, child: Child) -> None:
        """The machine may be short of processes or memory for a while: that is no reason to give up."""
        while True:
            try:
                await self._spawn(child)
            except OSError as exc:
                self._say(f"{_not_started(child, exc)} Trying again in {MAX_BACKOFF:.0f} s.")
                await asyncio.sleep(MAX_BACKOFF)
            else:
                return

    def _log(self, child: Child) -> Path:
        return self._logs / f"{child.name}.log"


class ChildFailedError(Exception):
    """A child did not become ready; says where its log is."""


def _not_started(child: Child, exc: OSError) -> str:
    return f"{child.name} could not be started: {child.argv[0]}: {exc.strerror}."


def _die_with_parent() -> None:
    """Linux: end this child when `up` itself is killed, so that nothing is orphaned (prctl(2))."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def _end(running: _Running) -> None:
    if running.process.returncode is None:
        running.process.terminate()
        with contextlib.suppress(TimeoutError):  # it had its chance; the group is ended below
            await asyncio.wait_for(running.process.wait(), running.child.stop_seconds)
    _end_group(running)
    await running.process.wait()


def _end_group(running: _Running) -> None:
    """End what is left of the child's session, grandchildren too."""
    try:
        os.killpg(running.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
