"""How backups went lately: a document for whoever asks, a record of each, an incident of a failure."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from bot.core.database import Database
from bot.core.errors import SignalboxError
from bot.core.memory import Documents
from bot.core.ports import Health
from bot.core.service_desk import ServiceRecords
from bot.core.service_ledger import Circumstances, ServiceLedger
from bot.core.service_models import RecordActor

OWNER, KEY = "backups", "state"
Job = Literal["create", "verify"]
log = structlog.get_logger()


class BackupState:
    def __init__(self, db: Database, ledger: ServiceLedger, clock: Callable[[], datetime]) -> None:
        self._documents = Documents(db, OWNER, clock)
        actor = RecordActor(type="service", id="backup", via="cli")
        self._records = ServiceRecords(ledger, Circumstances(OWNER, actor), clock)
        self._clock = clock

    @contextmanager
    def watching(self, job: Job) -> Iterator[None]:
        """Record a failure before it is raised on."""
        try:
            yield
        except (SignalboxError, OSError) as exc:
            self._failed(job, str(exc))
            raise

    def start(self, job: Job) -> None:
        """Begin a job in a process of its own: it takes longer than a handler may, and loads models.

        Two at a time are refused by a lock; how it went the process records by itself.
        """
        words = ["create", "--prune"] if job == "create" else ["verify"]
        argv = [sys.executable, "-m", "bot", "backup", *words]
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  # our own

    def created(self, archive: str, sha256: str, size: int, seconds: float) -> None:
        self._note(last_backup=self._clock().isoformat(), last_archive=archive, create_error="")
        self._records.event(
            "informational",
            "backup.created",
            f"Backup {archive}",
            value=float(size),
            detail={"sha256": sha256, "seconds": seconds},
            key=f"backup.created/{archive}",
        )

    def restored(self, archive: str, rto: float, rpo: float, models: Sequence[str]) -> None:
        at = self._clock().isoformat()
        self._note(last_restore=at, restored_archive=archive, rto=rto, rpo=rpo, verify_error="")
        self._records.event(
            "informational",
            "backup.restored",
            f"Backup {archive} was restored into scratch and found whole",
            value=rto,
            detail={"rto_seconds": rto, "rpo_seconds": rpo, "models": list(models)},
            key=f"backup.restored/{archive}/{at}",
        )

    def _failed(self, job: Job, why: str) -> None:
        log.error("backup.failed", job=job, error=why)
        self._note(**{f"{job}_error": why[:1000]})
        day = f"{self._clock():%Y-%m-%d}"
        title = f"The backup's {job} failed: {why}"[:500]
        incident = self._records.incident(
            title, category="backup", impact="high", urgency="medium", key=f"{job}/{day}"
        )
        self._records.event(
            "exception", f"backup.{job}_failed", title, incident=incident.id, key=f"{job}/{self._clock()}"
        )

    def _note(self, **values: Any) -> None:
        known = self._documents.get(KEY)
        self._documents.put(
            KEY, {"since": self._clock().isoformat(), **(known.data if known else {}), **values}
        )

    def read(self) -> dict[str, Any]:
        """What is known; from the first look on, the time without a restore counts."""
        known = self._documents.get(KEY)
        if known is None:
            self._note()
            known = self._documents.get(KEY)
        return known.data if known else {}

    def health(self, alarm_days: float, *, why: bool = True) -> Health:
        """`why` is not for everybody: what failed may name hosts and folders."""
        return judge(self.read(), self._clock(), alarm_days, why=why)


def judge(state: dict[str, Any], now: datetime, alarm_days: float, *, why: bool = True) -> Health:
    """Degraded when the last job failed, or when no restore has gone well for too long."""
    for job in ("create", "verify"):
        if error := state.get(f"{job}_error"):
            told = f": {error}" if why else "; the console's page Plugins says why."
            return Health(status="degraded", detail=f"The last backup's {job} failed{told}")
    since = datetime.fromisoformat(state.get("last_restore") or state.get("since") or now.isoformat())
    age = now - since
    if age <= timedelta(days=alarm_days):
        return Health()
    detail = (
        f"No backup has been restored successfully for {age.days} days. "
        "Run `signalbox backup create` and `signalbox backup verify`."
    )
    return Health(status="degraded", detail=detail)
