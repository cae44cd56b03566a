"""POST /api/churn/score through the web process: tokens, limits, reasons, and no model to score with."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from ml.churn.runs import Reason, Scored
from plugins.churn_digest import ChurnDigest
from plugins.churn_digest.serving.app import Service, build
from plugins.churn_digest.serving.model import Model, NoModelError
from tests.conftest import free_port, wait_until
from tests.integration.web_kit import READ, WRITE, Web, bearer, web

pytestmark = pytest.mark.integration
REASON = Reason(
    feature="logins_trend", text="logins fell 62%", direction="raises", impact=0.4, value=-0.6, median=0.0
)


class Champion:
    def __init__(self, version: str) -> None:
        self.version = version

    def score(self, rows: list[dict[str, Any]]) -> Sequence[Scored]:
        if any("logins" not in row for row in rows):
            raise ValueError("The customer lacks the feature 'logins'.")
        return [
            Scored(
                customer_id=row["customer_id"], name="", probability=row["logins"] / 10, band="high",
                reasons=(REASON,),
            )
            for row in rows
        ]  # fmt: skip


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A data directory with a champion of version 1."""
    (tmp_path / "models").mkdir()
    promote(tmp_path, "1")
    return tmp_path


def promote(folder: Path, version: str) -> None:
    (folder / "models" / "champion.json").write_text(version)


def load(folder: Path) -> Champion:
    pointer = folder / "models" / "champion.json"
    if not pointer.exists():
        raise NoModelError("No model has been promoted yet: run `signalbox churn train`.")
    return Champion(pointer.read_text())


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    port = free_port()
    app = build(Service(Model(folder, load)))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, what="the server")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def site(tmp_path: Path, pipeline: Path) -> Iterator[Web]:
    with serving(pipeline) as url, pointed_at(tmp_path, url) as found:
        yield found


def pointed_at(tmp_path: Path, url: str) -> Any:
    plugin = ChurnDigest(ChurnDigest.Config())
    return web(f"sqlite:///{tmp_path / 'w.db'}", plugin, churn={"url": url})


def ask(site: Web, token: str = WRITE, **fields: Any) -> Any:
    return site.http.post("/api/churn/score", json=fields, headers=bearer(token))


def test_one_customer_has_one_answer_with_reasons_and_several_have_a_list(site: Web) -> None:
    answer = ask(site, customer={"customer_id": "C-1", "logins": 7}).json()
    assert (answer["customer_id"], answer["probability"], answer["model_version"]) == ("C-1", 0.7, "1")
    assert answer["reasons"][0]["text"] == "logins fell 62%"
    many = ask(site, customers=[{"customer_id": f"C-{n}", "logins": n} for n in range(5)]).json()
    assert [result["customer_id"] for result in many["results"]] == [f"C-{n}" for n in range(5)]


def test_a_token_with_the_scope_write_is_needed(site: Web) -> None:
    customer = {"customer_id": "C-1", "logins": 7}
    assert site.http.post("/api/churn/score", json={"customer": customer}).status_code == 401
    assert ask(site, READ, customer=customer).status_code == 403


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 422, "other fields than expected"),
        ({"customers": []}, 422, "at least one"),
        ({"customers": [{}] * 1001}, 413, "at most 1,000"),
        ({"customer": {"logins": 1}}, 422, "no customer_id"),
        ({"customer": "C-1"}, 422, "not an object"),
        ({"customer": {"customer_id": "C-1"}}, 422, "lacks the feature 'logins'"),
        ({"customer": {"customer_id": "C-1", "logins": [1]}}, 422, "customer.logins is neither text"),
        ({"customer": {"customer_id": "C-1", "logins": True}}, 422, "customer.logins is neither text"),
        ({"customer": {"customer_id": "C-1", "logins": 10**400}}, 422, "finite number"),
        ({"customer": {"customer_id": "C-1", "renewal": "soon"}}, 422, "a date such as 2027-02-22"),
        ({"customer": {"customer_id": "C-1", "renewal": 5}}, 422, "a date such as 2027-02-22"),
        ({"customers": [{"customer_id": "C-1", "logins": 1}] * 2}, 422, "'C-1' is sent 2 times"),
    ],
)
def test_bad_input_has_a_clear_answer(site: Web, fields: dict[str, Any], status: int, words: str) -> None:
    answer = ask(site, **fields)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_a_promotion_is_taken_up_by_the_next_request(site: Web, pipeline: Path) -> None:
    customer = {"customer_id": "C-1", "logins": 7}
    assert ask(site, customer=customer).json()["model_version"] == "1"
    (pipeline / "models" / "champion.json").unlink()
    promote(pipeline, "2")
    assert ask(site, customer=customer).json()["model_version"] == "2"


def test_without_a_champion_it_is_503_and_says_what_to_do(site: Web, pipeline: Path) -> None:
    (pipeline / "models" / "champion.json").unlink()
    answer = ask(site, customer={"customer_id": "C-1", "logins": 7})
    assert answer.status_code == 503
    assert "signalbox churn train" in answer.json()["detail"]
    assert answer.headers["retry-after"]


def test_without_the_process_it_is_503_and_health_is_degraded(tmp_path: Path) -> None:
    with pointed_at(tmp_path, f"http://127.0.0.1:{free_port()}") as site:
        answer = ask(site, customer={"customer_id": "C-1", "logins": 7})
        assert answer.status_code == 503
        assert "make train-deps" in answer.json()["detail"]
        health = site.http.get("/api/churn/health").json()
        assert health["status"] == "degraded"


def test_health_is_ok_and_names_the_model_that_is_loaded(site: Web) -> None:
    assert site.http.get("/api/churn/health").json()["status"] == "ok"
    ask(site, customer={"customer_id": "C-1", "logins": 7})
    assert site.http.get("/api/churn/health").json()["checks"]["score"] == "model 1"
