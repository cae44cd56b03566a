"""Our Alertmanager client against the stand-in and, where Debian's package is installed, a real Alertmanager."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from standin_server import Bot, address, listening, sandbox, serving, until

from bot.core.errors import Permanent, SignalboxError, Transient
from bot.core.events import AlertGroup, Delivery, NewEvent, utc_now
from bot.core.ports import Matcher
from bot.core.settings import AlertmanagerSettings
from integrations.alertmanager.client import AlertmanagerClient
from integrations.alertmanager.source import AlertmanagerSource
from integrations.sandbox.alertmanager import Timing, stand_in
from integrations.sandbox.changes import Changes
from integrations.sandbox.options import SandboxOptions
from tests.recordings import recording

pytestmark = pytest.mark.contract

REAL = shutil.which("prometheus-alertmanager")
TOKEN = "receiver-token"
FAST = Timing(group_wait=0.1, group_interval=0.4, min_timeout=5.0)
HOUR = timedelta(hours=1)


class Site:
    def __init__(self, url: str, bot: Bot) -> None:
        self.url = url
        self.bot = bot
        self.client = AlertmanagerClient(settings(url))

    def fire(self, name: str, **labels: str) -> None:
        alert = {
            "labels": {"alertname": name, "service": "checkout", **labels},
            "annotations": {"summary": "s"},
        }
        httpx2.post(f"{self.url.rstrip('/')}/api/v2/alerts", json=[alert]).raise_for_status()

    def group(self, name: str) -> AlertGroup | None:
        return next((g for g in self.client.groups() if g.group_labels.get("alertname") == name), None)


def settings(url: str) -> AlertmanagerSettings:
    return AlertmanagerSettings.model_validate({"url": url, "token": TOKEN, "api_token": "proxy-token"})


@contextmanager
def stand_in_site() -> Iterator[Site]:
    def built(bot_url: str, public_url: str) -> Any:
        options = SandboxOptions.model_validate(
            {
                "bot_url": bot_url,
                "public_url": public_url,
                "alertmanager_webhook_token": TOKEN,
                "retry_scale": 0.1,
            }
        )
        return stand_in(options, Changes(), FAST)

    bot = Bot("/webhooks/alertmanager")
    with sandbox(bot, built) as url:
        yield Site(f"{url}/alertmanager/", bot)


@contextmanager
def real_site(folder: Path) -> Iterator[Site]:
    bot, bot_socket = Bot("/webhooks/alertmanager"), listening()
    webhook = {
        "url": f"{address(bot_socket)}/webhooks/alertmanager",
        "http_config": {"authorization": {"credentials": TOKEN}},
    }
    route = {
        "receiver": "signalbox", "group_by": ["alertname", "service"],
        "group_wait": "100ms", "group_interval": "1s", "repeat_interval": "1h",
    }  # fmt: skip
    config = folder / "alertmanager.yml"
    receivers = [{"name": "signalbox", "webhook_configs": [webhook]}]
    config.write_text(json.dumps({"route": route, "receivers": receivers}), encoding="utf-8")
    sock = listening()
    where = address(sock)
    sock.close()
    command = [
        str(REAL), f"--config.file={config}", f"--storage.path={folder / 'data'}",
        "--cluster.listen-address=", f"--web.listen-address={where.removeprefix('http://')}",
    ]  # fmt: skip
    with serving(bot.app, bot_socket), subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            site = Site(where, bot)
            until(lambda: site.client.health().status == "ok")
            yield site
        finally:
            process.terminate()


@pytest.fixture(scope="module", params=["stand-in", "real"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if request.param == "stand-in":
        with stand_in_site() as built:
            yield built
    elif REAL is None:
        pytest.skip("Debian's prometheus-alertmanager is not installed.")
    else:
        with real_site(tmp_path_factory.mktemp("alertmanager")) as built:
            yield built


@pytest.fixture
def name(site: Site) -> str:
    """A firing alert's name."""
    alertname = f"Test{uuid4().hex[:8]}"
    site.fire(alertname, instance="web-1")
    until(lambda: site.group(alertname))
    return alertname


def matchers(name: str) -> tuple[Matcher, ...]:
    return (Matcher(name="alertname", value=name), Matcher(name="instance", value="web-.*", is_regex=True))


def silence(site: Site, name: str, step_key: str = "step-1", **changed: Any) -> dict[str, Any]:
    return {
        "matchers": matchers(name), "ends_at": utc_now() + HOUR, "created_by": "alice (U123)",
        "comment": "deploy in progress", "step_key": step_key, **changed,
    }  # fmt: skip


# --- groups ------------------------------------------------------------------------------------------


def test_the_webhook_and_the_api_tell_of_the_same_group(site: Site, name: str) -> None:
    source = AlertmanagerSource(settings(site.url))

    def told() -> list[tuple[NewEvent, AlertGroup]]:
        found = []
        for headers, body in list(site.bot.got):
            delivery = Delivery("alertmanager", body, headers)
            source.verify(delivery, utc_now())
            new = source.normalise(delivery, utc_now())
            group = source.parse("alertmanager.group", body)
            assert new is not None
            assert isinstance(group, AlertGroup)
            found += [(new, group)] if group.group_labels["alertname"] == name else []
        return found

    new, group = until(told)[0]
    held = site.group(name)
    assert held is not None
    assert new.subject == group.key == held.key
    assert (held.receiver, held.status, held.group_labels) == (group.receiver, "firing", group.group_labels)
    assert [a.fingerprint for a in held.alerts] == [a.fingerprint for a in group.alerts]
    assert held.common_labels == group.common_labels
    assert held.common_annotations == group.common_annotations


# --- silences ----------------------------------------------------------------------------------------


def test_a_silence_is_made_seen_on_the_alert_found_again_and_ended(site: Site, name: str) -> None:
    wanted = silence(site, name, step_key=uuid4().hex)
    assert site.client.reconcile_silence(**wanted) is None
    made = site.client.silence(**wanted)
    found = site.client.reconcile_silence(**wanted)
    assert found is not None
    assert (found.id, found.matchers, found.created_by) == (made.id, made.matchers, made.created_by)
    assert found.comment == made.comment == f"deploy in progress [{wanted['step_key']}]"
    assert found.ends_at is not None
    assert abs(found.ends_at - wanted["ends_at"]) < timedelta(seconds=1)

    def silenced() -> bool:
        group = site.group(name)
        return group is not None and made.id in group.alerts[0].silenced_by

    until(silenced)
    for _ in range(2):
        site.client.expire(silence_id=made.id, step_key="end")
    states = {s.id: s.state for s in site.client.silences()}
    assert states[made.id] == "expired"
    assert site.client.reconcile_silence(**wanted) is not None, "an ended silence did take place"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"matchers": ()}, "422"),
        ({"matchers": (Matcher(name="a", value="(", is_regex=True),)}, "400"),
        ({"ends_at": datetime(2020, 1, 1, tzinfo=UTC)}, "400"),
    ],
)
def test_a_silence_that_alertmanager_refuses_is_permanent_in_its_words(
    site: Site, changed: dict[str, Any], status: str
) -> None:
    with pytest.raises(Permanent, match=status) as caught:
        site.client.silence(**silence(site, "X", **changed))
    assert len(str(caught.value)) > len("Alertmanager refused POST /silences with 400: ")


def test_ending_a_silence_that_never_was_is_permanent(site: Site) -> None:
    with pytest.raises(Permanent, match="404"):
        site.client.expire(silence_id=str(uuid4()), step_key="end")


def test_health_is_ok(site: Site) -> None:
    assert site.client.health().status == "ok"


# --- faults (the stand-in's switches and servers that are not Alertmanager) -----------------------------


@pytest.fixture(scope="module")
def faulty() -> Iterator[Site]:
    with stand_in_site() as built:
        yield built


def plan(site: Site, **fault: Any) -> None:
    page = site.url.replace("/alertmanager/", "/page/alerts/faults")
    httpx2.post(page, json={"path_prefix": "/api/v2", **fault}).raise_for_status()


def failure(call: Callable[..., Any], **arguments: Any) -> SignalboxError:
    with pytest.raises(SignalboxError) as caught:
        call(**arguments)
    return caught.value


@pytest.mark.parametrize("status", [429, 500, 503])
def test_overload_is_transient_and_keeps_retry_after(faulty: Site, status: int) -> None:
    plan(faulty, status=status, retry_after=9)
    error = failure(faulty.client.groups)
    assert isinstance(error, Transient)
    assert error.retry_after == 9


@pytest.mark.parametrize("lost", [{"drop_after": True}, {"half_body": True}])
def test_a_silence_whose_answer_was_lost_is_found_not_repeated(faulty: Site, lost: dict[str, bool]) -> None:
    wanted = silence(faulty, "Lost", step_key=uuid4().hex)
    plan(faulty, method="POST", **lost)
    error = failure(faulty.client.silence, **wanted)
    assert isinstance(error, Transient)
    assert error.__cause__ is not None
    assert faulty.client.reconcile_silence(**wanted) is not None
    assert len([s for s in faulty.client.silences() if wanted["step_key"] in s.comment]) == 1


def test_an_alertmanager_that_is_away_is_transient() -> None:
    sock = listening()
    where = address(sock)
    sock.close()
    client = AlertmanagerClient(settings(where))
    assert isinstance(failure(client.groups), Transient)
    assert client.health().status == "down"


def answering(*responses: httpx2.Response) -> AlertmanagerClient:
    waiting = list(responses)
    transport = httpx2.MockTransport(lambda _: waiting.pop(0))
    return AlertmanagerClient(settings("http://am"), httpx2.Client(transport=transport))


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(200, text="<html>Grafana</html>"),
        httpx2.Response(200, json={"status": "success"}),
        httpx2.Response(302, headers={"location": "/login"}),
        httpx2.Response(401, text="who are you?"),
    ],
)
def test_a_server_that_is_not_alertmanager_is_permanent(response: httpx2.Response) -> None:
    def call(method: str) -> SignalboxError:
        client = answering(
            httpx2.Response(response.status_code, headers=response.headers, content=response.content)
        )
        arguments = silence(Site("http://am", Bot("/")), "X") if method == "silence" else {}
        return failure(getattr(client, method), **arguments)

    for method in ("groups", "silences", "silence"):
        assert isinstance(call(method), Permanent)


# --- recorded answers, and the request as openapi.yaml publishes it --------------------------------------


def recorded(name: str) -> httpx2.Response:
    return httpx2.Response(200, content=recording(f"v2/{name}"))


def test_recorded_answers_are_read() -> None:
    groups = answering(recorded("get_alert_groups.json")).groups()
    alerts = {alert.fingerprint: alert for group in groups for alert in group.alerts}
    raw = json.loads(recording("v2/get_alert_groups.json"))
    states = {a["fingerprint"]: a["status"] for group in raw for a in group["alerts"]}
    assert {f: a.silenced_by for f, a in alerts.items()} == {
        f: tuple(s["silencedBy"]) for f, s in states.items()
    }
    assert any(alert.silenced_by for alert in alerts.values())
    [held] = answering(recorded("get_silences.json")).silences()
    assert held.matchers
    assert held.ends_at is not None
    assert answering(recorded("get_status.json")).health().status == "ok"


class Published(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PublishedMatcher(Published):
    name: str
    value: str
    isRegex: bool  # noqa: N815  # Alertmanager's names
    isEqual: bool  # noqa: N815


class PostableSilence(Published):
    """`postableSilence` in Alertmanager's api/v2/openapi.yaml."""

    matchers: list[PublishedMatcher] = Field(min_length=1)
    startsAt: AwareDatetime  # noqa: N815
    endsAt: AwareDatetime  # noqa: N815
    createdBy: str  # noqa: N815
    comment: str


def test_the_silence_request_has_the_published_shape() -> None:
    PostableSilence.model_validate_json(recording("v2/post_silence_request.json"))
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return recorded("post_silence_response.json")

    client = AlertmanagerClient(
        settings("http://am/"),
        httpx2.Client(transport=httpx2.MockTransport(answer)),
    )
    made = client.silence(**silence(Site("http://am", Bot("/")), "HighErrorRate"))
    assert made.id == json.loads(recording("v2/post_silence_response.json"))["silenceID"]
    assert str(seen[0].url) == "http://am/api/v2/silences"
    body = PostableSilence.model_validate_json(seen[0].content)
    assert [m.isRegex for m in body.matchers] == [False, True]
    assert body.startsAt <= body.endsAt


def test_a_proxys_token_is_sent() -> None:
    got: list[str] = []
    bot = Bot("/api/v2/silences")

    with serving(bot.app, listening()) as url:
        failure(AlertmanagerClient(settings(url)).silence, **silence(Site(url, bot), "X"))
    got = [headers["authorization"] for headers, _ in bot.got]
    assert got == ["Bearer proxy-token"]
