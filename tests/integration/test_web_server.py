"""The web process as a person starts it: `signalbox web`, over a real socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from web_kit import jira_body, jira_headers

from bot.core.database import Database
from bot.core.inbox import Inbox
from tests.conftest import free_port, wait_until

pytestmark = pytest.mark.integration
NOWHERE = "redis://127.0.0.1:1/0"


def environment(data: Path, port: int, redis_url: str) -> dict[str, str]:
    inherited = os.environ.items()  # noqa: TID251  # for a child process
    own = {k: v for k, v in inherited if not k.startswith(("SIGNALBOX_", "SLACK_", "JIRA_"))}
    return own | {
        "SIGNALBOX_DATA_DIR": str(data),
        "SIGNALBOX_SECRET_KEY": "k" * 32,
        "SIGNALBOX_WEB__PORT": str(port),
        "JIRA_WEBHOOK_SECRET": "jira-secret",
        "REDIS_URL": redis_url,
    }


@contextmanager
def signalbox_web(
    data: Path, redis_url: str = NOWHERE
) -> Iterator[tuple[subprocess.Popen[str], httpx2.Client]]:
    port = free_port()
    argv = [sys.executable, "-m", "bot", "web"]
    env = environment(data, port, redis_url)
    with (
        subprocess.Popen(argv, env=env, cwd=data, stderr=subprocess.PIPE, text=True) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        try:
            wait_until(lambda: answers(process, http), what="the web process")
            yield process, http
        finally:
            process.kill()


def answers(process: subprocess.Popen[str], http: httpx2.Client) -> bool:
    assert process.poll() is None, "The web process ended."
    try:
        http.get("/api/health")
    except httpx2.TransportError:
        return False
    return True


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    return said


def test_with_redis_away_a_delivery_is_on_disk_before_its_answer(tmp_path: Path) -> None:
    body = jira_body()
    with signalbox_web(tmp_path) as (process, http):
        answer = http.post("/webhooks/jira", content=body, headers=jira_headers(body))
        process.kill()
    assert answer.status_code == 202
    inbox = Inbox(Database(f"sqlite:///{tmp_path / 'signalbox.db'}"))
    assert inbox.event(answer.json()["id"])[1] == body


def test_the_server_says_little_about_itself_and_stops_when_told(tmp_path: Path) -> None:
    with signalbox_web(tmp_path) as (process, http):
        answer = http.get("/api/health")
        said = stop(process)
    assert "server" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert process.returncode in {0, -signal.SIGTERM}
    assert "Traceback" not in said


def test_a_sender_that_hangs_up_leaves_a_line_not_a_traceback(tmp_path: Path) -> None:
    with signalbox_web(tmp_path) as (process, http):
        sock = socket.create_connection((http.base_url.host, http.base_url.port))
        sock.sendall(b"POST /webhooks/jira HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nhalf")
        time.sleep(0.05)
        sock.close()
        assert http.get("/api/health").status_code == 200
        said = stop(process)
    assert "hung up" in said
    assert "Traceback" not in said


def test_without_a_redis_url_the_start_is_refused_in_words(tmp_path: Path) -> None:
    env = environment(tmp_path, 1, "")
    argv = [sys.executable, "-m", "bot", "web"]
    ran = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode != 0
    assert "REDIS_URL is not set" in ran.stderr
    assert "Traceback" not in ran.stderr
