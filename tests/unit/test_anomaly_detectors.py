"""Detectors on made-up series: what is told, what is passed over, and that many series are scored as each alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.anomaly import LINE, StateError, Verdict, book, ensemble, rarity, spark, words
from ml.anomaly.book import Book, Samples, Scored, scored
from ml.anomaly.ensemble import Kinds, update
from ml.anomaly.groups import Anomaly, grouped
from ml.anomaly.hold import held
from ml.anomaly.state import FIELDS, empty, from_bytes

pytestmark = pytest.mark.unit
START = 1_767_225_600.0
STEP = 300.0
DAY = 288


def course(values: np.ndarray, at: np.ndarray | None = None, kinds: Kinds | None = None) -> list[Verdict]:
    at = START + STEP * np.arange(len(values)) if at is None else at
    state, found = empty(1), []
    for number, value in enumerate(values):
        state, verdicts = update(state, at[number : number + 1], np.array([value]), kinds)
        found.append(verdicts.row(0))
    return found


def noise(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=rows)


def daily(days: int, seed: int = 0) -> np.ndarray:
    rows = np.arange(days * DAY)
    return 100 + 40 * np.sin(2 * np.pi * rows / DAY) + noise(len(rows), seed)


def alerts(verdicts: list[Verdict], since: int) -> list[Verdict]:
    return [v for v in verdicts[since:] if v.news >= LINE]


def test_a_spike_is_one_alert_with_value_and_band() -> None:
    values = 10 + 0.1 * noise(1500)
    values[1200:1203] = 30
    told = alerts(course(values), 800)
    assert [v.at for v in told] == [START + STEP * 1200]
    assert told[0].reason == "value"
    assert 9 < told[0].lower < told[0].expected < told[0].upper < 11


def test_a_missing_peak_is_told_by_the_season_with_the_hour() -> None:
    values = daily(12)
    values[10 * DAY + 30 : 10 * DAY + 110] = 100
    told = alerts(course(values), 8 * DAY)
    assert told
    assert told[0].reason == "season"
    assert told[0].at < START + STEP * (10 * DAY + 60)
    assert " for a Sunday 0" in words.reason("requests", told[0])


def test_a_lively_metric_that_stops_is_dead() -> None:
    values = 10 + noise(1200)
    values[1000:] = values[999]
    told = alerts(course(values), 700)
    assert [v.reason for v in told][:1] == ["dead"]
    assert told[0].at < START + STEP * 1070


def test_a_flat_metric_never_alarms() -> None:
    assert not alerts(course(np.full(2000, 5.0)), 0)


def test_a_disk_that_fills_is_told_hours_before() -> None:
    at = START + STEP * np.arange(400)
    values = 50 + 50 * np.arange(400) / 500
    verdicts = course(values, at, Kinds(np.array([False]), np.array([100.0])))
    last = verdicts[-1]
    assert last.exhausted == pytest.approx(100 * STEP, rel=0.1)
    assert "limit is reached in 8 h" in words.reason("disk", verdicts[-1]) or last.reason != "exhaustion"
    near = course(values[:400] + 10, at, Kinds(np.array([False]), np.array([100.0])))[-1]
    assert near.reason == "exhaustion"
    assert near.score >= LINE


def test_nan_infinity_late_and_duplicate_samples_change_nothing() -> None:
    state, _ = update(empty(1), np.array([START]), np.array([1.0]))
    for at, value in ((30.0, np.nan), (30.0, np.inf), (30.0, 1e300), (0.0, 2.0), (-30.0, 2.0)):
        after, verdicts = update(state, np.array([START + at]), np.array([value]))
        assert not verdicts.counted[0]
        assert after.records() == state.records()


def test_updating_changes_neither_the_state_nor_the_samples() -> None:
    state, _ = update(empty(2), np.full(2, START), np.ones(2))
    before, at, values = state.records(), np.full(2, START + 30), np.array([2.0, np.nan])
    update(state, at, values)
    assert state.records() == before
    assert values[0] == 2.0


def test_a_counter_is_watched_by_its_rate_and_a_reset_is_no_anomaly() -> None:
    rates = 5 + 0.1 * noise(1200)
    counted = np.cumsum(rates * STEP)
    counted[1000:] -= counted[1000] - 5.0 * STEP
    verdicts = course(counted, kinds=Kinds(np.array([True]), np.array([np.nan])))
    assert not verdicts[0].counted
    assert verdicts[-1].value == pytest.approx(5, abs=1)
    assert not alerts(verdicts, 800)


def test_a_gap_that_is_filled_alarms_nobody() -> None:
    values, at = 10 + noise(1300), START + STEP * np.arange(1300)
    at[1000:] += 86400
    assert not [v for v in course(values, at)[1000:1010] if v.news >= LINE]


def test_an_anomaly_is_held_and_said_once_until_it_grows() -> None:
    values = 10 + 0.1 * noise(1400)
    values[1000:1030] = 20
    values[1030:1040] = 1e6
    verdicts = course(values)
    told = [n for n, v in enumerate(verdicts) if n > 800 and v.news >= LINE]
    assert told == [1000, 1030]
    assert verdicts[1029].firing
    assert verdicts[1005].since == START + STEP * 1000
    assert not verdicts[1060].firing


def test_what_comes_back_within_the_pause_fires_when_it_has_doubled_or_lasts() -> None:
    strengths = [0.0] * 5 + [2.0] + [0.0] * 20 + [2.0] * 3 + [0.0] * 20 + [2.0] * 12 + [0.0] * 20 + [4.5]
    state, firing = empty(1).having({"interval": np.array([STEP])}), []
    for number, strength in enumerate(strengths):
        at = np.array([START + STEP * number])
        changes, found = held(state, at, np.array([strength]), np.zeros(1, np.bool_))
        state = state.having({**changes, "count": state["count"] + 1})
        firing.append(bool(found.firing[0]))
    assert np.flatnonzero(firing).tolist() == [*range(5, 15), *range(58, 70), 81]


def several(series: int, rows: int) -> dict[str, Samples]:
    at = START + STEP * np.arange(rows)
    return {f"s{n}": Samples(at, 10 + n + noise(rows, n)) for n in range(series)}


def test_many_series_are_scored_as_each_alone_and_in_parts_as_at_once() -> None:
    samples = several(5, 400)
    together, heard = scored(Book(), samples)
    for number, (name, each) in enumerate(samples.items()):
        alone = [v.score for v in course(each.values, each.at)]
        assert [h.verdicts.score[number] for h in heard] == pytest.approx(alone, abs=1e-9)
        assert together.known_until()[name] == each.at[-1]
    half = {name: Samples(s.at[:200], s.values[:200]) for name, s in samples.items()}
    first, _ = scored(Book(), half)
    resumed, later = scored(first, samples)
    assert resumed.state.records() == together.state.records()
    assert not any(h.verdicts.counted.any() for h in later[:200])


def test_a_book_is_stored_whole_and_read_again(tmp_path: Path) -> None:
    made, _ = scored(Book(limit=100.0), several(3, 50))
    file = tmp_path / "latency.states"
    book.write(made, file)
    found = book.read(file)
    assert (found.names, found.limit, found.counter) == (made.names, 100.0, False)
    assert found.state.records() == made.state.records()
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(StateError, match="cut off"):
        book.read(file)
    with pytest.raises(StateError, match="another version"):
        from_bytes(b"old")


def test_states_of_the_version_before_are_read_on_with_what_people_said() -> None:
    kept = scored(Book(), several(2, 50))[0].excused("s1", 1.5).state
    older = np.empty(2, np.dtype([(name, FIELDS[name]) for name in FIELDS.names or () if name != "alerts"]))
    for name in older.dtype.names or ():
        older[name] = kept[name]
    found = from_bytes(b"".join(b"SBA2" + row.tobytes() for row in older))
    assert found["tolerance"].tolist() == [1.0, 1.5]
    assert found.records() == kept.having({"alerts": np.zeros(2)}).records()


def test_the_more_often_a_series_is_told_of_the_less_an_alert_says() -> None:
    learnt = empty(4).having({"count": np.array([0, 150, 9000, 9000]), "alerts": np.array([0, 0, 0, 9.0])})
    young, warm, calm, noisy = rarity.weight(learnt)
    assert 0 < young < warm < noisy < calm == 1
    values = 10 + 0.1 * noise(2000)
    values[[900, 1100, 1300]] = 20, 40, 80
    told = alerts(course(values), 800)
    assert [v.at for v in told] == [START + STEP * row for row in (900, 1100, 1300)]


def test_what_could_be_chance_has_to_be_further_off_and_what_has_stopped_has_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = 10 + noise(400)
    values[300], values[320:] = 100, values[319]

    def strengths() -> list[float]:
        verdicts = course(values)
        assert [verdicts[row].reason for row in (300, 380)] == ["value", "dead"]
        return [verdicts[row].score / (1 - verdicts[row].score) for row in (300, 380)]

    with_line = strengths()
    monkeypatch.setattr(ensemble, "CALM", 1.0)
    spike, stopped = strengths()
    assert with_line == pytest.approx([spike / 1.25, stopped])
    assert stopped == 1.0


def test_series_that_are_gone_are_forgotten() -> None:
    old, _ = scored(Book(), {"old": Samples(np.array([START]), np.array([1.0]))})
    both, _ = scored(old, {"new": Samples(np.array([START + 1e6]), np.array([1.0]))})
    assert both.without(START + 1).names == ("new",)


def test_an_excused_series_needs_more_to_be_an_anomaly() -> None:
    calm = np.append(10 + 0.1 * noise(1000), 12.0)
    samples = {"a": Samples(START + STEP * np.arange(1000), calm[:1000])}
    learnt, _ = scored(Book(), samples)
    last = {"a": Samples(np.array([START + STEP * 1000]), calm[1000:])}
    _, heard = scored(learnt, last)
    _, excused = scored(learnt.excused("a", 2.0), last)
    strength = heard[0].verdicts.score / (1 - heard[0].verdicts.score)
    assert excused[0].verdicts.score == pytest.approx(strength / 2 / (1 + strength / 2))


def test_anomalies_of_a_service_in_a_window_are_one_group_and_the_first_leads() -> None:
    verdict = course(10 + noise(3))[-1]

    def anomalous(name: str, service: str, since: float) -> Anomaly:
        return Anomaly(name, {"service": service}, Verdict(**{**vars(verdict), "since": since}))

    found = grouped(
        [anomalous("errors", "shop", 120), anomalous("latency", "shop", 60), anomalous("cpu", "cart", 60),
         anomalous("late", "shop", 5000)],
        "service",
    )  # fmt: skip
    assert [[a.series for a in group] for group in found] == [["cpu"], ["latency", "errors"], ["late"]]


def test_series_in_many_blocks_are_scored_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = several(10, 60)
    some = {name: samples[name] for name in ("s1", "s6", "s7")}
    whole, heard = scored(Book(), samples)
    monkeypatch.setattr(book, "AT_ONCE", 4)
    part, first = scored(Book(), some)
    parts, rest = scored(part, samples)
    assert [len(block) for block in parts.blocks] == [4, 4, 2]
    assert dict(zip(parts.names, parts.state.records(), strict=True)) == dict(
        zip(whole.names, whole.state.records(), strict=True)
    )
    assert _said(first + rest, parts) == _said(heard, whole)
    assert parts.excused("s9", 2.0).field("tolerance")[parts.names.index("s9")] == 2.0
    assert parts.latest(since=START)["s3"].score == parts.field("said_score")[parts.names.index("s3")]
    assert book.from_bytes(book.to_bytes(parts)).state.records() == parts.state.records()


def _said(heard: list[Scored], made: Book) -> set[str]:
    return {f"{name}: {v}" for each in heard for name, v in each.each(made.names) if v.counted}


def test_the_spark_engine_runs_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_MASTER", raising=False)
    assert spark.arguments(["landing", "out"]).master == "local[*]"
    monkeypatch.setenv("SPARK_MASTER", "spark://host:7077")
    assert spark.arguments(["landing", "out"]).master == "spark://host:7077"
    assert spark.arguments(["landing", "out", "--master", "local[2]"]).master == "local[2]"
