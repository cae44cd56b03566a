"""Our Prometheus client against recorded answers and, where Debian's package is installed, a real Prometheus."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx2
import pytest
from prometheus_kit import REAL, prometheus

from bot.core.errors import Permanent, Transient
from bot.core.settings import PrometheusSettings
from integrations.prometheus.client import MOST_POINTS, PrometheusClient
from tests.recordings import FIXTURES, recording

pytestmark = pytest.mark.contract
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
Answer = Callable[[httpx2.Request], httpx2.Response]


def client(answer: Answer) -> PrometheusClient:
    settings = PrometheusSettings.model_validate({"url": "http://prometheus:9090/", "token": "t0ken-t0ken"})
    return PrometheusClient(settings, httpx2.Client(transport=httpx2.MockTransport(answer)))


def answering(name: str, status: int = 200) -> PrometheusClient:
    body = recording(name, FIXTURES / "prometheus")
    return client(lambda _: httpx2.Response(status, content=body))


def saying(body: dict, status: int = 200, **headers: str) -> PrometheusClient:
    return client(lambda _: httpx2.Response(status, json=body, headers=headers))


def vector(value: str) -> dict:
    result = [{"metric": {"a": "b"}, "value": [START.timestamp(), value]}]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


# -- what was recorded -------------------------------------------------------------------------------


def test_an_instant_vector() -> None:
    samples = answering("query_vector.json").query("app_error_ratio")
    assert [s.value for s in samples] == [0.12, 0.31, 0.001]
    assert samples[0].labels["instance"] == "web-1"
    assert samples[0].at.tzinfo is not None


def test_no_data_is_an_empty_vector() -> None:
    assert answering("query_empty.json").query("nothing") == []


def test_a_range() -> None:
    found = answering("query_range_matrix.json").query_range(
        "app_error_ratio", start=START, end=START + timedelta(minutes=10), step=10
    )
    assert {s.labels["service"] for s in found} == {"checkout"}
    assert found[0].points[0][1] == 0.12
    assert list(found[0].points) == sorted(found[0].points)


def test_the_alerting_rules_with_their_hold() -> None:
    rules = {rule.name: rule for rule in answering("rules.json").rules()}
    assert rules["HighErrorRate"].expression == "app_error_ratio > 0.05"
    assert rules["HighErrorRate"].hold == 2
    assert rules["HighErrorRate"].labels["severity"] == "critical"


@pytest.mark.parametrize("name", ["error_bad_query.json", "error_too_many_points.json"])
def test_a_refused_expression_is_a_sentence_and_final(name: str) -> None:
    with pytest.raises(Permanent, match=r"refused the expression \(bad_data\)"):
        answering(name, 400).query("x")


# -- values and kinds --------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "value"), [("+Inf", math.inf), ("-Inf", -math.inf), ("1e+00", 1.0)])
def test_values_that_json_does_not_have(text: str, value: float) -> None:
    [sample] = saying(vector(text)).query("x")
    assert sample.value == value


def test_nan_stays_nan() -> None:
    [sample] = saying(vector("NaN")).query("x")
    assert math.isnan(sample.value)


def test_a_scalar_is_one_sample_without_labels() -> None:
    data = {"resultType": "scalar", "result": [START.timestamp(), "2"]}
    [sample] = saying({"status": "success", "data": data}).query("1+1")
    assert (sample.labels, sample.value, sample.at) == ({}, 2.0, START)


@pytest.mark.parametrize("data", [
    {"resultType": "string", "result": [0, "words"]},
    {"resultType": "matrix", "result": []},
])  # fmt: skip
def test_what_has_no_value_at_one_time_is_refused(data: dict) -> None:
    with pytest.raises(Permanent, match="gives numbers"):
        saying({"status": "success", "data": data}).query("x")


def test_native_histograms_are_no_samples() -> None:
    result = [{"metric": {}, "histogram": [0, {"count": "1", "sum": "1", "buckets": []}]}]
    assert saying({"data": {"resultType": "vector", "result": result}}).query("x") == []


# -- long ranges -------------------------------------------------------------------------------------


def test_a_long_range_is_asked_for_in_parts_that_fit_together() -> None:
    asked: list[tuple[float, float]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        form = {
            name: float(v[0])
            for name, v in parse_qs(request.content.decode()).items()
            if name in {"start", "end", "step"}
        }
        asked.append((form["start"], form["end"]))
        count = round((form["end"] - form["start"]) / form["step"]) + 1
        assert count <= MOST_POINTS
        values = [[form["start"] + form["step"] * n, "1"] for n in range(count)]
        result = [{"metric": {"a": "b"}, "values": values}]
        return httpx2.Response(200, json={"data": {"resultType": "matrix", "result": result}})

    [series] = client(answer).query_range("x", start=START, end=START + timedelta(days=3), step=10)
    times = [at for at, _ in series.points]
    assert len(asked) == 3
    assert len(times) == len(set(times)) == 3 * 8640 + 1
    assert times == sorted(times)
    assert (times[0], times[-1]) == (START, START + timedelta(days=3))


@pytest.mark.parametrize("step", [0, -1])
def test_a_step_that_leads_nowhere_is_refused(step: float) -> None:
    with pytest.raises(Permanent, match="above 0"):
        saying({}).query_range("x", start=START, end=START, step=step)


# -- when it is ill ----------------------------------------------------------------------------------


def test_overload_is_worth_another_try_and_its_wish_is_kept() -> None:
    with pytest.raises(Transient) as caught:
        saying({"errorType": "timeout", "error": "query timed out"}, 503, **{"retry-after": "7"}).query("x")
    assert caught.value.retry_after == 7
    assert "query timed out" in str(caught.value)


def test_nobody_there_is_worth_another_try() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(Transient, match="did not answer"):
        client(answer).query("x")
    assert client(answer).health().status == "down"


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "TOKEN"), (404, "PROMETHEUS_URL"), (302, "PROMETHEUS_URL")]
)
def test_what_stands_there_instead_is_told(status: int, hint: str) -> None:
    with pytest.raises(Permanent, match=hint):
        client(lambda _: httpx2.Response(status, text="<html>login</html>")).query("x")


def test_a_page_that_is_not_prometheus_is_told() -> None:
    with pytest.raises(Permanent, match="PROMETHEUS_URL"):
        client(lambda _: httpx2.Response(200, text="<html>hello</html>")).query("x")


# -- the real one ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusClient]:
    if REAL is None:
        pytest.skip("Debian's prometheus is not installed.")
    folder = tmp_path_factory.mktemp("prometheus")
    rules = {"groups": [{"name": "g", "rules": [
        {"alert": "Always", "expr": "vector(1) > 0", "for": "2s", "labels": {"severity": "info"}},
        {"record": "recorded", "expr": "vector(2)"},
    ]}]}  # fmt: skip
    (folder / "rules.yml").write_text(json.dumps(rules))
    with prometheus(folder, {"rule_files": [str(folder / "rules.yml")]}) as url:
        yield PrometheusClient(PrometheusSettings(url=url))


def test_real_answers_are_read(real: PrometheusClient) -> None:
    [one] = real.query("vector(1)")
    [scalar] = real.query("time()", at=START)
    [nan] = real.query("vector(0)/0")
    assert one.value == 1
    assert scalar.value == START.timestamp()
    assert math.isnan(nan.value)
    assert real.health().status == "ok"


def test_real_rules(real: PrometheusClient) -> None:
    [rule] = real.rules()
    assert (rule.name, rule.hold, rule.labels) == ("Always", 2, {"severity": "info"})
    assert rule.expression == "vector(1) > 0"


def test_real_ranges_beyond_the_limit(real: PrometheusClient) -> None:
    [series] = real.query_range("vector(time())", start=START, end=START + timedelta(seconds=25_000), step=1)
    assert len(series.points) == 25_001
    assert all(at.timestamp() == value for at, value in series.points)


def test_a_real_refusal(real: PrometheusClient) -> None:
    with pytest.raises(Permanent, match="bad_data"):
        real.query("sum(")
