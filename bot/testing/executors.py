"""Executors that act on nothing but themselves, and do what a test tells them to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event
from typing import Any

from bot.core.executors import Executor, Outcome, Parameters, Plan, Progress
from bot.testing.faults import Faulty

_HANG_SECONDS = 60.0


class FakeParameters(Parameters):
    """`target` is what is acted on; `value` is what it is set to."""

    target: str
    value: str = ""


class FakeExecutor(Faulty):
    """`fail`, also `after=True` for a call that is cut off after its effect, as for every fake."""

    Parameters = FakeParameters
    target_kind = "thing"

    def __init__(self, name: str, *, repeatable: bool = False, reversible: bool = True) -> None:
        super().__init__(f"executor-{name}")
        self.name = name
        self.repeatable = repeatable
        self.reversible = reversible
        self.healthy: int | None = None
        """Healthy members of the service, as `plan` says."""
        self.values: dict[str, str] = {}
        """Target to the value that the last run set."""
        self.ran: dict[str, FakeParameters] = {}
        """Key of each run that took effect to its parameters."""
        self._hanging: set[str] = set()
        self._released = Event()
        self._outcome: Outcome | None = None
        self._state: Outcome | None = None

    def hang(self, *methods: str) -> None:
        """Calls of these methods (all of them) do not come back until `release`."""
        self._hanging = set(methods or ("plan", "run", "state"))
        self._released.clear()

    def release(self) -> None:
        """Let hanging calls go on."""
        self._hanging.clear()
        self._released.set()

    def answer(self, progress: Progress, detail: str = "", output: str = "") -> None:
        """What `run` says from now on."""
        self._outcome = Outcome(progress=progress, detail=detail, output=output)

    def become(self, progress: Progress, detail: str = "") -> None:
        """What `state` says from now on; untold, it knows which runs took effect."""
        self._state = Outcome(progress=progress, detail=detail)

    def plan(self, parameters: FakeParameters, *, timeout: float) -> Plan:
        with self._call("plan", writes=False, parameters=parameters, timeout=timeout):
            self._hang_in("plan")
            before = {"value": self.values.get(parameters.target, "")}
            effect = f"{parameters.target} will be set to {parameters.value!r}."
            return Plan(targets=(parameters.target,), effect=effect, healthy=self.healthy, before=before)

    def run(self, parameters: FakeParameters, *, key: str, timeout: float) -> Outcome:
        with self._call("run", parameters=parameters, key=key, timeout=timeout):
            self._hang_in("run")
            self.ran[key] = parameters
            self.values[parameters.target] = parameters.value
            return self._outcome or Outcome(detail=f"{parameters.target} was set.")

    def state(self, parameters: FakeParameters, *, key: str, timeout: float) -> Outcome:
        with self._call("state", writes=False, parameters=parameters, key=key, timeout=timeout):
            self._hang_in("state")
            return self._state or Outcome(progress="done" if key in self.ran else "absent")

    def inverse(self, parameters: FakeParameters, plan: Plan) -> FakeParameters | None:
        if not self.reversible:
            return None
        return FakeParameters(target=parameters.target, value=str(plan.before["value"]))

    def _hang_in(self, method: str) -> None:
        if method in self._hanging:
            self._released.wait(_HANG_SECONDS)


class FakeExecutors(Mapping[str, Any]):
    """The installed executors: `fake`, and those that a test adds."""

    def __init__(self) -> None:
        self._executors: dict[str, Any] = {}
        self.fake = self.add("fake")

    def add(self, name: str, **traits: bool) -> FakeExecutor:
        """Install one more; `repeatable` and `reversible` are its traits."""
        made = FakeExecutor(name, **traits)
        self._executors[name] = made
        return made

    def put(self, executor: Executor) -> None:
        """Install one of your own."""
        self._executors[executor.name] = executor

    @property
    def fakes(self) -> list[FakeExecutor]:
        return [found for found in self._executors.values() if isinstance(found, FakeExecutor)]

    def __getitem__(self, name: str) -> Any:
        return self._executors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._executors)

    def __len__(self) -> int:
        return len(self._executors)
