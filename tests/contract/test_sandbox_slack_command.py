"""`python -m integrations.sandbox`, as a person starts it."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from slack_sdk import WebClient
from standin_server import listening, until

pytestmark = pytest.mark.contract


def free_port() -> int:
    with listening() as sock:
        return int(sock.getsockname()[1])


def start(port: int, data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "integrations.sandbox", "--port", str(port), "--data", str(data)]
    flags = ["--no-rate-limits", "--retry-scale", "0", "--no-own-messages"]
    return subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, text=True)


def is_up(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health").status_code == 200
    except httpx2.TransportError:
        return False


def test_it_starts_keeps_its_state_and_stops_on_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-from-environment")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    client = WebClient("xoxb-from-environment", base_url=f"{url}/slack/api/")
    for expected in ([], ["kept"]):
        process = start(port, tmp_path)
        try:
            until(lambda: is_up(url))
            history = client.conversations_history(channel="C0GENERAL")["messages"]
            assert [message["text"] for message in history] == expected
            client.chat_postMessage(channel="C0GENERAL", text="kept")
            with httpx2.stream("GET", f"{url}/page/stream"):
                process.send_signal(signal.SIGINT)
                said, _ = process.communicate(timeout=20)
        finally:
            process.kill()
            process.wait()
        assert said.startswith(f"sandbox: {url} ")
