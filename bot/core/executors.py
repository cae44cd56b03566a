"""Executors: how a mitigation acts on a system. One small interface, found through entry points.

An entry point of the group `signalbox.executors` names a function `connect(services) -> Executor`. It is
cheap: a vendor's client is imported by the first call that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from bot.core.entry_points import load as load_entry_points
from bot.core.integration import Services

GROUP = "signalbox.executors"
Progress = Literal["absent", "running", "done", "failed", "unknown"]


class Parameters(BaseModel):
    """Base of an executor's typed parameters: enumerations and patterns, never free text for a shell."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Plan(BaseModel):
    """What a run would do, found without changing anything (the dry run)."""

    model_config = ConfigDict(frozen=True)
    targets: tuple[str, ...] = Field(description="What is acted on, e.g. deployment/shop/checkout.")
    effect: str = Field(description="What will happen, as one sentence for the confirm dialog.")
    healthy: int | None = Field(None, description="Healthy members of the service, for limits in per cent.")
    before: dict[str, Any] = Field(
        default_factory=dict, description="State to restore, e.g. the replica count."
    )


class Outcome(BaseModel):
    """What a run did. Output is shown in Slack and kept: no secrets in it."""

    model_config = ConfigDict(frozen=True)
    progress: Progress = "done"
    detail: str = ""
    output: str = ""


class Executor(Protocol):
    """One way to act. Methods raise Transient, Permanent or Refused with a sentence for a person."""

    name: ClassVar[str]
    Parameters: ClassVar[type[Parameters]]
    target_kind: ClassVar[str]
    repeatable: ClassVar[bool]
    """Whether running twice changes nothing more than running once."""

    def plan(self, parameters: Any, *, timeout: float) -> Plan:
        """The dry run: changes nothing."""
        ...

    def run(self, parameters: Any, *, key: str, timeout: float) -> Outcome:
        """Act once. `key` identifies this run to the outside; `timeout` is in seconds and is kept to."""
        ...

    def state(self, parameters: Any, *, key: str, timeout: float) -> Outcome:
        """What became of run `key`, as the outside tells: asked after a cut and while it is running."""
        ...

    def inverse(self, parameters: Any, plan: Plan) -> Any | None:
        """Parameters that restore what `plan` saw; None when this can't be undone."""
        ...


def load_executors(services: Services, found: Iterable[EntryPoint] | None = None) -> Mapping[str, Executor]:
    connects: dict[str, Callable[[Services], Executor]] = load_entry_points(GROUP, "executor", found)
    return {name: connect(services) for name, connect in connects.items()}
