"""The Alertmanager stand-in's rules as functions of values: identity, merging, what is due, backoff limits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from integrations.sandbox.alertmanager import clock, player
from integrations.sandbox.alertmanager.alerts import Alert, Alerts, PartlyRefused
from integrations.sandbox.alertmanager.labels import BadMatcher, fingerprint, parse_filter, shown
from integrations.sandbox.alertmanager.notify import Sent, due, group_key, group_labels, payload
from integrations.sandbox.alertmanager.scenarios import SCENARIOS
from integrations.sandbox.faults import Fault, Faults

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 23, 9, 4, 4, 418_000, tzinfo=UTC)
REPEAT = timedelta(hours=4)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def post(alerts: Alerts, at: float, **more: Any) -> Alert:
    (taken,) = alerts.put([{"labels": {"alertname": "Down"}, **more}], after(at))
    return taken


@pytest.fixture
def alerts() -> Alerts:
    return Alerts(timedelta(seconds=300))


def test_the_fingerprint_is_prometheus_own() -> None:
    """Recorded from a real one."""
    assert fingerprint({"alertname": "Probe", "mode": "bearer", "service": "lab"}) == "c16e8c809153f65a"


def test_label_sets_print_as_in_go() -> None:
    assert shown({"b": 'say "hi"', "a": "1"}) == '{a="1", b="say \\"hi\\""}'
    assert group_key(group_labels({"alertname": "X", "instance": "i"})) == '{}:{alertname="X"}'


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("a=b", True), ('a="b"', True), ("a!=b", False), ('a=~"b|c"', True), ("a=~", False),
        ('a!~"c.*"', True), ('missing=""', True), ('missing=~".+"', False), (' a = "b" ', True),
    ],
)  # fmt: skip
def test_filters_match(text: str, matches: bool) -> None:
    assert parse_filter(text).matches({"a": "b"}) is matches


@pytest.mark.parametrize("text", ["", "a", "a!b", "{{", "1a=b", "a=~["])
def test_bad_filters_are_refused(text: str) -> None:
    with pytest.raises(BadMatcher):
        parse_filter(text)


def test_without_an_end_an_alert_lives_for_the_resolve_timeout(alerts: Alerts) -> None:
    assert post(alerts, 0).ends_at == after(300)
    assert alerts.firing(after(299))
    assert not alerts.firing(after(300))


def test_posting_again_keeps_the_start_and_moves_the_end(alerts: Alerts) -> None:
    post(alerts, 0)
    again = post(alerts, 60)
    assert (again.starts_at, again.ends_at) == (NOW, after(360))


def test_resolving_keeps_the_start(alerts: Alerts) -> None:
    post(alerts, 0)
    resolved = post(alerts, 10, endsAt=after(10).isoformat())
    assert (resolved.starts_at, resolved.resolved(after(10))) == (NOW, True)


def test_firing_after_resolving_is_a_new_start(alerts: Alerts) -> None:
    post(alerts, 0, startsAt=NOW.isoformat(), endsAt=after(5).isoformat())
    assert post(alerts, 60).starts_at == after(60)


def test_an_end_that_was_given_outlasts_a_guess(alerts: Alerts) -> None:
    post(alerts, 0, startsAt=NOW.isoformat(), endsAt=after(900).isoformat())
    assert post(alerts, 10).ends_at == after(900)


def test_the_valid_rest_is_kept(alerts: Alerts) -> None:
    with pytest.raises(PartlyRefused, match="at least one label pair") as refused:
        alerts.put([{"labels": {}}, {"labels": {"alertname": "Down"}}], NOW)
    assert len(refused.value.taken) == len(alerts.firing(NOW)) == 1


def test_resolved_alerts_are_forgotten_in_the_end(alerts: Alerts) -> None:
    post(alerts, 0)
    alerts.forget_old(after(301))
    assert alerts.all()
    alerts.forget_old(after(3600))
    assert not alerts.all()


@pytest.mark.parametrize(
    ("last", "firing", "resolved", "expected"),
    [
        (None, "a", "", True),
        (None, "", "a", False),
        (("a", ""), "a", "", False),
        (("a", ""), "ab", "", True),
        (("ab", ""), "a", "b", True),
        (("ab", ""), "a", "", False),
        (("a", "b"), "a", "b", False),
        (("a", ""), "", "a", True),
        (("", "a"), "", "a", False),
    ],
)
def test_when_a_notification_is_due(
    last: tuple[str, str] | None,
    firing: str,
    resolved: str,
    expected: bool,
) -> None:
    before = None if last is None else Sent(at=NOW, firing=set(last[0]), resolved=set(last[1]))
    assert due(before, set(firing), set(resolved), REPEAT, after(60)) is expected


def test_it_is_repeated_after_the_interval() -> None:
    last = Sent(at=NOW, firing={"a"}, resolved=set())
    assert not due(last, {"a"}, set(), REPEAT, NOW + REPEAT)
    assert due(last, {"a"}, set(), REPEAT, NOW + REPEAT + timedelta(seconds=1))


def test_a_repeat_is_the_same_to_the_byte(alerts: Alerts) -> None:
    firing = [post(alerts, 0)]
    bodies = {str(payload({"alertname": "Down"}, firing, "http://am", 0, after(s))) for s in (1, 200)}
    assert len(bodies) == 1


def test_times_print_as_in_go() -> None:
    assert clock.milliseconds(NOW) == "2026-11-23T09:04:04.418Z"
    assert clock.shortest(NOW) == "2026-11-23T09:04:04.418Z"
    assert clock.shortest(NOW.replace(microsecond=0)) == "2026-11-23T09:04:04Z"
    assert clock.shortest(None) == "0001-01-01T00:00:00Z"
    assert clock.parse("2026-11-23T09:04:04.418970911+00:00") == NOW + timedelta(microseconds=970)
    assert clock.parse("2026-11-23T10:04:04") == clock.parse("2026-11-23T12:04:04+02:00")


def test_scenarios_join_over_time_and_have_one_group_each() -> None:
    checkout = SCENARIOS["checkout-errors"]
    assert [len(player.due(checkout, NOW, after(s))) for s in (0, 8, 20)] == [1, 2, 3]
    for scenario in SCENARIOS.values():
        assert len({group_key(group_labels(each.labels)) for each in scenario.alerts}) == 1
        assert len({fingerprint(each.labels) for each in scenario.alerts}) == len(scenario.alerts)
    assert len(SCENARIOS["storm"].alerts) == 40


def test_a_fault_is_used_up() -> None:
    faults = Faults("/alertmanager")
    faults.plan(Fault(path_prefix="/api/v2/silences", method="POST", status=503, times=2))
    path = "/alertmanager/api/v2/silences"
    assert faults.take("GET", path) is None
    assert [faults.take("POST", path) is not None for _ in range(3)] == [True, True, False]


def test_a_fault_without_effect_is_refused() -> None:
    with pytest.raises(ValidationError, match="would do nothing"):
        Fault(path_prefix="/")
