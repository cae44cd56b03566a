"""Training and scoring as processes of their own: a handler has a minute, and these take longer.

A document is the lease: who started what, where and as which process. The clock looks after it; the process
itself leaves its result in the data directory.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from bot.plugin import Context
from plugins.churn_digest import job

Kind = Literal["score", "train"]
KINDS: tuple[Kind, ...] = ("score", "train")
COMMANDS: dict[Kind, tuple[str, ...]] = {"score": ("score",), "train": ("train",)}
_TAIL = 1500
_GRACE = timedelta(minutes=5)


class Job(BaseModel):
    """`pid` and `born` (seconds since 1970) name the process on `host`; 0 while it is being started."""

    model_config = ConfigDict(frozen=True)
    kind: Kind
    event_id: str
    folder: str
    host: str
    started_at: datetime
    pid: int = 0
    born: float = 0.0
    state: Literal["running", "done", "failed"] = "running"
    detail: str = ""


def start(kind: Kind, hours: float, ctx: Context) -> Job | None:
    """Start it unless one of its kind runs; None then. A retry of the same event starts no second one."""
    found = ctx.documents.get(_key(kind))
    known = Job.model_validate(found.data) if found else None
    if known and known.event_id != ctx.event.id and watched(known, hours, ctx).state == "running":
        ctx.log.info("churn.job_runs_already", kind=kind, started_at=known.started_at.isoformat())
        return None
    if known and known.event_id == ctx.event.id and known.pid:
        return known
    folder = ctx.data_dir.absolute() / "churn" / "jobs" / kind / ctx.event.id
    claimed = Job(
        kind=kind, event_id=ctx.event.id, folder=str(folder), host=platform.node(), started_at=ctx.now()
    )
    version = found.version if found else 0
    if not ctx.documents.put(_key(kind), claimed.model_dump(mode="json"), version=version):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    pid, born = launch(folder, hours, COMMANDS[kind])
    running = claimed.model_copy(update={"pid": pid, "born": born})
    ctx.documents.put(_key(kind), running.model_dump(mode="json"))
    ctx.log.info("churn.job_started", kind=kind, pid=pid)
    return running


def launch(folder: Path, hours: float, command: tuple[str, ...]) -> tuple[int, float]:
    """In a session of its own, so that a worker's end or a Ctrl-C is not its own."""
    made = subprocess.Popen(  # noqa: S603  # our own command line
        [sys.executable, "-m", "plugins.churn_digest.job", str(folder), str(hours), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return made.pid, psutil.Process(made.pid).create_time()
    except psutil.NoSuchProcess:  # it is over already, and its result is there
        return made.pid, 0.0


def current(ctx: Context) -> list[Job]:
    """The last job of each kind, as far as it is known."""
    found = ctx.documents.many([_key(kind) for kind in KINDS])
    return [Job.model_validate(document.data) for document in found]


def keep(now: Job, ctx: Context) -> None:
    ctx.documents.put(_key(now.kind), now.model_dump(mode="json"))


def watched(known: Job, hours: float, ctx: Context) -> Job:
    """The job as it stands now."""
    if known.state != "running":
        return known
    result = Path(known.folder) / job.RESULT
    if result.exists():
        return _ended(known, json.loads(result.read_text(encoding="utf-8"))["status"])
    late = ctx.now() > known.started_at + timedelta(hours=hours) + _GRACE
    started = known.pid or ctx.now() > known.started_at + _GRACE
    if late or (started and known.host == platform.node() and not _is_alive(known)):
        detail = f"It ended without a word. {_tail(known)}"
        return known.model_copy(update={"state": "failed", "detail": detail})
    return known


def _ended(known: Job, status: int) -> Job:
    if status == 0:
        return known.model_copy(update={"state": "done", "detail": ""})
    why = {job.TOO_LONG: "It ran too long and was ended.", job.BUSY: "Another one was running."}
    words = why.get(status, f"It ended with status {status}.")
    return known.model_copy(update={"state": "failed", "detail": f"{words} {_tail(known)}".strip()})


def line(known: Job, begins: str) -> str:
    """The first line of a job's output that begins so; empty when there is none."""
    output = Path(known.folder) / job.OUTPUT
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines() if output.exists() else []
    return next((found for found in lines if found.startswith(begins)), "")


def _tail(known: Job) -> str:
    output = Path(known.folder) / job.OUTPUT
    return output.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip() if output.exists() else ""


def _is_alive(known: Job) -> bool:
    try:
        process = psutil.Process(known.pid)
        same = known.born == 0.0 or abs(process.create_time() - known.born) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _key(kind: Kind) -> str:
    return f"job:{kind}"
