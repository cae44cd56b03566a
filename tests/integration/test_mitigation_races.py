"""Limits that are raced: many workers at once, on both databases, and never one run too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from bot.core.context import Context
from bot.core.events import Event, Payload, new_id
from bot.plugin import Plan, Refused, Transient
from bot.testing import Kit
from plugins.alert_relay import AlertRelay
from plugins.alert_relay.mitigation.guardrails import Case, Facts
from plugins.alert_relay.mitigation.ledger import ATTEMPT, RECORD, Ledger
from plugins.alert_relay.mitigation.runs import Part, Proposal, Run
from plugins.alert_relay.mitigation.switch import Switch

pytestmark = pytest.mark.integration
WORKERS = 8
RESTART: dict[str, Any] = {
    "name": "restart",
    "title": "Restart",
    "match": {"alertname": "X"},
    "executor": "fake",
    "limits": {"per_service": 50, "cooldown": 0, "per_hour": 50, "targets": 5},
}


@pytest.fixture
def make(database_url: str) -> Iterator[Callable[..., Kit]]:
    made: list[Kit] = []

    def kit(**limits: Any) -> Kit:
        mitigation = {**RESTART, "limits": {**RESTART["limits"], **limits}}
        policy = {"per_hour": 50, "per_service_hour": 50}
        made.append(
            Kit(
                AlertRelay,
                config={"mitigations": [mitigation], "mitigation": policy},
                database_url=database_url,
            )
        )
        return made[-1]

    yield kit
    for one in made:
        one.close()


def ledger(kit: Kit, event_id: str = "") -> Ledger:
    """As one handler run of one worker has it."""
    handler = next(kit.plugin.handlers())
    event = Event(event_id or new_id(), "kit", "kit", "race", kit.clock())
    assert isinstance(kit.plugin, AlertRelay)
    return Ledger(Context(kit.kernel, event, handler, Payload()), kit.plugin.config.rules)


def proposal(kit: Kit, number: int, target: str = "checkout") -> Proposal:
    assert isinstance(kit.plugin, AlertRelay)
    [mitigation] = kit.plugin.config.mitigations
    plan = Plan(targets=(target,), effect="It restarts.")
    now = kit.clock()
    return Proposal(
        id=f"run-{number}",
        mitigation="restart",
        version=mitigation.version,
        group="g1",
        episode=1,
        channel="#alerts",
        title="X",
        service="checkout",
        environment="",
        alert_since=now,
        parts=(Part(alerts=("a1",), parameters={"target": target}, plan=plan),),
        labels={},
        by="UANN",
        at=now,
        expires_at=now + timedelta(minutes=10),
    )


def facts(kit: Kit) -> Facts:
    return Facts(
        kit.clock(),
        Switch("stop", "not read"),
        frozenset({"a1"}),
        permitted=True,
        executors=frozenset({"fake"}),
    )


def claim(kit: Kit, asked: Proposal, event_id: str = "") -> Run:
    assert isinstance(kit.plugin, AlertRelay)
    case = Case(kit.plugin.config.rules, "confirm", asked, "UANN", binding=asked.binding)
    run = Run(proposal=asked, binding=asked.binding).requested(kit.clock())
    return ledger(kit, event_id).claim(case, facts(kit), run.moved("approved", kit.clock()))


def start(kit: Kit, run: Run) -> Run:
    assert isinstance(kit.plugin, AlertRelay)
    case = Case(kit.plugin.config.rules, "start", run.proposal, "UANN", run, run.binding)
    return ledger(kit).start(case, facts(kit), run, run.moved("running", kit.clock()))


def race(*attempts: Callable[[], object]) -> list[str]:
    """Make all attempts at the same moment; the names of the checks that refused, "" for those let through."""
    gate = Barrier(len(attempts))

    def go(attempt: Callable[[], object]) -> str:
        gate.wait(10)
        try:
            attempt()
        except Refused as exc:
            return exc.check
        except Transient:
            return "transient"
        return ""

    with ThreadPoolExecutor(len(attempts)) as pool:
        return sorted(pool.map(go, attempts))


def test_one_dialog_confirmed_by_many_workers_is_one_run(make: Callable[..., Kit]) -> None:
    kit = make()
    asked = proposal(kit, 1)
    assert race(*[lambda: claim(kit, asked)] * WORKERS) == ["", *["once"] * (WORKERS - 1)]
    assert len(kit.records(RECORD)) == 2  # requested, approved


def test_one_event_on_two_nodes_is_one_run(make: Callable[..., Kit]) -> None:
    kit = make()
    asked, event_id = proposal(kit, 1), new_id()
    assert race(*[lambda: claim(kit, asked, event_id)] * WORKERS) == [""] * WORKERS
    assert len(kit.records(RECORD)) == 2


def test_one_target_is_acted_on_by_one_run_at_a_time(make: Callable[..., Kit]) -> None:
    kit = make()
    attempts = [lambda n=n: claim(kit, proposal(kit, n)) for n in range(WORKERS)]
    assert race(*attempts) == ["", *["concurrency"] * (WORKERS - 1)]


def test_a_service_has_so_many_runs_at_a_time(make: Callable[..., Kit]) -> None:
    kit = make(per_service=3)
    attempts = [lambda n=n: claim(kit, proposal(kit, n, f"web-{n}")) for n in range(WORKERS)]
    assert race(*attempts).count("") == 3


def approved(kit: Kit, count: int) -> list[Run]:
    return [claim(kit, proposal(kit, n, f"web-{n}")) for n in range(count)]


def test_the_rate_of_an_hour_counts_attempts_that_start_together(make: Callable[..., Kit]) -> None:
    kit = make(per_hour=3)
    attempts = [lambda run=run: start(kit, run) for run in approved(kit, WORKERS)]
    assert race(*attempts) == ["", "", "", *["rate"] * (WORKERS - 3)]
    assert len(kit.records(ATTEMPT)) == 3


def test_one_run_is_started_by_one_worker(make: Callable[..., Kit]) -> None:
    kit = make()
    [run] = approved(kit, 1)
    assert race(*[lambda: start(kit, run)] * WORKERS) == ["", *["transient"] * (WORKERS - 1)]
    assert len(kit.records(ATTEMPT)) == 1


def test_the_cooldown_of_a_target_outlasts_its_run(make: Callable[..., Kit]) -> None:
    kit = make(cooldown=600)
    running = start(kit, claim(kit, proposal(kit, 1)))
    ledger(kit).move(running, running.moved("succeeded", kit.clock()))
    attempts = [lambda n=n: claim(kit, proposal(kit, n)) for n in range(2, 2 + WORKERS)]
    assert race(*attempts) == ["cooldown"] * WORKERS


def test_a_stop_wins_against_all_that_start(make: Callable[..., Kit]) -> None:
    kit = make()
    runs = approved(kit, WORKERS)
    ledger(kit).set_switch("stop", "ann", "now")
    assert race(*[lambda run=run: start(kit, run) for run in runs]) == ["kill-switch"] * WORKERS


def test_a_transition_two_workers_want_happens_once(make: Callable[..., Kit]) -> None:
    kit = make()
    running = start(kit, claim(kit, proposal(kit, 1)))
    ends = [
        lambda: ledger(kit).move(running, running.moved("succeeded", kit.clock())),
        lambda: ledger(kit).move(running, running.moved("failed", kit.clock())),
    ]
    assert race(*ends * 3) == ["", *["transient"] * 5]
    assert len(kit.records(RECORD)) == 4
