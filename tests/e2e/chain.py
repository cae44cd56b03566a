"""The product between a real Prometheus and real Alertmanagers, and ways to them that fail."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from integrations.sandbox.incident.monitoring import Site, running
from tests.conftest import wait_until
from tests.e2e.product import Product, as_text, blocks_of

ALERTS = "C0ALERTS0"
HEARTBEAT_SECONDS = 16
"""More than the time in which an identical body is taken for the same notification."""
FAILURES = 3
Message = dict[str, Any]


class Way:
    """What stands between Alertmanager and Signalbox, and fails a few times for each kind of fault.

    "cut": the notification arrives, and the answer to it does not. "ill": it is answered 503. "mute": it
    arrives, and nothing is answered until Alertmanager gives up.
    """

    def __init__(self, webhook: str) -> None:
        self.webhook = webhook
        self.heard: Counter[str] = Counter()
        self.over = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{kind}"

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        way = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body, kind = self.rfile.read(int(self.headers["Content-Length"])), self.path[1:]
                way.heard[kind] += 1
                fails = way.heard[kind] <= (1 if kind == "mute" else FAILURES)
                if kind == "ill" and fails:
                    self._answer(503)
                    return
                status = self._forward(body)
                if fails:
                    way.over.wait(30 if kind == "mute" else 0)
                    self.close_connection = True  # without an answer
                else:
                    self._answer(status)

            def _forward(self, body: bytes) -> int:
                names = ("Authorization", "Content-Type", "User-Agent")
                headers = {name: self.headers[name] for name in names}
                return httpx2.post(way.webhook, content=body, headers=headers).status_code

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        return Handler


def configure(site: Site, way: Way) -> None:
    """What an Alertmanager needs for each situation, before it is started."""
    file = site.folder / "alertmanager.yml"
    config = json.loads(file.read_text())
    [webhook] = config["receivers"][0]["webhook_configs"]
    config["receivers"].append({"name": "few", "webhook_configs": [{**webhook, "max_alerts": 3}]})
    few = {"matchers": ['way="few"'], "receiver": "few"}
    beats = {"matchers": ['alertname="Watchdog"'], "repeat_interval": f"{HEARTBEAT_SECONDS}s"}
    config["route"]["routes"] = [few, beats]
    for kind in ("cut", "ill", "mute"):
        config["receivers"].append({"name": kind, "webhook_configs": [{**webhook, "url": way.url(kind)}]})
        config["route"]["routes"].append({"matchers": [f'way="{kind}"'], "receiver": kind})
    outage = {"source_matchers": ['alertname="Outage"'], "target_matchers": ['alertname="Symptom"']}
    config["inhibit_rules"] = [{**outage, "equal": ["zone"]}]
    file.write_text(json.dumps(config))


class Chain:
    def __init__(self, product: Product, site: Site, way: Way) -> None:
        self.product = product
        self.site = site
        self.way = way

    @classmethod
    @contextmanager
    def started(cls, base: Path, settings: Mapping[str, str], *, gossiping: bool = False) -> Iterator[Chain]:
        """All of it in folders of `base`; Alertmanagers that do not gossip have the ways that fail."""
        product, folder = Product(base / "data"), base / "site"
        folder.mkdir()
        webhook = f"{product.url}/webhooks/alertmanager"
        way = Way(webhook)
        site = Site(folder, webhook, alertmanagers=2, gossiping=gossiping)
        with running(site, None if gossiping else lambda: configure(site, way)):
            product.env = site.environment() | settings
            product.start()
            try:
                yield cls(product, site, way)
            finally:
                product.stop()
                way.close()

    # -- what Alertmanager is told -----------------------------------------------------------------

    def fire(self, name: str, *, to: str = "alertmanager", **labels: str) -> dict[str, Any]:
        """Put an alert into an Alertmanager by hand; it gives them up only after minutes."""
        return self.fire_all([{"alertname": name, **labels}], to=to)[0]

    def fire_all(self, many: list[dict[str, str]], *, to: str = "alertmanager") -> list[dict[str, Any]]:
        alerts = [
            {
                "labels": {"service": labels["alertname"].lower(), "severity": "warning", **labels},
                "annotations": {"summary": f"{labels['alertname']} happened"},
            }
            for labels in many
        ]
        httpx2.post(f"{self.site.url(to)}/api/v2/alerts", json=alerts, timeout=20).raise_for_status()
        return alerts

    def end(self, *alerts: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat()
        ended = [{**alert, "endsAt": now} for alert in alerts]
        httpx2.post(f"{self.site.url('alertmanager')}/api/v2/alerts", json=ended).raise_for_status()

    def silence(self, matcher: str) -> str:
        """Silence from outside; its id."""
        return self.amtool("silence", "add", matcher, "--comment=known", "--duration=1h").strip()

    def amtool(self, *arguments: str) -> str:
        argv = ["amtool", f"--alertmanager.url={self.site.url('alertmanager')}", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Alertmanager takes what is sent and answers nothing; what it took, it does when it thaws."""
        process = self.site.processes["alertmanager"]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    @contextmanager
    def refused(self) -> Iterator[None]:
        """Alertmanager has a wrong token meanwhile: each of its notifications is refused for good."""
        file = self.site.folder / "alertmanager.yml"
        right = file.read_text()
        self._load(right.replace(self.site.token, "a-wrong-one"))
        try:
            yield
        finally:
            self._load(right)

    def _load(self, content: str) -> None:
        (self.site.folder / "alertmanager.yml").write_text(content)
        httpx2.post(f"{self.site.url('alertmanager')}/-/reload").raise_for_status()

    # -- what came of it ---------------------------------------------------------------------------

    def lines(self, name: str) -> list[Message]:
        """The messages of a group, wherever they stand."""
        found = [m for m in self.product.messages(ALERTS) if not m.get("ephemeral_for")]
        return [m for m in found if f"*{name} ·" in as_text(m)]

    def message(self, name: str) -> Message | None:
        return next(iter(self.lines(name)), None)

    def shown(self, name: str, what: str, seconds: float = 30) -> Message:
        """The group's message, once it says `what`."""

        def find() -> Message | None:
            found = self.message(name)
            return found if found is not None and what in as_text(found) else None

        return wait_until(find, seconds, f"{what!r} on the message of {name}")

    def thread(self, parent: Message) -> list[Message]:
        found = self.product.messages(ALERTS)
        return [m for m in found if m.get("thread_ts") == parent["ts"] and m["ts"] != parent["ts"]]

    def said(self, parent: Message) -> str:
        return " ".join(as_text(m) for m in self.thread(parent))

    def dialog(self, user: str) -> Message:
        views = wait_until(
            lambda: self.product.page("GET", f"slack/state?user={user}")["views"], 15, "a dialog"
        )
        return views[-1]

    def press(self, user: str, name: str, label: str) -> None:
        """Press a button of the group's message, as it stands then: it may change under one's finger."""

        def pressed() -> bool:
            shown = self.message(name)
            if shown is None or not self.has_button(shown, label):
                return False
            try:
                self.product.click(user, ALERTS, shown, label)
            except AssertionError as exc:
                if "no_such_element" not in str(exc):
                    raise
                return False
            return True

        wait_until(pressed, 20, f"{label!r} to be pressed")

    def has_button(self, message: Message | None, label: str) -> bool:
        elements = [e for b in blocks_of(message or {}) for e in b.get("elements", ())]
        return any(e.get("type") == "button" and e["text"]["text"].startswith(label) for e in elements)

    def bodies(self, name: str) -> list[dict[str, Any]]:
        """Notifications of a group as they were taken in."""
        rows = self.rows("SELECT body FROM events WHERE source = 'alertmanager'")
        return [json.loads(bytes(body)) for (body,) in rows if name.encode() in bytes(body)]

    def deliveries(self, name: str) -> int:
        return len(self.bodies(name))

    def heartbeats(self) -> int:
        return self.rows("SELECT count(*) FROM records WHERE kind = 'heartbeat'")[0][0]

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.product.data / "signalbox.db")) as db:
            return db.execute(query).fetchall()
