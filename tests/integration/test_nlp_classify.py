"""POST /api/nlp/classify through the web process: tokens, limits, and a model's process that is not well."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request

from bot.web.disconnect import unless_gone
from plugins.autotag.serving.model import Model
from tests.conftest import free_port, wait_until
from tests.integration.nlp_kit import Gate, nlp
from tests.integration.test_web_api import AutoTag
from tests.integration.web_kit import READ, WRITE, Web, bearer, web

pytestmark = pytest.mark.integration


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def site(tmp_path: Path, gate: Gate) -> Iterator[Web]:
    with nlp(gate.loaded()) as url, pointed_at(tmp_path, url) as found:
        yield found
        gate.open.set()


def pointed_at(tmp_path: Path, url: str, **changed: Any) -> Any:
    settings = {"nlp": {"url": url} | changed}
    return web(f"sqlite:///{tmp_path / 'w.db'}", AutoTag(AutoTag.Config()), **settings)


def ask(site: Web, token: str = WRITE, **fields: Any) -> Any:
    return site.http.post("/api/nlp/classify", json=fields, headers=bearer(token))


def is_problem(answer: Any, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert words in answer.json()["detail"]
    if status == 503:
        assert int(answer.headers["retry-after"]) >= 1


def test_one_text_has_one_answer_and_several_have_a_list(site: Web) -> None:
    answer = ask(site, text="Where is my invoice?").json()
    assert answer["category"] == "billing"
    assert answer["model_version"] == "test/1"
    several = ask(site, texts=["a", "b", "c"]).json()["results"]
    assert [one["reason"] for one in several] == ["a", "b", "c"]


def test_a_token_of_the_scope_write_is_needed(site: Web, gate: Gate) -> None:
    assert site.http.post("/api/nlp/classify", json={"text": "a"}).status_code == 401
    assert ask(site, token="made-up", text="a").status_code == 401
    assert ask(site, token=READ, text="a").status_code == 403
    assert gate.begun == []


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"text": ""}, 422, "text is empty"),
        ({"texts": ["a", " "]}, 422, "texts[1] is empty"),
        ({"question": "a"}, 422, 'Send {"text"'),
        ({"texts": ["a"] * 10_000}, 413, "send at most 1,000"),
        ({"text": "a" * 5 * 2**20}, 413, "larger than"),
    ],
)
def test_bad_input_has_a_clear_answer(site: Web, fields: Any, status: int, words: str) -> None:
    is_problem(ask(site, **fields), status, words)


def test_a_body_that_is_not_json_is_refused(site: Web) -> None:
    is_problem(site.http.post("/api/nlp/classify", content=b"{", headers=bearer(WRITE)), 400, "not JSON")


def test_a_full_queue_is_503_and_recovers(site: Web, gate: Gate) -> None:
    gate.open.clear()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(ask, site, text="first")
        wait_until(lambda: gate.begun, what="the first batch")
        second = pool.submit(ask, site, texts=["x"] * 1000)
        wait_until(lambda: "1000" in health_of_process(site), what="a full queue")
        is_problem(ask(site, text="third"), 503, "1,000 texts are waiting")
        gate.open.set()
        assert first.result().status_code == 200
        assert len(second.result().json()["results"]) == 1000
    assert ask(site, text="fourth").status_code == 200


def health_of_process(site: Web) -> str:
    return httpx2.get(f"{site.kernel.settings.nlp.resolved_url()}/health").text


def test_a_process_that_is_away_is_503_and_degraded(tmp_path: Path) -> None:
    with pointed_at(tmp_path, f"http://127.0.0.1:{free_port()}") as site:
        is_problem(ask(site, text="a"), 503, "does not answer")
        health = site.http.get("/api/nlp/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert "python -m plugins.autotag.serving" in health.json()["checks"]["classify"]


def test_a_process_that_is_slow_is_503(tmp_path: Path, gate: Gate) -> None:
    with nlp(gate.loaded()) as url, pointed_at(tmp_path, url, timeout=0.2) as site:
        gate.open.clear()
        is_problem(ask(site, text="a"), 503, "did not answer in time")
        gate.open.set()


def test_a_model_that_is_loading_is_503_until_it_is_there(tmp_path: Path, gate: Gate) -> None:
    loading: Future[Model] = Future()
    with nlp(loading) as url, pointed_at(tmp_path, url) as site:
        is_problem(ask(site, text="a"), 503, "being loaded")
        assert "being loaded" in site.http.get("/api/nlp/health").json()["checks"]["classify"]
        loading.set_result(gate.loaded().result())
        wait_until(lambda: ask(site, text="a").status_code == 200, what="an answer")
        assert site.http.get("/api/nlp/health").json()["checks"]["classify"] == "model test/1"


def test_a_model_that_can_not_be_loaded_says_why(tmp_path: Path) -> None:
    loading: Future[Model] = Future()
    loading.set_exception(RuntimeError("its weights are not installed. Run: pip install …"))
    with nlp(loading) as url, pointed_at(tmp_path, url) as site:
        is_problem(ask(site, text="a"), 503, "weights are not installed")
        assert "weights are not installed" in site.http.get("/api/nlp/health").json()["checks"]["classify"]


def test_a_stranger_on_the_port_is_no_health(tmp_path: Path, site: Web) -> None:
    """Another program took the port: its pages are not taken for the model's."""
    with nlp(Gate().loaded()) as url, pointed_at(tmp_path, f"{url}/nowhere") as lost:
        assert lost.http.get("/api/nlp/health").json()["status"] == "degraded"
        is_problem(ask(lost, text="a"), 502, "answered 404")


def test_a_model_that_fails_is_told_and_tried_again(site: Web, gate: Gate) -> None:
    gate.fails = True
    is_problem(ask(site, text="a"), 502, "answered 500")
    gate.fails = False
    assert ask(site, text="a").status_code == 200


def test_a_kept_connection_that_is_hung_up_is_no_failure(tmp_path: Path) -> None:
    answered: dict[Any, bool] = {}

    class Once(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.close_connection = answered.pop(self.connection, False)
            if self.close_connection:
                return
            answered[self.connection] = True
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Once) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pointed_at(tmp_path, f"http://127.0.0.1:{server.server_port}") as site:
            assert [ask(site, text="a").status_code for _ in range(3)] == [200, 200, 200]
        server.shutdown()


async def test_a_caller_who_hangs_up_cancels_the_work() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "never"

    async def hang_up() -> dict[str, str]:
        await begun.wait()
        return {"type": "http.disconnect"}

    request = Request({"type": "http"}, hang_up)  # type: ignore[arg-type]
    assert await unless_gone(request, work()) is None
    await asyncio.wait_for(cancelled.wait(), 5)


def test_a_stop_answers_what_was_accepted(gate: Gate) -> None:
    gate.open.clear()
    with ThreadPoolExecutor(1) as pool:
        with nlp(gate.loaded()) as url:
            answer = pool.submit(httpx2.post, f"{url}/classify", json={"texts": ["a", "b"]}, timeout=20)
            wait_until(lambda: gate.begun, what="the batch")
            threading.Timer(0.3, gate.open.set).start()
        assert len(answer.result().json()["results"]) == 2


def test_the_openapi_page_tells_of_it(site: Web) -> None:
    operation = site.http.get("/openapi.json").json()["paths"]["/api/nlp/classify"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"].keys() == {"text", "texts"}
    assert "Prediction" in json.dumps(operation["responses"]["200"])
