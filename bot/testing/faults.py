"""What all fakes share: they write down every call, and fail when they are told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.core.ports import Health


class WorkerKilled(BaseException):
    """Stands for SIGKILL: nothing after it runs, not even the bookkeeping."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a port's method. `took_place` is False when it failed before its effect."""

    port: str
    method: str
    arguments: dict[str, Any]
    took_place: bool


@dataclass(slots=True)
class _Fault:
    error: BaseException
    times: int
    on: str
    after: bool


@dataclass
class Faulty:
    """Base of the fakes.

    `calls` has every call; `effects` only those that changed something outside.
    """

    port: str
    calls: list[Call] = field(default_factory=list)
    effects: list[Call] = field(default_factory=list)
    _faults: list[_Fault] = field(default_factory=list)

    def fail(self, error: BaseException, *, times: int = 1, on: str = "", after: bool = False) -> None:
        """Raise `error` from the next `times` calls.

        Args:
            error: usually Transient, Throttled or Permanent; WorkerKilled ends the worker there.
            times: how many calls fail.
            on: only calls of this method.
            after: the effect takes place first, as when the connection is cut before the answer.
        """
        self._faults.append(_Fault(error, times, on, after))

    def heal(self) -> None:
        """Forget every fault that has not happened yet."""
        self._faults.clear()

    def health(self) -> Health:
        return Health(status="down", detail=str(self._faults[0].error)) if self._faults else Health()

    @contextmanager
    def _call(self, method: str, *, writes: bool = True, **arguments: Any) -> Iterator[None]:
        fault = self._next_fault(method)
        if fault is not None and not fault.after:
            self.calls.append(Call(self.port, method, arguments, took_place=False))
            raise fault.error
        yield
        call = Call(self.port, method, arguments, took_place=True)
        self.calls.append(call)
        if writes:
            self.effects.append(call)
        if fault is not None:
            raise fault.error

    def _next_fault(self, method: str) -> _Fault | None:
        found = next((f for f in self._faults if f.on in {"", method}), None)
        if found is not None:
            found.times -= 1
            self._faults = [f for f in self._faults if f.times > 0]
        return found
