"""Verdicts from values: recovered, not recovered, and unknown when there is no data."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.plugin import Series
from bot.testing import START
from plugins.alert_relay.mitigation.declarations import Harm, Verification
from plugins.alert_relay.mitigation.verification import is_harm, judge, times, worst

pytestmark = pytest.mark.unit
SPEC = Verification(query="errors", threshold=0.05, settle=30, window=120, hold=60, step=15)
BEGIN, END = times(SPEC, START)


def series(value: Callable[[float], float | None], until: float = 120, step: float = 15) -> Series:
    """Values by seconds after the settle time; None leaves a gap."""
    found = [(BEGIN + timedelta(seconds=s), value(s)) for s in range(0, int(until) + 1, int(step))]
    return Series(labels={}, points=tuple((at, v) for at, v in found if v is not None))


def verdict(*found: Series, after: float = 120) -> str | None:
    return judge(SPEC, found, START, at(after)).verdict


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def test_recovered_as_soon_as_the_goal_held_long_enough() -> None:
    good = series(lambda s: 0.01 if s >= 15 else 0.2, until=75)
    assert verdict(good, after=74) is None or verdict(good, after=75) == "recovered"
    assert judge(SPEC, [good], START, at(75)).reason == "< 0.05 for 60 s"


def test_a_relapse_starts_the_time_anew() -> None:
    relapse = series(lambda s: 0.2 if s == 45 else 0.01)
    assert verdict(relapse, after=120) == "recovered"
    assert verdict(series(lambda s: 0.2 if s == 75 else 0.01), after=120) == "not_recovered"


def test_too_early_is_no_verdict() -> None:
    assert verdict(series(lambda s: 0.2, until=60), after=60) is None
    assert verdict(after=60) is None


def test_bad_until_the_end_is_not_recovered() -> None:
    assert verdict(series(lambda s: 0.2)) == "not_recovered"


def test_no_data_is_unknown() -> None:
    assert verdict() == "unknown"
    assert verdict(series(lambda s: math.nan)) == "unknown"


def test_data_that_stops_is_unknown_even_if_it_was_good() -> None:
    assert verdict(series(lambda s: 0.01 if s <= 45 else None)) == "unknown"


def test_a_gap_breaks_the_streak() -> None:
    assert verdict(series(lambda s: None if 45 <= s <= 75 else 0.01)) == "not_recovered"


def test_one_bad_series_of_many_is_not_recovered() -> None:
    assert verdict(series(lambda s: 0.01), series(lambda s: 0.2)) == "not_recovered"


def test_values_before_settling_and_after_the_window_do_not_count() -> None:
    early = Series(labels={}, points=((START, 0.01), (START + timedelta(seconds=15), 0.01)))
    assert verdict(early) == "unknown"
    late = Series(labels={}, points=tuple((END + timedelta(seconds=s), 0.01) for s in range(15, 120, 15)))
    assert judge(SPEC, [late], START, END + timedelta(seconds=120)).verdict == "unknown"


def test_without_hold_one_good_value_is_enough_and_a_bad_one_is_not() -> None:
    spec = SPEC.model_copy(update={"hold": 0.0})
    assert judge(spec, [series(lambda s: 0.2, until=15)], START, at(15)).verdict is None
    assert judge(spec, [series(lambda s: 0.01, until=15)], START, at(15)).verdict == "recovered"


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=9, max_size=9))
def test_recovered_means_that_nothing_bad_was_seen_for_the_whole_hold(values: list[float | None]) -> None:
    found = series(lambda s: values[int(s // 15)])
    if verdict(found) == "recovered":
        tail = [v for v in values[-5:] if v is not None]
        assert tail
        assert all(v < 0.05 for v in tail)


@pytest.mark.parametrize(
    ("comparator", "good", "bad"),
    [
        ("<", 0.04, 0.05),
        ("<=", 0.05, 0.06),
        (">", 0.06, 0.05),
        (">=", 0.05, 0.04),
        ("==", 0.05, 0.04),
        ("!=", 1, 0.05),
    ],
)
def test_comparators(comparator: str, good: float, bad: float) -> None:
    spec = Verification.model_validate({"query": "q", "threshold": 0.05, "comparator": comparator})
    assert spec.met(good)
    assert not spec.met(bad)


def test_the_worst_of_several_series_is_shown() -> None:
    assert worst(SPEC, [0.1, math.nan, 0.3]) == 0.3
    assert worst(SPEC.model_copy(update={"comparator": ">"}), [0.1, 0.3]) == 0.1
    assert worst(SPEC, []) is None


def test_harm_is_growth_over_the_value_before() -> None:
    harm = Harm(query="neighbours", growth=0.5, above=0.01)
    assert is_harm(harm, 0.1, 0.16)
    assert not is_harm(harm, 0.1, 0.15)
    assert not is_harm(harm, 0.0, 0.01)
    assert is_harm(harm, 0.0, 0.02)
    assert not is_harm(harm, 0.1, None)


def test_a_hold_longer_than_the_window_is_a_wrong_setting() -> None:
    with pytest.raises(ValidationError, match="hold must not be longer than window"):
        Verification(query="q", threshold=1, window=30, hold=60)
