"""Takes runs as far as they can go now. Each step is stored before the next is taken.

A worker may die anywhere. What it had begun is asked about first, by whoever goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from plugins.alert_relay.mitigation import acting, aftermath, change, checking, starting
from plugins.alert_relay.mitigation.runs import Run, Status
from plugins.alert_relay.mitigation.scene import Scene

Step = Callable[[Scene, Run], Run]
_AT_ONCE = timedelta(seconds=10)
"""After this time the next step is left for another errand: a worker is given a minute for each."""


def advance(scene: Scene, run_id: str) -> None:
    run = scene.ledger.run(run_id)
    scene.tell_soon(run)  # whoever went before may have been cut off before it could
    change.follow(scene, run)
    until = scene.ctx.now() + _AT_ONCE
    while scene.ctx.now() <= until:
        after = _step(scene, run)(scene, run)
        if after.status != run.status:
            change.follow(scene, after)
            scene.tell_soon(after)
        if after.revision == run.revision:
            return
        run = after
    scene.hurry(run)


def _step(scene: Scene, run: Run) -> Step:
    if scene.is_over(run) and run.status in _LATE:
        return _LATE[run.status]
    if scene.rules.get(run.proposal.mitigation) is None and run.status in _UNDECLARED:
        return _give_up
    return _STEPS.get(run.status, _wait)


def _give_up(scene: Scene, run: Run) -> Run:
    """Its declaration was taken away: nothing more is done that nobody declares."""
    to, why = _UNDECLARED[run.status], "the mitigation is not declared any more"
    return acting.unknown(scene, run, why) if to == "unknown" else scene.to(run, to, why)


def _wait(scene: Scene, run: Run) -> Run:  # noqa: ARG001  # a step's signature
    return run


def _nobody_agreed(scene: Scene, run: Run) -> Run:
    return scene.to(run, "expired", "nobody agreed in time; nothing was run")


def _too_late(scene: Scene, run: Run) -> Run:
    return scene.to(run, "expired", "it could not be started in time; nothing was run")


def _nobody_looked(scene: Scene, run: Run) -> Run:
    return scene.to(run, "escalated", "nobody said in time whether it worked")


_STEPS: Mapping[Status, Step] = {
    "approved": starting.start,
    "running": acting.act,
    "verifying": checking.verify,
    "failed": aftermath.undo,
}
_LATE: Mapping[Status, Step] = {
    "requested": _nobody_agreed,
    "approved": _too_late,
    "unknown": _nobody_looked,
}
_UNDECLARED: Mapping[Status, Status] = {
    "requested": "refused",
    "approved": "refused",
    "running": "unknown",
    "verifying": "unknown",
    "failed": "escalated",
}
