"""What a sender is told, and what is on disk by then."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from web_kit import Web, alert_body, bearer, jira_body, jira_headers, signed, web

from bot.core.errors import Transient
from bot.core.events import NewEvent, Receipt
from tests.recordings import recording

pytestmark = pytest.mark.integration


@pytest.fixture
def site(database_url: str) -> Iterator[Web]:
    with web(database_url) as running:
        yield running


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Web]:
    """On SQLite only, where the answer does not depend on the database."""
    with web(f"sqlite:///{tmp_path / 'web.db'}") as running:
        yield running


def zendesk_headers(body: bytes, at: datetime | None = None) -> dict[str, str]:
    stamp = (at or datetime.now(UTC)).isoformat()
    digest = hmac.new(b"zen-secret", stamp.encode() + body, hashlib.sha256).digest()
    return {
        "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
        "X-Zendesk-Webhook-Invocation-Id": "z1",
    }


BODY = b'{"n": 1}'
DELIVERIES: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "jira": ("/webhooks/jira", jira_body(), jira_headers(jira_body())),
    "alertmanager": ("/webhooks/alertmanager", alert_body(), bearer("am-token")),
    "github": (
        "/webhooks/github",
        BODY,
        {"X-Hub-Signature-256": signed("hub-secret", BODY), "X-GitHub-Delivery": "g1"},
    ),
    "zendesk": ("/webhooks/zendesk", BODY, {}),
    "generic": (
        "/webhooks/generic/deploys",
        BODY,
        {"X-Signature-256": signed("dep-secret", BODY), "X-Id": "i1"},
    ),
}


def post(site: Web, source: str, **more: str) -> Any:
    path, body, headers = DELIVERIES[source]
    if source == "zendesk":
        headers = zendesk_headers(body)
    return site.http.post(path, content=body, headers=headers | more)


# --- accepted -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", list(DELIVERIES))
def test_a_delivery_is_on_disk_when_it_is_acknowledged_and_known_when_it_is_repeated(
    site: Web, source: str
) -> None:
    first = post(site, source)
    assert (first.status_code, first.json()["duplicate"]) == (202, False)
    event, body = site.kernel.inbox.event(first.json()["id"])
    assert (event.source, body) == (source, DELIVERIES[source][1])
    again = post(site, source)
    assert (again.status_code, again.json()) == (202, {"id": event.id, "duplicate": True})
    assert len(site.kernel.inbox.recent()) == 1


def test_freshdesk_passes_with_its_token(lite: Web) -> None:
    answer = lite.http.post("/webhooks/freshdesk", content=BODY, headers=bearer("fresh-token"))
    assert answer.status_code == 202
    assert lite.kernel.inbox.recent()[0].kind == "generic.freshdesk"


def test_runs_are_handed_to_the_workers_once(lite: Web) -> None:
    post(lite, "jira")
    post(lite, "jira")
    [run] = lite.kernel.inbox.runs()
    assert (run.handler, run.status) == ("listener.ticket", "pending")
    assert [due.run_id for due in lite.queue.runs] == [run.id]


def test_an_event_that_no_plugin_wants_is_kept_without_runs(lite: Web) -> None:
    assert post(lite, "github").status_code == 202
    assert lite.kernel.inbox.runs() == []
    assert len(lite.kernel.inbox.recent()) == 1


def test_what_needs_no_handling_is_acknowledged_and_not_kept(lite: Web) -> None:
    body = jira_body(event="jira:version_released")
    answer = lite.http.post("/webhooks/jira", content=body, headers=jira_headers(body))
    assert (answer.status_code, answer.json()) == (202, {"ignored": True})
    assert lite.kernel.inbox.recent() == []


def test_the_storm_is_taken_in_one_piece(site: Web) -> None:
    body = gzip.decompress(recording("storm_1000_alerts_one_group.json.gz"))
    answer = site.http.post("/webhooks/alertmanager", content=body, headers=bearer("am-token"))
    assert answer.status_code == 202
    assert site.kernel.inbox.event(answer.json()["id"])[1] == body


async def test_deliveries_that_arrive_together_are_all_kept(site: Web) -> None:
    transport = httpx2.ASGITransport(app=site.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bot") as http:

        async def send(number: int) -> httpx2.Response:
            body = jira_body(f"SUP-{number // 2}")
            return await http.post(
                "/webhooks/jira", content=body, headers=jira_headers(body, f"d{number // 2}")
            )

        answers = await asyncio.gather(*(send(number) for number in range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 50
    assert len(site.kernel.inbox.recent(200)) == 50


# --- refused --------------------------------------------------------------------------------------------


def refused(source: str) -> float:
    labels = {"source": source, "outcome": "refused"}
    return REGISTRY.get_sample_value("signalbox_inbox_received_total", labels) or 0.0


@pytest.mark.parametrize("source", list(DELIVERIES))
def test_a_forged_delivery_is_401_counted_and_told_nothing(lite: Web, source: str) -> None:
    path, _, _ = DELIVERIES[source]
    before = refused(source)
    answer = lite.http.post(path, content=b"{}", headers={"X-Hub-Signature": "sha256=00"} | bearer("guess"))
    assert (answer.status_code, answer.json()) == (401, {"error": "not authentic"})
    assert refused(source) == before + 1
    assert lite.kernel.inbox.recent() == []


def test_a_stale_signature_is_401(lite: Web) -> None:
    old = zendesk_headers(BODY, datetime(2026, 1, 1, tzinfo=UTC))
    assert lite.http.post("/webhooks/zendesk", content=BODY, headers=old).status_code == 401


def test_a_source_without_a_secret_is_401_and_only_the_log_names_the_setting(tmp_path: Path) -> None:
    with web(f"sqlite:///{tmp_path / 'w.db'}", jira={}) as running, capture_logs() as logs:
        answer = post(running, "jira")
    assert (answer.status_code, answer.json()) == (401, {"error": "not authentic"})
    assert any("JIRA_WEBHOOK_SECRET" in entry.get("error", "") for entry in logs)


def test_a_malformed_body_is_400_with_the_reason(lite: Web) -> None:
    answer = lite.http.post("/webhooks/jira", content=b"{", headers=jira_headers(b"{"))
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/webhooks/nobody", "/webhooks/slack", "/webhooks/schedule", "/webhooks/generic/x"]
)
def test_an_unknown_source_is_404(lite: Web, path: str) -> None:
    before = refused("unknown") + refused("generic")
    answer = lite.http.post(path, content=b"{}")
    assert (answer.status_code, answer.json()) == (404, {"error": "unknown source"})
    assert refused("unknown") + refused("generic") == before + 1


@pytest.mark.parametrize(("source", "limit"), [("jira", 1_000_000), ("github", 1_000_000)])
def test_a_large_body_is_413_before_it_is_read(lite: Web, source: str, limit: int) -> None:
    announced = lite.http.post(f"/webhooks/{source}", content=b" " * (limit + 1))
    assert announced.status_code == 413

    def parts() -> Iterator[bytes]:
        for _ in range(limit // 100_000 + 1):
            yield b" " * 100_000

    assert lite.http.post(f"/webhooks/{source}", content=parts()).status_code == 413


def test_alertmanager_may_send_sixteen_megabytes(lite: Web) -> None:
    body = alert_body(padding="x" * 15_000_000)
    assert (
        lite.http.post("/webhooks/alertmanager", content=body, headers=bearer("am-token")).status_code == 202
    )
    assert lite.http.post("/webhooks/alertmanager", content=b" " * 16_000_001).status_code == 413


def test_other_methods_are_405(lite: Web) -> None:
    assert lite.http.get("/webhooks/jira").status_code == 405


# --- Alertmanager's own rules, and a database that refuses -------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b'{"version": "5"}', alert_body(version="3")])
def test_what_alertmanager_would_repeat_for_ever_is_kept_as_a_dead_letter(site: Web, body: bytes) -> None:
    answer = site.http.post("/webhooks/alertmanager", content=body, headers=bearer("am-token"))
    assert answer.status_code == 202
    [run] = site.dead()
    assert run.event_id == answer.json()["id"]
    assert "v4" in run.error
    assert site.queue.runs == []
    assert site.kernel.inbox.event(run.event_id)[1] == body


@pytest.mark.parametrize("source", ["jira", "alertmanager"])
def test_when_the_inbox_refuses_the_sender_is_told_to_come_back(
    lite: Web, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(events: list[NewEvent]) -> list[Receipt]:
        raise Transient("The database is locked.")

    monkeypatch.setattr(lite.kernel.inbox, "put_many", full)
    answer = post(lite, source)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "locked" not in answer.text
    monkeypatch.undo()
    assert post(lite, source).status_code == 202
