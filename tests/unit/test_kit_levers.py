"""The test kit's metrics and executors."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest

from bot.plugin import Command, Context, Plugin, Transient, command
from bot.testing import FakeParameters, Kit

pytestmark = pytest.mark.unit
ERRORS = "errors > 1"


class Lever(Plugin):
    name = "lever"

    @command("pull", help="Pull the lever.")
    def pull(self, asked: Command, ctx: Context) -> None:
        parameters = FakeParameters(target="checkout", value="on")
        lever = ctx.executors["fake"]
        found = ctx.metrics.query(ERRORS)
        lever.run(parameters, key="k1", timeout=1)
        ctx.reply(f"{len(found)} series")


@pytest.fixture
def kit():
    with Kit(Lever) as kit:
        yield kit


def test_a_plugin_asks_the_metrics_and_pulls_the_lever_that_a_test_set(kit: Kit) -> None:
    kit.metrics.set(ERRORS, 3.0, {"service": "checkout"})
    kit.command("/signalbox pull")
    assert kit.executors.fake.values == {"checkout": "on"}
    assert "executor-fake" in {effect.port for effect in kit.effects}


def test_a_value_holds_until_the_next_and_a_range_ends_at_present(kit: Kit) -> None:
    start = kit.clock()
    kit.metrics.set(ERRORS, 3.0)
    kit.advance(minutes=1)
    kit.metrics.set(ERRORS, 0.0)
    [series] = kit.metrics.query_range(ERRORS, start=start, end=start + timedelta(minutes=5), step=30)
    assert [value for _, value in series.points] == [3.0, 3.0, 0.0]
    [then] = kit.metrics.query(ERRORS, at=start)
    assert then.value == 3.0


def test_what_nothing_was_said_about_has_no_data(kit: Kit) -> None:
    assert kit.metrics.query("other") == []
    kit.metrics.set("other", None)
    assert kit.metrics.query_range("other", start=kit.clock(), end=kit.clock(), step=1) == []


def test_metrics_are_away_when_a_test_says_so(kit: Kit) -> None:
    kit.metrics.fail(Transient("Prometheus is away."))
    with pytest.raises(Transient):
        kit.metrics.rules()
    assert kit.metrics.rules() == ()


def test_a_run_that_was_cut_off_after_its_effect_is_known_to_the_state(kit: Kit) -> None:
    lever, parameters = kit.executors.fake, FakeParameters(target="a", value="b")
    lever.fail(Transient("cut"), on="run", after=True)
    with pytest.raises(Transient):
        lever.run(parameters, key="k", timeout=1)
    assert lever.state(parameters, key="k", timeout=1).progress == "done"
    assert lever.state(parameters, key="other", timeout=1).progress == "absent"


def test_what_is_undone_is_what_the_plan_saw(kit: Kit) -> None:
    lever, parameters = kit.executors.fake, FakeParameters(target="a", value="new")
    lever.values["a"] = "old"
    assert lever.inverse(parameters, lever.plan(parameters, timeout=1)) == FakeParameters(
        target="a", value="old"
    )
    lever.reversible = False
    assert lever.inverse(parameters, lever.plan(parameters, timeout=1)) is None


def test_a_hanging_executor_comes_back_when_it_is_released(kit: Kit) -> None:
    lever = kit.executors.add("slow")
    lever.hang("run")
    call = Thread(target=lambda: lever.run(FakeParameters(target="a"), key="k", timeout=1), daemon=True)
    call.start()
    assert lever.state(FakeParameters(target="a"), key="k", timeout=1).progress == "absent"
    lever.release()
    call.join(5)
    assert not call.is_alive()
    assert "k" in lever.ran
