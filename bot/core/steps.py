"""Steps: named, recorded outward side effects. A retry replays what is recorded and repeats nothing.

A step that was started but not finished (a killed worker, a connection cut after the request) is
reconciled: the port is asked whether the effect took place, by the step's key that travelled with it.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import TypeAdapter
from sqlalchemy import and_, insert, select, update

from bot.core.database import Database
from bot.core.errors import Permanent, SignalboxError, Throttled, Transient
from bot.core.events import utc_now
from bot.core.tables import steps

T = TypeVar("T")
StepStatus = Literal["started", "done", "failed"]


@dataclass(frozen=True, slots=True)
class StepView:
    name: str
    status: StepStatus
    call: str
    result: Any
    error: str | None
    started_at: datetime
    finished_at: datetime | None


def step_key(event_id: str, name: str) -> str:
    """The key that a step's effect carries in the outside system; 32 hex digits."""
    return hashlib.sha256(f"{event_id}/{name}".encode()).hexdigest()[:32]


class Steps:
    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    def run(self, event_id: str, name: str, call: Callable[..., T], kwargs: Mapping[str, Any]) -> T:
        """Make `call(**kwargs, step_key=…)` once for this event and name; later, return its result."""
        arguments = dict(kwargs)
        if _takes_step_key(call):
            arguments["step_key"] = step_key(event_id, name)
        recorded = self._recorded(event_id, name)
        if recorded is not None and recorded.status == "done":
            return _load(call, recorded.result)
        if recorded is not None and recorded.status == "started":
            found = _reconcile(call, name, arguments)
            if found is not None:
                self._finish(event_id, name, call, "done", result=_dump(call, found))
                return found
        self._start(event_id, name, call, exists=recorded is not None)
        return self._call(event_id, name, call, arguments)

    def _call(self, event_id: str, name: str, call: Callable[..., T], arguments: Mapping[str, Any]) -> T:
        try:
            result = call(**arguments)
        except Transient as exc:
            # After a time-out or a cut connection nobody knows: the row stays "started" and is
            # reconciled. A throttled call was never made.
            if isinstance(exc, Throttled):
                self._finish(event_id, name, call, "failed", error=str(exc))
            raise
        except SignalboxError as exc:
            self._finish(event_id, name, call, "failed", error=str(exc))
            raise
        self._finish(event_id, name, call, "done", result=_dump(call, result))
        return result

    def _recorded(self, event_id: str, name: str) -> StepView | None:
        query = _VIEW.where(steps.c.event_id == event_id, steps.c.name == name)
        with self._db.read() as tx:
            row = tx.execute(query).one_or_none()
        return StepView(*row) if row else None

    def _start(self, event_id: str, name: str, call: Callable[..., Any], *, exists: bool) -> None:
        """Record the intention. A call that may be repeated freely needs no such record."""
        values = {"status": "started", "call": _call_name(call), "started_at": self._clock(), "error": None}
        if exists:
            with self._db.write() as tx:
                tx.execute(update(steps).where(_is(event_id, name)).values(**values))
        elif not _is_idempotent(call):
            with self._db.write() as tx:
                tx.execute(insert(steps).values(event_id=event_id, name=name, **values))

    def _finish(
        self,
        event_id: str,
        name: str,
        call: Callable[..., Any],
        status: StepStatus,
        *,
        result: Any = None,
        error: str | None = None,
    ) -> None:
        now = self._clock()
        values = {"status": status, "result": result, "error": error, "finished_at": now}
        with self._db.write(durable=False) as tx:
            if tx.execute(update(steps).where(_is(event_id, name)).values(**values)).rowcount:
                return
            row = {"event_id": event_id, "name": name, "call": _call_name(call), "started_at": now}
            tx.execute(insert(steps).values(**row, **values))

    def of(self, event_id: str) -> list[StepView]:
        with self._db.read() as tx:
            rows = tx.execute(_VIEW.where(steps.c.event_id == event_id).order_by(steps.c.started_at))
            return [StepView(*row) for row in rows]


_VIEW = select(
    steps.c.name,
    steps.c.status,
    steps.c.call,
    steps.c.result,
    steps.c.error,
    steps.c.started_at,
    steps.c.finished_at,
)


def _is(event_id: str, name: str) -> Any:
    return and_(steps.c.event_id == event_id, steps.c.name == name)


def _reconcile(call: Callable[..., T], name: str, arguments: Mapping[str, Any]) -> T | None:
    """What became of a call that was cut off: its result, or None when it may be made (again)."""
    if _is_idempotent(call):
        return None
    owner = getattr(call, "__self__", None)
    reconcile = getattr(owner, f"reconcile_{call.__name__}", None)
    if reconcile is None:
        raise Permanent(
            f"Step {name!r} was cut off during {_call_name(call)} and nobody can say whether it took place. "
            "Look at the outside system, then replay the dead letter if it did not."
        )
    found: T | None = reconcile(**arguments)
    return found


def _is_idempotent(call: Callable[..., Any]) -> bool:
    return bool(getattr(call, "__idempotent__", False))


def _call_name(call: Callable[..., Any]) -> str:
    return str(getattr(call, "__qualname__", repr(call)))[:120]


@lru_cache(maxsize=512)
def _signature_takes_step_key(function: Any) -> bool:
    return "step_key" in inspect.signature(function).parameters


@lru_cache(maxsize=512)
def _adapter(function: Any) -> TypeAdapter[Any]:
    return TypeAdapter(get_type_hints(function).get("return", Any))


def _function(call: Callable[..., Any]) -> Any:
    return getattr(call, "__func__", call)


def _takes_step_key(call: Callable[..., Any]) -> bool:
    return _signature_takes_step_key(_function(call))


def _dump(call: Callable[..., Any], result: Any) -> Any:
    return _adapter(_function(call)).dump_python(result, mode="json")


def _load(call: Callable[..., T], stored: Any) -> T:
    result: T = _adapter(_function(call)).validate_python(stored)
    return result
