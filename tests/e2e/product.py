"""The product as a user starts it: `signalbox up` with the sandbox, driven over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import psutil

from tests.conftest import free_port, wait_until

ALICE, BOB, CAROL = "U0SBALICE", "U0SBBOB00", "U0SBCAROL"
START_SECONDS = 120


def clean_environment() -> dict[str, str]:
    ours = ("SIGNALBOX_", "SLACK_", "JIRA_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}  # noqa: TID251


class Product:
    def __init__(self, data: Path, **env: str) -> None:
        self.data = data
        self.port, self.sandbox_port = free_port(), free_port()
        self.env = env
        self.lines: list[str] = []
        self.http = httpx2.Client(timeout=10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    def start(self) -> Product:
        self.log = (self.data.parent / f"{self.data.name}.up.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bot", "up", "--port", str(self.port), "--sandbox-port",
             str(self.sandbox_port), "--data", str(self.data)],
            env=clean_environment() | self.env,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        wait_until(self._is_ready, START_SECONDS, "`ready:`")
        return self

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"`signalbox up` ended early:\n{self.output()}")
        return f"ready: {self.url}" in self.output()

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `signalbox …` as somebody on the same machine would."""
        env = clean_environment() | self.env | {"SIGNALBOX_DATA_DIR": str(self.data), "COLUMNS": "400"}
        argv = [sys.executable, "-m", "bot", *arguments]
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)

    def output(self) -> str:
        return Path(self.log.name).read_text()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def find(self, *words: str) -> list[psutil.Process]:
        """Child processes whose command line has all the words."""
        found = []
        for process in self.processes():
            try:
                line = " ".join(process.cmdline())
            except psutil.NoSuchProcess:
                continue
            if all(word in line for word in words):
                found.append(process)
        return found

    # -- what a person does ------------------------------------------------------------------------

    def page(self, method: str, path: str, **body: Any) -> Any:
        response = self.http.request(method, f"{self.sandbox}/page/{path}", json=body or None)
        assert response.status_code < 400, response.text
        return response.json() if response.content else None

    def say(self, user: str, text: str, channel: str = "C0GENERAL") -> Any:
        return self.page("POST", "slack/say", user=user, channel=channel, text=text)

    def messages(self, channel: str, user: str = ALICE) -> list[dict[str, Any]]:
        return self.page("GET", f"slack/state?user={user}&limit=1000")["messages"][channel]

    def top_level(self, channel: str) -> list[dict[str, Any]]:
        """What stands in the channel for everybody; a message with replies names itself as its thread."""
        found = [m for m in self.messages(channel) if not m.get("ephemeral_for")]
        return [m for m in found if m.get("thread_ts") in {None, m["ts"]}]

    def answers(self, user: str, channel: str = "C0GENERAL") -> list[str]:
        return [as_text(m) for m in self.messages(channel, user) if m.get("ephemeral_for") == user]

    def click(self, user: str, channel: str, message: dict[str, Any], label: str) -> Any:
        block, element = next(
            (b, e)
            for b in blocks_of(message)
            for e in b.get("elements", ())
            if e.get("type") == "button" and e["text"]["text"].startswith(label)
        )
        return self.page(
            "POST", "slack/click", user=user, channel=channel, ts=message["ts"],
            block_id=block["block_id"], action_id=element["action_id"], value=element.get("value"),
        )  # fmt: skip

    def ticket(self, summary: str, description: str = "") -> str:
        return self.page("POST", "jira/issues", user="mia", summary=summary, description=description)["key"]

    def issue(self, key: str) -> dict[str, Any]:
        return next(i for i in self.page("GET", "jira/state")["issues"] if i["key"] == key)

    def labels(self, key: str) -> list[str]:
        return [label["name"] for label in self.issue(key)["labels"]]

    def add_to_slack(self, team: str) -> str:
        """What a person does: open the link, press Add to Slack, choose the workspace, come back."""
        link = self.cli("slack", "install-link").stdout.strip()
        with httpx2.Client(timeout=30, follow_redirects=True) as browser:
            form = re.search(
                r'action="([^"]+)"><input type="hidden" name="code" value="([^"]+)">', browser.get(link).text
            )
            assert form
            page = browser.post(self.url + form[1], data={"code": form[2]})
            button = re.search(r'class="button" href="([^"]+)"', page.text)
            assert button
            choose = re.search(rf'href="([^"]+into={team})"', browser.get(unescape(button[1])).text)
            assert choose
            return browser.get(f"{self.sandbox}/slack/oauth/v2/authorize{unescape(choose[1])}").text

    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        metrics = self.http.get(f"{self.url}/metrics").text
        waiting = [
            float(line.rsplit(" ", 1)[1])
            for line in metrics.splitlines()
            if line.startswith(
                ('signalbox_inbox_runs{status="pending"', 'signalbox_inbox_runs{status="leased"')
            )
        ]
        return not any(waiting)

    def at_rest(self) -> bool:
        """Whether nothing waits, nothing runs, and the helpdesk has nothing left to deliver or to deliver again."""

        def delivered() -> bool:
            return all(sent["state"] != "pending" for sent in self.page("GET", "jira/deliveries"))

        # What runs may cause a delivery, and a delivery a run: so one is asked before and after the other.
        with suppress(httpx2.TransportError):  # the web process may be on its way up
            return self.idle() and delivered() and self.idle()
        return False


def blocks_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [b for a in message.get("attachments") or () for b in a.get("blocks") or ()]
    return [*(message.get("blocks") or ()), *inner]


def as_text(message: dict[str, Any]) -> str:
    """All the words of a message, however it is built."""

    def words(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["text"]] if isinstance(node.get("text"), str) else []
            return own + [w for value in node.values() for w in words(value)]
        return [w for value in node for w in words(value)] if isinstance(node, list) else []

    return " ".join([message.get("text") or "", *words(blocks_of(message))])


def gone(pids: list[int], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE for p in pids):
            return True
        time.sleep(0.1)
    return False
