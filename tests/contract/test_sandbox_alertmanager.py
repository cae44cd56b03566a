"""One suite for the Alertmanager stand-in and, where Debian's package is installed, for a real Alertmanager.

Shapes are compared with ../shared/fixtures/alertmanager, recorded from a real one.
"""

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from standin_server import Bot, address, listening, sandbox, serving, until

from integrations.sandbox.alertmanager import Timing, stand_in
from integrations.sandbox.changes import Changes
from integrations.sandbox.options import SandboxOptions
from tests.recordings import recording

pytestmark = pytest.mark.contract

REAL = shutil.which("prometheus-alertmanager")
TOKEN = "receiver-token"
FAST = Timing(group_wait=0.1, group_interval=0.4, min_timeout=5.0)
FREE_FORM = {"labels", "annotations", "groupLabels", "commonLabels", "commonAnnotations"}


def fixture(name: str) -> Any:
    return json.loads(recording(name).decode())


def shape(value: Any) -> Any:
    """Keys and types; a list has the shapes of what it holds; label sets are maps whatever their keys."""
    if isinstance(value, dict):
        return {key: "map" if key in FREE_FORM else shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(each), sort_keys=True) for each in value})
    return type(value).__name__


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


@dataclass
class Alertmanager:
    http: httpx2.Client
    bot: Bot

    def post(self, *alerts: dict[str, Any]) -> None:
        self.http.post("/api/v2/alerts", json=list(alerts)).raise_for_status()

    def silence(self, **changed: Any) -> httpx2.Response:
        body = fixture("v2/post_silence_request.json") | {"endsAt": in_seconds(3600)} | changed
        return self.http.post("/api/v2/silences", json={k: v for k, v in body.items() if v is not None})

    def alerts(self, **params: Any) -> Any:
        return self.http.get("/api/v2/alerts", params=params).raise_for_status().json()

    def told(self, name: str) -> list[dict[str, Any]]:
        return [body for body in self.bot.bodies if body["groupLabels"].get("alertname") == name]

    def notification(self, name: str, number: int) -> dict[str, Any]:
        """The `number`th notification of the group, waited for."""
        until(lambda: len(self.told(name)) >= number)
        return self.told(name)[number - 1]


@contextmanager
def stand_in_site(timing: Timing) -> Iterator[Alertmanager]:
    def built(bot_url: str, public_url: str) -> Any:
        options = SandboxOptions(
            bot_url=bot_url, public_url=public_url, alertmanager_webhook_token=TOKEN, retry_scale=0.1
        )
        return stand_in(options, Changes(), timing)

    bot = Bot("/webhooks/alertmanager")
    with sandbox(bot, built) as url, httpx2.Client(base_url=f"{url}/alertmanager") as http:
        yield Alertmanager(http, bot)


@contextmanager
def real_site(folder: Path) -> Iterator[Alertmanager]:
    bot, bot_socket = Bot("/webhooks/alertmanager"), listening()
    config = folder / "alertmanager.yml"
    config.write_text(json.dumps(real_config(address(bot_socket))), encoding="utf-8")
    where = f"127.0.0.1:{free_port()}"
    command = [
        str(REAL), f"--config.file={config}", f"--storage.path={folder / 'data'}",
        "--cluster.listen-address=", f"--web.listen-address={where}",
    ]  # fmt: skip
    with serving(bot.app, bot_socket), subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            with httpx2.Client(base_url=f"http://{where}") as http:
                until(lambda: answers(http))
                yield Alertmanager(http, bot)
        finally:
            process.terminate()


def real_config(bot_url: str) -> dict[str, Any]:
    webhook = {
        "url": f"{bot_url}/webhooks/alertmanager",
        "http_config": {"authorization": {"type": "Bearer", "credentials": TOKEN}},
    }
    route = {
        "receiver": "signalbox", "group_by": ["alertname", "service"],
        "group_wait": "100ms", "group_interval": "400ms", "repeat_interval": "4h",
    }  # fmt: skip
    return {"route": route, "receivers": [{"name": "signalbox", "webhook_configs": [webhook]}]}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def answers(http: httpx2.Client) -> bool:
    try:
        return http.get("/-/ready").status_code == 200
    except httpx2.RequestError:
        return False


@pytest.fixture(scope="module", params=["stand-in", "real"])
def am(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    if request.param == "real" and REAL is None:
        pytest.skip("Debian's prometheus-alertmanager is not installed; the stand-in alone is tested.")
    site = stand_in_site(FAST) if request.param == "stand-in" else real_site(tmp_path_factory.mktemp("am"))
    with site as running:
        yield running


@pytest.fixture
def name() -> str:
    """An alert name of the test's own, as the tests share one Alertmanager."""
    return f"Test{uuid4().hex[:8]}"


def alert(name: str, instance: str, **more: Any) -> dict[str, Any]:
    recorded = next(a for a in fixture("grouped_firing_2.json")["alerts"])
    labels = recorded["labels"] | {"alertname": name, "instance": instance}
    summary = {"summary": f"checkout on {instance} fails"}
    return {
        "labels": labels, "annotations": recorded["annotations"] | summary,
        "generatorURL": recorded["generatorURL"], **more,
    }  # fmt: skip


# --- API v2 ------------------------------------------------------------------------------------------


def test_status_and_probes(am: Alertmanager) -> None:
    assert shape(am.http.get("/api/v2/status").json()) == shape(fixture("v2/get_status.json"))
    assert am.http.get("/-/healthy").text.strip() == "OK"
    assert am.http.get("/-/ready").status_code == 200


def test_answers_have_the_recorded_shapes(am: Alertmanager, name: str) -> None:
    am.post(alert(name, "web-1"), alert(name, "web-2"))
    matchers = [{"name": "alertname", "value": name, "isRegex": False}]
    silenced = am.silence(matchers=[*matchers, {"name": "instance", "value": "web-2", "isRegex": False}])
    assert shape(silenced.json()) == shape(fixture("v2/post_silence_response.json"))
    until(lambda: len(am.alerts(filter=f"alertname={name}", active="false")) == 1)
    alerts = am.alerts(filter=f'alertname="{name}"')
    assert shape(alerts) == shape(fixture("v2/get_alerts.json"))
    assert {a["labels"]["instance"]: a["status"]["state"] for a in alerts} == {
        "web-1": "active",
        "web-2": "suppressed",
    }
    assert alerts[0]["status"]["silencedBy"] in ([], [silenced.json()["silenceID"]])
    groups = am.http.get("/api/v2/alerts/groups", params={"filter": f"alertname={name}"}).json()
    assert shape(groups) == shape(fixture("v2/get_alert_groups.json")[:1])
    silences = am.http.get("/api/v2/silences", params={"filter": f"alertname={name}"}).json()
    assert shape(silences) == shape(fixture("v2/get_silences.json"))


def test_fingerprints_are_alertmanagers_own(am: Alertmanager) -> None:
    recorded = fixture("single_firing.json")["alerts"][0]
    am.post({"labels": recorded["labels"]})
    found = am.alerts(filter=["alertname=Probe", "mode=bearer"])
    assert [a["fingerprint"] for a in found] == [recorded["fingerprint"]]


@pytest.mark.parametrize(
    ("query", "instances"),
    [
        ({"filter": "instance=web-1"}, {"web-1"}),
        ({"filter": 'instance!="web-1"'}, {"web-2"}),
        ({"filter": "instance=~web-.*"}, {"web-1", "web-2"}),
        ({"filter": "instance=~eb-1"}, set()),
        ({"filter": 'instance!~"web-(1|3)"'}, {"web-2"}),
        ({"filter": 'nothing=""'}, {"web-1", "web-2"}),
        ({"active": "false"}, set()),
        ({"silenced": "false", "inhibited": "false"}, {"web-1", "web-2"}),
        ({"receiver": "signal.*"}, {"web-1", "web-2"}),
        ({"receiver": "signal"}, set()),
    ],
)
def test_filters(am: Alertmanager, name: str, query: dict[str, str], instances: set[str]) -> None:
    am.post(alert(name, "web-1"), alert(name, "web-2"))
    mine = [f"alertname={name}", *([query["filter"]] if "filter" in query else [])]
    until(lambda: len(am.alerts(filter=f"alertname={name}", active="true")) == 2)
    found = am.alerts(**{**query, "filter": mine})
    assert {a["labels"]["instance"] for a in found} == instances


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/v2/alerts?filter=bad", "bad matcher format: bad"),
        ("/api/v2/alerts/groups?filter=a!b", "bad matcher format: a!b"),
        ("/api/v2/alerts?filter=a%3D~%5B", "error parsing regexp"),
        ("/api/v2/alerts?receiver=%5B", "failed to parse receiver param: error parsing regexp"),
        ("/api/v2/silences?filter=%7B%7B", "bad matcher format: {{"),
    ],
)
def test_bad_filters_are_400(am: Alertmanager, path: str, says: str) -> None:
    answer = am.http.get(path)
    assert answer.status_code == 400
    assert answer.json().startswith(says)


@pytest.mark.parametrize(
    ("alerts", "status", "says"),
    [
        ([{}], 422, "0.labels in body is required"),
        ([{"labels": {}}], 400, "at least one label pair required"),
        ([{"labels": {"a": ""}}], 400, "at least one label pair required"),
        ([{"labels": {"1a": "b"}}], 400, 'invalid label set: invalid name "1a"'),
        ([{"labels": {"a-b": "c"}}], 400, 'invalid label set: invalid name "a-b"'),
        ([{"labels": {"a": 1}}], 400, "parsing alerts body"),
        ({"labels": {"a": "b"}}, 400, "parsing alerts body"),
        ([{"labels": {"a": "b"}, "startsAt": "bad"}], 400, 'parsing time "bad"'),
        (
            [{"labels": {"a": "b"}, "generatorURL": "::bad"}],
            422,
            "0.generatorURL in body must be of type uri",
        ),
        (
            [{"labels": {"a": "b"}, "startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}],
            400,
            "start time must be before end time",
        ),
    ],
)
def test_bad_alerts_are_refused(am: Alertmanager, alerts: Any, status: int, says: str) -> None:
    answer = am.http.post("/api/v2/alerts", json=alerts)
    assert answer.status_code == status
    assert says in json.dumps(answer.json()).replace('\\"', '"')


def test_the_valid_rest_of_a_batch_is_kept(am: Alertmanager, name: str) -> None:
    refused = am.http.post("/api/v2/alerts", json=[{"labels": {}}, alert(name, "web-1")])
    assert refused.status_code == 400
    assert len(am.alerts(filter=f"alertname={name}")) == 1


@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({"comment": None}, 422, "comment in body is required"),
        ({"createdBy": None}, 422, "createdBy in body is required"),
        ({"endsAt": None}, 422, "endsAt in body is required"),
        ({"startsAt": None}, 422, "startsAt in body is required"),
        ({"matchers": None}, 422, "matchers in body is required"),
        ({"matchers": []}, 422, "matchers in body should have at least 1 items"),
        ({"matchers": [{"name": "a", "value": "b"}]}, 422, "matchers.0.isRegex in body is required"),
        ({"matchers": [{"name": "a", "isRegex": False}]}, 422, "matchers.0.value in body is required"),
        ({"endsAt": "x"}, 400, 'parsing time "x"'),
        ({"endsAt": "9999-12-31T23:59:59-23:00"}, 400, ""),
        ({"endsAt": "2026-01-01T00:00:00Z"}, 400, "start time must be before end time"),
        ({"startsAt": in_seconds(-90), "endsAt": in_seconds(-60)}, 400, "end time can't be in the past"),
        (
            {"matchers": [{"name": "a", "value": "", "isRegex": False}]},
            400,
            "must not match the empty string",
        ),
        ({"matchers": [{"name": "a", "value": "[", "isRegex": True}]}, 400, "invalid regular expression"),
        ({"matchers": [{"name": "1a", "value": "b", "isRegex": False}]}, 400, "invalid label name"),
        ({"id": "nope"}, 404, "silence not found"),
        ({"id": str(uuid4())}, 404, "silence not found"),
        ({"comment": ""}, 200, "silenceID"),
    ],
)
def test_silence_checks(am: Alertmanager, changed: dict[str, Any], status: int, says: str) -> None:
    answer = am.silence(**changed)
    assert answer.status_code == status
    assert says in json.dumps(answer.json()).replace('\\"', '"')


def test_a_schema_fault_has_a_code(am: Alertmanager) -> None:
    assert am.silence(comment=None).json()["code"] == 602
    assert am.silence(matchers=[]).json()["code"] == 612
    assert am.http.get("/api/v2/silence/nope").json()["code"] == 601


def test_a_start_in_the_past_becomes_now(am: Alertmanager) -> None:
    silence_id = am.silence(startsAt="2026-01-01T00:00:00Z").json()["silenceID"]
    silence = am.http.get(f"/api/v2/silence/{silence_id}").json()
    assert silence["startsAt"] == silence["updatedAt"]
    assert silence["status"]["state"] == "active"


def test_an_update_keeps_the_id_only_for_the_same_matchers_and_start(am: Alertmanager) -> None:
    first = am.silence().json()["silenceID"]
    starts = am.http.get(f"/api/v2/silence/{first}").json()["startsAt"]
    assert am.silence(id=first, startsAt=starts, comment="longer").json()["silenceID"] == first
    assert am.http.get(f"/api/v2/silence/{first}").json()["comment"] == "longer"
    second = am.silence(id=first, startsAt="2026-01-01T00:00:00Z").json()["silenceID"]
    assert second != first
    assert am.http.get(f"/api/v2/silence/{first}").json()["status"]["state"] == "expired"
    other = [{"name": "other", "value": "x", "isRegex": False}]
    assert am.silence(id=second, startsAt=starts, matchers=other).json()["silenceID"] != second


def test_a_pending_silence_may_move(am: Alertmanager) -> None:
    first = am.silence(startsAt=in_seconds(60)).json()["silenceID"]
    assert am.http.get(f"/api/v2/silence/{first}").json()["status"]["state"] == "pending"
    assert am.silence(id=first, startsAt=in_seconds(90)).json()["silenceID"] == first


def test_expiring_twice_is_no_error_and_unknown_ids_are(am: Alertmanager) -> None:
    silence_id = am.silence().json()["silenceID"]
    assert am.http.delete(f"/api/v2/silence/{silence_id}").status_code == 200
    assert am.http.delete(f"/api/v2/silence/{silence_id}").status_code == 200
    assert am.http.get(f"/api/v2/silence/{silence_id}").json()["status"]["state"] == "expired"
    assert am.http.get(f"/api/v2/silence/{uuid4()}").status_code == 404
    assert am.http.delete(f"/api/v2/silence/{uuid4()}").status_code == 500
    assert am.http.delete("/api/v2/silence/nope").status_code == 422


# --- notifications -----------------------------------------------------------------------------------


def test_a_groups_life_is_told_as_recorded(am: Alertmanager, name: str) -> None:
    am.post(alert(name, "web-1"), alert(name, "web-2"))
    first = am.notification(name, 1)
    assert_told(first, "grouped_firing_2.json", {"web-1": "firing", "web-2": "firing"})
    am.post(alert(name, "web-3"))
    joined = am.notification(name, 2)
    everyone = {"web-1": "firing", "web-2": "firing", "web-3": "firing"}
    assert_told(joined, "grouped_firing_3_new_alert.json", everyone)
    am.post(alert(name, "web-1", endsAt=in_seconds(0)))
    partly = am.notification(name, 3)
    assert_told(partly, "grouped_partial_resolved.json", everyone | {"web-1": "resolved"})
    am.post(*(alert(name, each, endsAt=in_seconds(0)) for each in ("web-2", "web-3")))
    over = am.notification(name, 4)
    assert over["status"] == "resolved"
    assert shape(over) == shape(fixture("grouped_resolved.json"))
    assert {told["groupKey"] for told in (first, joined, partly, over)} == {
        f'{{}}:{{alertname="{name}", service="checkout"}}'
    }
    assert "instance" not in first["commonLabels"]
    assert set(first["commonAnnotations"]) >= {"dashboard_url", "runbook_url"}


def assert_told(told: dict[str, Any], recorded: str, instances: dict[str, str]) -> None:
    assert shape(told) == shape(fixture(recorded))
    assert list(told) == list(fixture(recorded))
    assert told["status"] == "firing"
    assert {a["labels"]["instance"]: a["status"] for a in told["alerts"]} == instances
    assert [a["labels"]["instance"] for a in told["alerts"]] == sorted(instances)
    for each in told["alerts"]:
        assert (each["endsAt"] == "0001-01-01T00:00:00Z") is (each["status"] == "firing")


def test_the_headers_are_those_recorded(am: Alertmanager, name: str) -> None:
    am.post(alert(name, "web-1"))
    am.notification(name, 1)
    headers, _ = next(got for got in am.bot.got if name.encode() in got[1])
    recorded = fixture("headers_bearer.json")
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["content-type"] == recorded["Content-Type"]
    assert headers["user-agent"].startswith("Alertmanager/")


def test_a_silenced_group_is_not_told(am: Alertmanager, name: str) -> None:
    am.silence(matchers=[{"name": "alertname", "value": name, "isRegex": False}]).raise_for_status()
    am.post(alert(name, "web-1"))
    until(lambda: am.alerts(filter=f"alertname={name}", active="false"))
    witness = f"Not{name}"
    am.post(alert(witness, "web-1"))
    am.notification(witness, 1)
    am.post(alert(witness, "web-2"))
    am.notification(witness, 2)
    assert am.told(name) == []


def test_an_alert_resolves_when_its_end_is_over(am: Alertmanager, name: str) -> None:
    am.post(alert(name, "web-1", endsAt=in_seconds(1)))
    assert am.notification(name, 1)["status"] == "firing"
    assert am.notification(name, 2)["status"] == "resolved"
    assert am.alerts(filter=f"alertname={name}") == []


def test_server_errors_are_tried_again_with_the_same_body(am: Alertmanager, name: str) -> None:
    am.bot.answer(name, [500, 503])
    am.post(alert(name, "web-1"))
    am.notification(name, 3)
    assert am.told(name)[0] == am.told(name)[1] == am.told(name)[2]


def test_a_refused_notification_waits_for_the_next_interval(am: Alertmanager, name: str) -> None:
    am.bot.answer(name, [400])
    am.post(alert(name, "web-1"))
    assert am.notification(name, 2)["status"] == "firing"


# --- the stand-in's own ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short() -> Iterator[Alertmanager]:
    with stand_in_site(
        Timing(group_wait=0.05, group_interval=0.2, resolve_timeout=1.5, max_alerts=3)
    ) as site:
        yield site


@pytest.fixture
def page(short: Alertmanager) -> Iterator[httpx2.Client]:
    root = str(short.http.base_url).removesuffix("alertmanager/")
    with httpx2.Client(base_url=f"{root}page/alerts") as http:
        yield http


def test_truncation_is_counted_also_in_the_resolved_one(short: Alertmanager, name: str) -> None:
    instances = [f"shard-{number}" for number in range(1, 6)]
    short.post(*(alert(name, each) for each in instances))
    told = short.notification(name, 1)
    assert shape(told) == shape(fixture("truncated_firing.json"))
    assert (len(told["alerts"]), told["truncatedAlerts"]) == (3, 2)
    resolved = short.notification(name, 2)
    assert shape(resolved) == shape(fixture("truncated_resolved.json"))
    assert (len(resolved["alerts"]), resolved["truncatedAlerts"]) == (3, 2)


def test_a_scenario_fires_and_resolves_from_the_page(short: Alertmanager, page: httpx2.Client) -> None:
    assert page.post("/fire", json={"scenario": "disk-filling"}).json()["firing_since"]
    assert short.notification("DiskWillFillSoon", 1)["status"] == "firing"
    state = page.get("/state").json()
    assert {"groups", "silences", "scenarios"} <= set(state)
    assert "DiskWillFillSoon" in {group["labels"]["alertname"] for group in state["groups"]}
    assert page.post("/resolve", json={"scenario": "disk-filling"}).json()["firing_since"] is None
    assert short.notification("DiskWillFillSoon", 2)["status"] == "resolved"
    assert page.get("/deliveries").json()[0]["state"] == "delivered"


def test_a_storm_is_one_notification(short: Alertmanager, page: httpx2.Client) -> None:
    page.post("/fire", json={"scenario": "storm"}).raise_for_status()
    told = short.notification("NodeDown", 1)
    assert len(told["alerts"]) + told["truncatedAlerts"] == 40


def test_the_page_expires_silences_and_names_what_it_does_not_know(
    short: Alertmanager, page: httpx2.Client
) -> None:
    silence_id = short.silence().json()["silenceID"]
    assert page.delete(f"/silences/{silence_id}").status_code == 204
    states = {silence["id"]: silence["status"]["state"] for silence in page.get("/state").json()["silences"]}
    assert states[silence_id] == "expired"
    assert page.delete("/silences/none").status_code == 404
    assert "watchdog" in page.post("/fire", json={"scenario": "flood"}).json()["detail"]


def test_faults_answer_as_told(short: Alertmanager, page: httpx2.Client) -> None:
    fault = {"path_prefix": "/api/v2/silences", "method": "POST", "status": 503, "times": 2}
    page.post("/faults", json=fault).raise_for_status()
    assert [short.silence().status_code for _ in range(3)] == [503, 503, 200]


def test_a_restart_keeps_silences_and_tells_nothing_twice(tmp_path: Path) -> None:
    bot = Bot("/webhooks/alertmanager")
    with sandbox(bot, keeping(tmp_path)) as url:
        httpx2.post(f"{url}/page/alerts/fire", json={"scenario": "watchdog"}).raise_for_status()
        until(lambda: bot.bodies)
        until(lambda: httpx2.get(f"{url}/page/alerts/deliveries").json()[0]["state"] == "delivered")
        body = fixture("v2/post_silence_request.json") | {"endsAt": in_seconds(600)}
        kept = httpx2.post(f"{url}/alertmanager/api/v2/silences", json=body).json()["silenceID"]
    with sandbox(bot, keeping(tmp_path)) as url:
        until(lambda: httpx2.get(f"{url}/alertmanager/api/v2/alerts").json())
        assert [s["id"] for s in httpx2.get(f"{url}/alertmanager/api/v2/silences").json()] == [kept]
        httpx2.post(f"{url}/page/alerts/fire", json={"scenario": "disk-filling"}).raise_for_status()
        until(lambda: bot.bodies[-1]["groupLabels"]["alertname"] == "DiskWillFillSoon")
    assert [body["groupLabels"]["alertname"] for body in bot.bodies] == ["Watchdog", "DiskWillFillSoon"]


def keeping(folder: Path) -> Callable[[str, str], Any]:
    def built(bot_url: str, public_url: str) -> Any:
        options = SandboxOptions(bot_url=bot_url, public_url=public_url, data_dir=folder)
        return stand_in(options, Changes(), Timing(group_wait=0.05, group_interval=0.2))

    return built
