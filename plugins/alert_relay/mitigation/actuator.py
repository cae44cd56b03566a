"""Calls to executors: bounded in time, validated, and able to say what became of a call that was cut off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from bot.plugin import Executor, Outcome, Parameters, Permanent, Plan, Refused, Transient

T = TypeVar("T")
GRACE = 1.0
"""Seconds that an executor gets beyond the time that it was told to keep to."""


class HungUp(Transient):
    """An executor did not come back in its time; nobody knows what it did."""


class Actuator:
    """One executor with the parameters of one part.

    Args:
        timeout: seconds that one call may take, well below what a worker is given for a run.
    """

    def __init__(self, executor: Executor, parameters: Mapping[str, Any], timeout: float) -> None:
        self._executor = executor
        self._parameters = _validated(executor, parameters)
        self._timeout = timeout

    def plan(self) -> Plan:
        """The dry run; what keeps it from being made is a reason not to run."""
        try:
            return self._bounded(lambda: self._executor.plan(self._parameters, timeout=self._timeout))
        except (Transient, Permanent) as exc:
            raise Refused(f"The dry run failed: {exc} Nothing was run.", check="dry-run") from exc

    def run(self, *, key: str) -> Outcome:
        """Act once."""
        return self._bounded(lambda: self._executor.run(self._parameters, key=key, timeout=self._timeout))

    def reconcile_run(self, *, key: str) -> Outcome | None:
        """After a cut: what the outside knows about `key`; None when it may be run (again).

        What can't be told of an action that may not be repeated is unknown, and a person's to judge.
        """
        found = self.state(key=key)
        if found.progress == "absent" or (found.progress == "unknown" and self._executor.repeatable):
            return None
        return found

    def state(self, *, key: str) -> Outcome:
        return self._bounded(lambda: self._executor.state(self._parameters, key=key, timeout=self._timeout))

    def inverse(self, plan: Plan) -> dict[str, Any] | None:
        """Parameters that restore what `plan` saw."""
        found = self._executor.inverse(self._parameters, plan)
        if found is None:
            return None
        return found.model_dump(mode="json") if isinstance(found, Parameters) else dict(found)

    def _bounded(self, call: Callable[[], T]) -> T:
        """Wait for `call` no longer than its time: a hanging executor must not hold a worker."""
        result: list[T] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                result.append(call())
            except BaseException as exc:  # noqa: BLE001  # handed to the waiting thread, not swallowed
                failed.append(exc)

        thread = threading.Thread(target=work, name=f"executor-{self._executor.name}", daemon=True)
        thread.start()
        thread.join(self._timeout + GRACE)
        if failed:
            raise failed[0]
        if not result:
            raise HungUp(
                f"The executor {self._executor.name!r} did not come back within {self._timeout:g} s; "
                "nobody knows yet what it did."
            )
        return result[0]


def find(executors: Mapping[str, Executor], name: str) -> Executor:
    found = executors.get(name)
    if found is None:
        known = ", ".join(sorted(executors)) or "none"
        raise Refused(
            f"The executor {name!r} is not installed (there are: {known}); nothing was run. "
            "Install it, or correct the mitigation.",
            check="registered",
        )
    return found


def _validated(executor: Executor, parameters: Mapping[str, Any]) -> Parameters:
    try:
        return executor.Parameters.model_validate(dict(parameters))
    except ValidationError as exc:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'parameters'}: {e['msg']}"
            for e in exc.errors(include_input=False, include_url=False)
        )
        raise Refused(
            f"The executor {executor.name!r} does not take these parameters: {faults}. Nothing was run; "
            "correct [mitigations.parameters] or the alert's labels.",
            check="registered",
        ) from exc
