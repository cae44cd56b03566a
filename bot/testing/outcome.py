"""What became of one delivery."""

from __future__ import annotations

from bot.core.audit import AuditRow
from bot.core.inbox import RunStatus, RunView
from bot.core.kernel import Kernel
from bot.core.steps import StepView


class Delivered:
    """Looks when asked, so that it stays true after `advance` and `settle`."""

    def __init__(self, kernel: Kernel, event_id: str, *, duplicate: bool = False) -> None:
        self._kernel = kernel
        self.event_id = event_id
        self.duplicate = duplicate

    @property
    def runs(self) -> list[RunView]:
        return self._kernel.inbox.runs(event_id=self.event_id)

    @property
    def status(self) -> RunStatus:
        """Of its only run; `done` also when a person was refused (see `refused`)."""
        [run] = self.runs
        return run.status

    @property
    def error(self) -> str:
        return "; ".join(run.error for run in self.runs if run.error)

    @property
    def refused(self) -> bool:
        return any(row.outcome == "refused" for row in self.audit)

    @property
    def steps(self) -> list[StepView]:
        return self._kernel.steps.of(self.event_id)

    @property
    def audit(self) -> list[AuditRow]:
        return self._kernel.audit.rows(event_id=self.event_id)
