"""Mitigation by a ticket: for what only people can mend, filed once and found again."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from pydantic import Field

from bot.core.events import Ticket
from bot.core.executors import Outcome, Parameters, Plan
from bot.core.integration import Services
from bot.core.ports import Tickets


class TicketParameters(Parameters):
    project: str = Field(pattern=r"^[A-Z][A-Z0-9_]{1,19}$", description="Key of the project.")
    summary: str = Field(min_length=1, max_length=255)
    description: str = Field("", max_length=10_000)
    labels: tuple[str, ...] = Field((), description="Labels of the ticket.")


class TicketFiling:
    name: ClassVar[str] = "jira"
    Parameters: ClassVar[type[Parameters]] = TicketParameters
    target_kind: ClassVar[str] = "project"
    repeatable: ClassVar[bool] = False

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def _tickets(self) -> Any:
        """With the way to find a ticket again that every adapter offers beside the port."""
        return cast(Tickets, self._services.port("tickets"))

    def plan(self, parameters: TicketParameters, *, timeout: float) -> Plan:
        del timeout  # the port has its own
        return Plan(
            targets=(f"project/{parameters.project}",),
            effect=f"A ticket {parameters.summary!r} will be filed in {parameters.project}.",
        )

    def run(self, parameters: TicketParameters, *, key: str, timeout: float) -> Outcome:
        del timeout
        return _filed(self._tickets.create(**parameters.model_dump(), step_key=key))

    def state(self, parameters: TicketParameters, *, key: str, timeout: float) -> Outcome:
        del timeout
        found = self._tickets.reconcile_create(**parameters.model_dump(), step_key=key)
        return Outcome(progress="absent") if found is None else _filed(found)

    def inverse(self, parameters: TicketParameters, plan: Plan) -> None:
        """A ticket that people may have read is not taken back."""
        del parameters, plan


def _filed(ticket: Ticket) -> Outcome:
    return Outcome(detail=f"{ticket.key} was filed: {ticket.url}")


def connect(services: Services) -> TicketFiling:
    return TicketFiling(services)
