"""Several levers for one alert: the next one is tried when the one before did not help."""

from __future__ import annotations

from typing import Any

import pytest
from mitigation_samples import QUERY, ask, declared, fire, kit_with, later, message, press, statuses, thread
from pydantic import ValidationError

from bot.plugin import Permanent
from bot.testing import Kit
from plugins.alert_relay.config import AlertRelayConfig

NO_LIMITS = {"cooldown": 0}
BY_ITSELF = {"after": 0, "hours": None, "failures": 9, "runs": 9, "per_hour": 99}
SOON = {"settle": 10, "window": 60, "hold": 30}
ROLLBACK = declared(
    name="rollback", title="Roll back", executor="deploys", auto=BY_ITSELF, limits=NO_LIMITS, verify=SOON
)
RESTART = declared(follows="rollback", auto=BY_ITSELF, limits=NO_LIMITS, verify=SOON)
SCALE = declared(
    name="scale",
    title="Add pods",
    follows="restart",
    executor="pods",
    auto=BY_ITSELF,
    limits=NO_LIMITS,
    verify=SOON,
)
VERIFIED = 10 + 60 + 20
"""Seconds from a run's start to its verdict, and a little."""


def ladder(*mitigations: dict[str, Any], on: tuple[str, ...] = ("rollback", "restart", "scale")) -> Kit:
    kit = kit_with(*(mitigations or (ROLLBACK, RESTART, SCALE)))
    kit.executors.add("deploys")
    kit.executors.add("pods")
    kit.executors.fake.reversible = False
    for name in on:
        kit.command(f"/signalbox mitigations auto {name} on", user="UANN")
    return kit


def ran(kit: Kit) -> list[str]:
    return [record.subject for record in reversed(kit.records("mitigation.attempt"))][::-1]


def nothing_to_roll_back(kit: Kit) -> None:
    kit.executors["deploys"].fail(Permanent("Nothing was deployed in the last hour."), times=99, on="plan")


def test_the_next_one_runs_when_verification_says_that_the_one_before_did_not_help() -> None:
    with ladder() as kit:
        fire(kit)
        later(kit, 30)
        assert ran(kit) == ["rollback"]
        later(kit, 80)
        assert ran(kit) == ["rollback", "restart"]
        assert "rolled_back" in statuses(kit)  # what did not help was undone first
        kit.metrics.set(QUERY, 0.01)
        later(kit, VERIFIED)
        assert ran(kit) == ["rollback", "restart"]
        assert statuses(kit)[-1] == "succeeded"
        assert any(
            "restart on checkout was asked for: 'Roll back' did not help" in line for line in thread(kit)
        )


def test_people_are_called_after_each_that_did_not_help_and_told_whose_turn_it_is() -> None:
    oncall = {"web": {"users": ["UBOB"], "start": "2026-01-05T09:00:00Z", "shift_hours": 168}}
    with kit_with(RESTART | {"follows": ""}, SCALE, oncall=oncall, escalate_to="web") as kit:
        kit.executors.add("pods")
        kit.executors.fake.reversible = False
        fire(kit)
        ask(kit)
        later(kit, VERIFIED)
        assert any("Next in turn: 'Add pods'" in line for line in thread(kit))
        assert any("please look at restart on checkout" in line for line in thread(kit))
        [button] = [p for p in message(kit).message.pressables() if getattr(p, "text", "") == "Add pods"]
        assert getattr(button, "style", "") == "primary"


def test_what_has_nothing_to_do_is_passed_over_at_once() -> None:
    with ladder() as kit:
        nothing_to_roll_back(kit)
        fire(kit)
        later(kit, 30)
        assert ran(kit) == ["restart"]
        assert any("Nothing was deployed in the last hour." in line for line in thread(kit))
        assert any("'Roll back' is not what helps here" in line for line in thread(kit))


def test_what_was_passed_over_does_not_come_back_when_a_later_one_began() -> None:
    with ladder() as kit:
        nothing_to_roll_back(kit)
        fire(kit)
        later(kit, 30)
        kit.executors["deploys"].heal()
        later(kit, 60)
        assert ran(kit) == ["restart"]


def test_all_of_them_are_tried_once_and_then_it_is_for_people() -> None:
    with ladder() as kit:
        fire(kit)
        later(kit, 4 * VERIFIED)
        assert ran(kit) == ["rollback", "restart", "scale"]
        later(kit, 2 * VERIFIED)
        assert len(ran(kit)) == 3


def test_one_that_nobody_turned_on_waits_for_a_person_and_so_do_those_after_it() -> None:
    with ladder(on=("restart", "scale")) as kit:
        fire(kit)
        later(kit, 120)
        assert ran(kit) == []
        ask(kit, label="Roll back")
        later(kit, VERIFIED + 30)
        assert ran(kit) == ["rollback", "restart"]


def test_one_that_does_not_fit_the_alert_is_left_out() -> None:
    other = ROLLBACK | {"match": {"alertname": "BadDeploy"}}
    with ladder(other, RESTART, SCALE) as kit:
        fire(kit)
        later(kit, 30)
        assert ran(kit) == ["restart"]


def test_harm_ends_it() -> None:
    harm = {"query": "neighbours", "growth": 0.5}
    first = ROLLBACK | {"verify": {**ROLLBACK["verify"], "harm": harm}}
    with ladder(first, RESTART, SCALE) as kit:
        kit.metrics.set("neighbours", 0.1)
        fire(kit)
        later(kit, 30)
        kit.metrics.set("neighbours", 0.9)
        later(kit, 2 * VERIFIED)
        assert ran(kit) == ["rollback"]
        assert "failed" in statuses(kit)


def test_an_outcome_that_nobody_knows_ends_it_until_a_person_looked() -> None:
    with ladder() as kit:
        fire(kit)
        later(kit, 30)
        kit.metrics.set(QUERY, None)
        later(kit, VERIFIED)
        assert statuses(kit)[-1] == "unknown"
        assert ran(kit) == ["rollback"]
        kit.metrics.set(QUERY, 0.2)
        kit.click("It did not", user="UBOB")
        later(kit, 30)
        assert ran(kit) == ["rollback", "restart"]


def test_a_stop_ends_it_too() -> None:
    with ladder() as kit:
        fire(kit)
        later(kit, 30)
        kit.command("/signalbox mitigations stop", user="UANN")
        later(kit, 2 * VERIFIED)
        assert ran(kit) == ["rollback"]


def test_what_stopped_helping_a_target_is_passed_over() -> None:
    tired = ROLLBACK | {"auto": {**BY_ITSELF, "failures": 1}}
    with ladder(tired, RESTART, SCALE) as kit:
        fire(kit)
        later(kit, 120)
        kit.alerts.set([])
        kit.tick("reconcile")
        kit.advance(minutes=60)
        fire(kit)
        later(kit, 30)
        assert ran(kit) == ["rollback", "restart", "restart"]


def test_a_press_is_not_bound_to_the_turn() -> None:
    with ladder(on=()) as kit:
        fire(kit)
        press(kit, "Add pods")
        kit.submit({}, user="UANN")
        assert ran(kit) == ["scale"]


def test_the_command_tells_the_turns() -> None:
    with ladder() as kit:
        kit.command("/signalbox mitigations", user="UANN")
        assert "Add pods* (scale): pods, after restart, runs by itself" in kit.reply.text


@pytest.mark.parametrize(("follows", "words"), [
    ({"restart": "reboot"}, "follows 'reboot', which is not declared"),
    ({"restart": "restart"}, "follows itself in the end"),
    ({"rollback": "scale"}, "follows itself in the end"),
])  # fmt: skip
def test_a_ladder_that_can_not_be_climbed_is_told(follows: dict[str, str], words: str) -> None:
    rungs = [
        {**found, "follows": follows.get(found["name"], found.get("follows", ""))}
        for found in (ROLLBACK, RESTART, SCALE)
    ]
    with pytest.raises(ValidationError, match=words):
        AlertRelayConfig(mitigations=rungs)  # type: ignore[arg-type]
