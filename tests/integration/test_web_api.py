"""The web process beside its webhooks: API and tokens, health, metrics, overview, errors, headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import make_url, update
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from structlog.testing import capture_logs
from web_kit import ADMIN, READ, WRITE, Listener, Web, alert_body, bearer, jira_body, jira_headers, web

from bot.core.declare import Plugin
from bot.core.errors import ConfigError, Permanent, Refused, Transient
from bot.core.events import utc_now
from bot.core.inbox import Lease
from bot.core.registry import PluginStatus
from bot.core.tables import runs

pytestmark = pytest.mark.integration


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Web]:
    with web(f"sqlite:///{tmp_path / 'web.db'}") as running:
        yield running


def accepted(site: Web, key: str = "SUP-1") -> str:
    body = jira_body(key)
    answer = site.http.post("/webhooks/jira", content=body, headers=jira_headers(body, key))
    return str(answer.json()["id"])


def dead_letter(site: Web) -> str:
    event_id = accepted(site)
    [run] = site.kernel.inbox.runs(event_id=event_id)
    lease = site.kernel.inbox.lease(run.id, "worker", timedelta(seconds=30))
    assert isinstance(lease, Lease)
    site.kernel.inbox.dead(lease, "Jira refused <script>alert(1)</script>")
    return run.id


def is_problem(answer: Any, status: int, *words: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert all(word in body["detail"] for word in words), body["detail"]


# --- tokens ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/api/inbox", "read"),
        ("GET", "/api/events", "read"),
        ("GET", "/api/events/x", "read"),
        ("POST", "/api/inbox/x/replay", "write"),
    ],
)
def test_every_api_path_needs_a_token_of_its_scope(site: Web, method: str, path: str, needed: str) -> None:
    for headers in ({}, bearer("guess"), bearer(""), {"Authorization": f"Basic {READ}"}, bearer("tokén")):
        answer = site.http.request(method, path, headers={k: v.encode() for k, v in headers.items()})
        is_problem(answer, 401, "Authorization: Bearer", "api_tokens")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    tokens = {"read": READ, "write": WRITE, "admin": ADMIN}
    enough = list(tokens)[list(tokens).index(needed) :]
    for scope, token in tokens.items():
        answer = site.http.request(method, path, headers=bearer(token))
        if scope in enough:
            assert answer.status_code in {200, 404}
        else:
            is_problem(answer, 403, needed)


def test_without_configured_tokens_nobody_gets_in(tmp_path: Path) -> None:
    with web(f"sqlite:///{tmp_path / 'w.db'}", api_tokens={}) as running:
        is_problem(running.http.get("/api/inbox", headers=bearer("")), 401)
    with web(f"sqlite:///{tmp_path / 'w.db'}", api_tokens={"read": ""}) as running:
        is_problem(running.http.get("/api/inbox", headers=bearer("")), 401)


def test_a_token_that_could_be_guessed_stops_the_start(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"api_tokens\.write is shorter than 16"),
        web(f"sqlite:///{tmp_path / 'w.db'}", api_tokens={"write": "changeme"}),
    ):
        pass


def test_a_key_that_could_be_guessed_stops_the_start(tmp_path: Path) -> None:
    for key, what in (("", "not set"), ("k" * 31, "too short")):
        with (
            pytest.raises(ConfigError, match=f"SIGNALBOX_SECRET_KEY is {what}"),
            web(f"sqlite:///{tmp_path / 'w.db'}", secret_key=key),
        ):
            pass


def test_a_scope_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="reed"),
        web(f"sqlite:///{tmp_path / 'w.db'}", api_tokens={"reed": "x"}),
    ):
        pass


# --- inbox and events -------------------------------------------------------------------------------------


def test_runs_are_listed_by_status_newest_first(site: Web) -> None:
    dead = dead_letter(site)
    accepted(site, "SUP-2")
    everything = site.http.get("/api/inbox", headers=bearer(READ)).json()
    assert [(run["subject"], run["status"]) for run in everything] == [
        ("SUP-2", "pending"),
        ("SUP-1", "dead"),
    ]
    [found] = site.http.get("/api/inbox", params={"status": "dead"}, headers=bearer(READ)).json()
    assert (found["id"], found["handler"], found["kind"]) == (dead, "listener.ticket", "ticket.created")
    is_problem(site.http.get("/api/inbox?status=lost", headers=bearer(READ)), 422, "status")


def test_events_are_listed_with_and_without_runs(site: Web) -> None:
    event_id = accepted(site)
    [event] = site.http.get("/api/events?limit=5", headers=bearer(READ)).json()
    assert (event["id"], event["kind"], event["subject"]) == (event_id, "ticket.created", "SUP-1")


def test_a_trace_tells_an_event_from_delivery_to_audit(site: Web) -> None:
    event_id = accepted(site)
    site.kernel.steps.run(event_id, "listener.ticket/say", lambda: "said", {})
    site.kernel.audit.record("listener", "ticket.labelled", "SUP-1", after=["x"], event_id=event_id)
    trace = site.http.get(f"/api/events/{event_id[:20]}", headers=bearer(READ)).json()
    assert (trace["event"]["id"], trace["bytes"]) == (event_id, len(jira_body()))
    assert [run["handler"] for run in trace["runs"]] == ["listener.ticket"]
    assert [(step["status"], step["result"]) for step in trace["steps"]] == [("done", "said")]
    assert [row["action"] for row in trace["audit"]] == ["ticket.labelled"]


def test_an_unknown_event_is_404_and_says_where_ids_come_from(site: Web) -> None:
    is_problem(site.http.get("/api/events/ffff", headers=bearer(READ)), 404, "ffff", "signalbox inbox list")


def test_a_dead_letter_is_replayed_once_audited_and_handed_over(site: Web) -> None:
    run_id = dead_letter(site)
    site.queue.runs.clear()
    assert site.http.post(f"/api/inbox/{run_id}/replay", headers=bearer(WRITE)).json() == {"replayed": run_id}
    assert [due.run_id for due in site.queue.runs] == [run_id]
    assert site.kernel.inbox.runs()[0].status == "pending"
    assert [(row.actor, row.action) for row in site.kernel.audit.rows()] == [
        ("api:setting:write", "inbox.replay")
    ]
    again = site.http.post(f"/api/inbox/{run_id}/replay", headers=bearer(WRITE))
    is_problem(again, 404, "nothing to replay")
    assert len(site.kernel.audit.rows()) == 1


# --- health and metrics -----------------------------------------------------------------------------------


def down(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> float:
        raise Transient("The database postgresql://db.internal refused.")

    monkeypatch.setattr(site.kernel.inbox, "oldest_pending_seconds", refuse)


def test_a_well_node_is_200(site: Web) -> None:
    answer = site.http.get("/api/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert set(answer.json()["checks"]) == {"database", "redis", "inbox", "dead_letters", "backups"}


def test_a_node_without_a_database_is_503_and_keeps_the_reason_in_the_log(
    site: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    down(site, monkeypatch)
    with capture_logs() as logs:
        answer = site.http.get("/api/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert "db.internal" not in answer.text
    assert "db.internal" in str(logs)


@pytest.mark.parametrize("token", [READ, "sbx_" + "0" * 32 + "_guess"])
def test_where_the_database_is_only_the_log_says(tmp_path: Path, token: str) -> None:
    """Who guesses a token is asked for it in the database, too."""
    with web(f"sqlite:///{tmp_path / 'w.db'}") as running:
        running.kernel.db.engine.url = make_url("postgresql://signalbox@db.internal/main")
        with running.kernel.db.write() as tx:
            for table in ("runs", "api_tokens"):
                tx.exec_driver_sql(f"ALTER TABLE {table} RENAME TO gone_{table}")
        with capture_logs() as logs:
            answer = running.http.get("/api/inbox", headers=bearer(token))
    is_problem(answer, 503, "the log says why")
    assert answer.headers["Retry-After"] == "5"
    assert "db.internal" not in answer.text
    assert "gone_" not in answer.text
    assert "no such table" not in answer.text
    assert "db.internal" in str(logs)


def test_without_redis_a_node_still_takes_deliveries_and_says_what_waits(tmp_path: Path) -> None:
    with web(f"sqlite:///{tmp_path / 'w.db'}", redis_url="redis://127.0.0.1:1/0") as running:
        answer = running.http.get("/api/health")
        assert accepted(running)
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "wait in the inbox" in answer.json()["checks"]["redis"]


def test_an_inbox_that_nobody_works_on_is_degraded(site: Web) -> None:
    accepted(site)
    with site.kernel.db.write() as tx:
        tx.execute(update(runs).values(due_at=utc_now() - timedelta(seconds=90)))
    answer = site.http.get("/api/health").json()
    assert answer["status"] == "degraded"
    assert "workers" in answer["checks"]["inbox"]


def test_dead_letters_are_told_but_do_not_make_a_node_ill(site: Web) -> None:
    dead_letter(site)
    answer = site.http.get("/api/health").json()
    assert answer["status"] == "ok"
    assert answer["checks"]["dead_letters"].startswith("1 to look at")


def test_a_refused_plugin_is_named_by_system_health_only(site: Web) -> None:
    site.kernel.registry.report.append(PluginStatus("broken", "refused", "No module named 'x'"))
    assert site.http.get("/api/health").json()["status"] == "ok"
    answer = site.http.get("/api/system/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "`signalbox plugins list`" in answer.json()["checks"]["plugin broken"]
    assert answer.json()["checks"]["plugin listener"] == "ok"


def test_health_tells_a_stranger_no_error_s_text_and_nobody_s_name(site: Web) -> None:
    """Neither needs a token."""
    site.kernel.registry.report.append(PluginStatus("autotag", "refused", "postgresql://ml@private/db"))
    site.kernel.registry.report.append(PluginStatus("resting", "loaded"))
    site.kernel.pauses.begin("resting", "private.example refused")
    site.kernel.switches.turn_off("listener", "U0PRIVATE", "private reasons")
    with pytest.raises(OSError, match="private"), site.kernel.backups.watching("create"):
        raise OSError("no folder /srv/private")
    for path in ("/api/health", "/api/system/health", "/api/nlp/health", "/api/churn/health"):
        answer = site.http.get(path)
        assert "private" not in answer.text.lower()
    checks = site.http.get("/api/system/health").json()["checks"]
    assert "rests" in checks["plugin resting"]
    assert "switched off" in checks["plugin listener"]
    assert checks["backups"].startswith("The last backup's create failed")


class AutoTag(Plugin):
    name = "autotag"


@pytest.mark.parametrize(("path", "name"), [("nlp", "autotag"), ("churn", "churn-digest")])
def test_a_plugins_health_is_404_without_it_and_503_when_it_was_refused(
    site: Web, path: str, name: str
) -> None:
    is_problem(site.http.get(f"/api/{path}/health"), 404, name, "not loaded")
    site.kernel.registry.report.append(PluginStatus(name, "refused", "its model is missing"))
    answer = site.http.get(f"/api/{path}/health")
    assert answer.status_code == 503
    assert "not loaded" in answer.json()["checks"][name]


def test_a_loaded_plugins_health_is_200(tmp_path: Path) -> None:
    with web(f"sqlite:///{tmp_path / 'w.db'}", AutoTag(AutoTag.Config())) as running:
        answer = running.http.get("/api/nlp/health")
        assert (answer.status_code, answer.json()["checks"]["autotag"]) == (200, "ok")


def test_metrics_tell_of_deliveries_and_the_inbox(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted(site)
    page = site.http.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    assert 'signalbox_inbox_received_total{outcome="accepted",source="jira"}' in page.text
    assert 'signalbox_inbox_runs{status="pending"} 1.0' in page.text
    assert 'signalbox_ack_duration_seconds_bucket{le="0.1",source="jira"}' in page.text
    down(site, monkeypatch)
    assert "signalbox_inbox_received_total" in site.http.get("/metrics").text


# --- pages, plugins' routes, errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/api/health", "/metrics", "/api/inbox", "/nothing", "/docs", "/webhooks/x"]
)
def test_every_answer_has_the_security_headers(site: Web, path: str) -> None:
    headers = site.http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


def test_pages_of_ours_need_no_script(site: Web) -> None:
    for path in ("/", "/docs", "/docs/", "/docsx"):
        policy = site.http.get(path, follow_redirects=False).headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; ")
        assert "script-src" not in policy


def test_the_openapi_page_asks_nobody_else(site: Web) -> None:
    page = site.http.get("/docs").text
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(files) >= 4
    assert all(file.startswith("/") and site.http.get(file).status_code == 200 for file in files)
    assert "://" not in page
    assert re.findall(r"<script[^>]*>(?!</script>)", page) == []


def test_the_openapi_document_names_the_public_paths(site: Web) -> None:
    paths = set(site.http.get("/openapi.json").json()["paths"])
    assert paths >= {"/api/health", "/api/system/health", "/api/nlp/health", "/api/churn/health", "/metrics"}
    assert paths >= {"/api/inbox", "/api/events", "/api/events/{event_id}", "/api/inbox/{run_id}/replay"}
    assert site.http.get("/docs").status_code == 200


class Question(BaseModel):
    number: int


class Routed(Plugin):
    name = "routed"

    def routers(self) -> list[Any]:
        router = APIRouter()

        @router.post("/ask")
        def ask(question: Question) -> dict[str, int]:
            match question.number:
                case 0:
                    raise ZeroDivisionError("the secret is hunter2")
                case 1:
                    raise Transient("Jira rests.")
                case 2:
                    raise Refused("Not on Sundays.")
                case 3:
                    raise Permanent("There is no such thing.")
            return {"answer": 42}

        return [router]


class Faulty(Plugin):
    name = "faulty"

    def routers(self) -> list[Any]:
        raise ImportError("No module named 'torch'")


async def _anybody(_request: object) -> PlainTextResponse:
    return PlainTextResponse("open")


def _answer() -> str:
    return "guarded"


class Open(Plugin):
    """Its author did not know that these take no dependencies."""

    name = "open"

    def routers(self) -> list[Any]:
        inner, outer = APIRouter(), APIRouter()
        inner.get("/guarded")(_answer)
        if self.how == "route":
            inner.add_route("/x", _anybody)
        else:
            inner.routes.append(Mount("/x", _anybody))
        outer.include_router(inner, prefix="/inner")
        return [outer]

    how = ""


@pytest.mark.parametrize("how", ["route", "mount"])
def test_a_plugin_s_routes_that_no_token_would_guard_are_not_served(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Open, "how", how)
    with capture_logs() as logs, web(f"sqlite:///{tmp_path / 'web.db'}", Open(Open.Config())) as running:
        for path in ("x", "x/y", "guarded"):
            assert running.http.get(f"/api/open/inner/{path}", headers=bearer(WRITE)).status_code == 404
    [refused] = [entry for entry in logs if entry["event"] == "plugin.routes_refused"]
    assert "no token guards it" in str(refused["exc_info"])


@pytest.fixture
def routed(tmp_path: Path) -> Iterator[Web]:
    plugins = (Faulty(Faulty.Config()), Routed(Routed.Config()), Listener(Listener.Config()))
    with web(f"sqlite:///{tmp_path / 'web.db'}", *plugins) as running:
        yield running


def ask(site: Web, number: Any, token: str = WRITE) -> Any:
    return site.http.post("/api/routed/ask", json={"number": number}, headers=bearer(token))


def test_a_plugins_routes_stand_under_its_name_behind_a_token(routed: Web) -> None:
    assert ask(routed, 7).json() == {"answer": 42}
    is_problem(ask(routed, 7, "guess"), 401)
    is_problem(ask(routed, 7, READ), 403, "write")


def test_errors_are_problems_never_tracebacks(routed: Web) -> None:
    with capture_logs() as logs:
        answer = ask(routed, 0)
    is_problem(answer, 500, "log")
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert any(entry["event"] == "request.failed" for entry in logs)
    again = ask(routed, 1)
    is_problem(again, 503, "Jira rests")
    assert again.headers["Retry-After"] == "5"
    is_problem(ask(routed, 2), 403, "Sundays")
    is_problem(ask(routed, 3), 404, "no such thing")
    is_problem(ask(routed, "many"), 422, "number")
    is_problem(routed.http.get("/nothing"), 404)
    is_problem(routed.http.delete("/api/inbox"), 405)


def test_a_plugin_that_cannot_make_its_routes_stops_nobody(routed: Web) -> None:
    assert routed.http.get("/api/health").status_code == 200
    assert accepted(routed)
    assert routed.http.post(
        "/webhooks/alertmanager", content=alert_body(), headers=bearer("am-token")
    ).is_success
