"""The HTTP API: what came in, what became of it, and another try."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, TypeAdapter

from bot.core.events import Event
from bot.core.inbox import RunStatus, RunView
from bot.core.kernel import Kernel
from bot.core.trace import Trace
from bot.web.auth import Auth

_TRACE = TypeAdapter(Trace)


class RunOut(BaseModel):
    """One handler's run of one event."""

    id: str
    event_id: str
    source: str
    kind: str
    subject: str
    handler: str
    status: RunStatus
    attempts: int
    received_at: datetime
    finished_at: datetime | None
    error: str | None

    @classmethod
    def of(cls, view: RunView) -> RunOut:
        return cls(**{name: getattr(view, name) for name in cls.model_fields})


def api_router(kernel: Kernel, auth: Auth) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["inbox"])

    @router.get("/inbox", summary="Runs, newest first.", dependencies=[auth.require("read")])
    def inbox(status: RunStatus | None = None, limit: int = 100) -> list[RunOut]:
        return [RunOut.of(view) for view in kernel.inbox.runs(status=status, limit=max(1, min(limit, 1000)))]

    @router.get("/events", summary="Events, newest first.", dependencies=[auth.require("read")])
    def events(limit: int = 100) -> list[Event]:
        return kernel.inbox.recent(max(1, min(limit, 1000)))

    @router.get(
        "/events/{event_id}",
        summary="One event from delivery to effects.",
        dependencies=[auth.require("read")],
    )
    def trace(event_id: str) -> dict[str, Any]:
        found: dict[str, Any] = _TRACE.dump_python(kernel.trace(event_id), mode="json")
        return found

    @router.post("/inbox/{run_id}/replay", summary="Try a dead letter again.")
    def replay(run_id: str, caller: str = auth.require("write")) -> dict[str, str]:
        due = kernel.inbox.replay(run_id)
        kernel.audit.record(f"api:{caller}", "inbox.replay", run_id)
        kernel.enqueue([due])
        return {"replayed": due.run_id}

    return router
