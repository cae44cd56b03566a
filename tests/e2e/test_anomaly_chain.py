"""A latency goes wrong: real Prometheus, Pushgateway and Alertmanager, the rules that ship, a message with reasons."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from integrations.sandbox.incident.monitoring import Site, missing
from ml.anomaly import book
from tests.conftest import wait_until
from tests.e2e.product import ALICE, Product, as_text

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
ALERTS = "C0ALERTS0"
NEEDED = ("prometheus", "alertmanager", "pushgateway")
RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules" / "anomalies.yml"
HISTORY, STEP = 6 * 3600, 30
AWAY = 20.0


class Service:
    """A synthetic service that tells its p99 latency."""

    def __init__(self) -> None:
        self.latency = 0.4
        self.noise = random.Random(3)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def line(self) -> str:
        value = self.latency + self.noise.uniform(-0.03, 0.03)  # never beyond what history has seen
        return f'synthetic_p99_seconds{{service="checkout"}} {value:.4f}'

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"{service.line()}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None: ...

        return Handler


class Way:
    """What stands between Signalbox and Prometheus, which goes on scraping while the way is shut."""

    def __init__(self, site: Site) -> None:
        self.open = True
        self.site = site
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        way = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not way.open:
                    return  # hangs up without an answer
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                kind = {"Content-Type": self.headers.get("Content-Type", "text/plain")}
                url = way.site.url("prometheus") + self.path
                found = httpx2.request(self.command, url, content=body, headers=kind)
                self.send_response(found.status_code)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(found.content)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *args: Any) -> None: ...

        return Handler


def backfill(service: Service, folder: Path) -> None:
    """Six hours of history as blocks of Prometheus' own."""
    end = math.floor(time.time() / STEP) * STEP - 2 * STEP
    lines = [f"{service.line()} {at}" for at in range(end - HISTORY, end, STEP)]
    file = folder / "history.txt"
    file.write_text("# TYPE synthetic_p99_seconds gauge\n" + "\n".join(lines) + "\n# EOF\n")
    argv = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(file), str(folder / "tsdb")]
    subprocess.run(argv, check=True, capture_output=True, timeout=30)


def configure(site: Site, service: Service, product: Product) -> None:
    def scraped(job: str, port: int) -> dict[str, Any]:
        targets = [{"targets": [f"127.0.0.1:{port}"]}]
        return {"job_name": job, "honor_labels": True, "static_configs": targets}

    prometheus = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(site.folder / "anomalies.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [site.url("alertmanager")[7:]]}]}]},
        "scrape_configs": [
            {**scraped("synthetic", service.port), "honor_labels": True},
            scraped("signalbox", product.port),
            scraped("pushgateway", site.ports["pushgateway"]),
        ],
    }
    webhook = {"url": site.webhook, "http_config": {"authorization": {"credentials": site.token}}}
    route = {
        "receiver": "signalbox",
        "group_by": ["alertname", "service"],
        "group_wait": "1s",
        "group_interval": "2s",
    }
    receivers = [{"name": "signalbox", "webhook_configs": [webhook]}]
    shutil.copy(RULES, site.folder / "anomalies.yml")
    (site.folder / "prometheus.yml").write_text(json.dumps(prometheus))
    (site.folder / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": receivers}))
    (site.folder / "signalbox.toml").write_text(
        """
[plugins.anomaly-watch]
cron = "* * * * * */10"
step = 1.0
history_days = 0.25
history_step = 30.0

[[plugins.anomaly-watch.watch]]
name = "p99-latency"
query = "max by (service) (synthetic_p99_seconds)"
unit = "s"
"""
    )


class Chain:
    def __init__(self, product: Product, site: Site, service: Service, way: Way) -> None:
        self.product = product
        self.site = site
        self.service = service
        self.way = way

    def figure(self, name: str) -> float | None:
        """An exported figure as the real Prometheus has it."""
        query = {"query": f"max(signalbox_anomaly_{name})"}
        found = httpx2.get(f"{self.site.url('prometheus')}/api/v1/query", params=query).json()["data"][
            "result"
        ]
        return float(found[0]["value"][1]) if found else None

    def known(self) -> tuple[int, float]:
        """How many samples have been counted, and up to when."""
        state = book.read(self.product.data / "anomaly" / "p99-latency.states").state
        return int(state["count"][0]), float(state["last_at"][0])

    def thread(self, parent: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.product.messages(ALERTS)
        return [m for m in found if m.get("thread_ts") == parent["ts"] and m["ts"] != parent["ts"]]

    def message(self, what: str) -> dict[str, Any] | None:
        return next((m for m in self.product.messages(ALERTS) if what in as_text(m)), None)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    if absent := missing(NEEDED):
        pytest.skip(f"Not installed: {', '.join(absent)}; `apt-get install` them to run this test.")
    base = tmp_path_factory.mktemp("anomaly")
    product, service, folder = Product(base / "data"), Service(), base / "site"
    folder.mkdir()
    site = Site(folder, f"{product.url}/webhooks/alertmanager")
    configure(site, service, product)
    backfill(service, folder)
    way = Way(site)
    try:
        for name in NEEDED:
            site.start(name)
        product.env = site.environment() | {
            "PUSHGATEWAY_URL": site.url("pushgateway"),
            "PROMETHEUS_URL": way.url,
        }
        product.start()
        yield Chain(product, site, service, way)
    finally:
        if hasattr(product, "process"):
            product.stop()
        site.stop()
        way.server.shutdown()
        service.server.shutdown()


def prometheus_is_away_and_nothing_is_lost(chain: Chain) -> None:
    """For as many samples as there are in ten minutes of 30 s."""
    chain.way.open = False
    try:
        count, until = chain.known()
        wait_until(lambda: time.time() > until + AWAY, 60, "the time that Prometheus is away")
        assert chain.known()[1] < until + AWAY / 2
    finally:
        chain.way.open = True
    wait_until(lambda: chain.known()[1] >= until + AWAY, 60, "samples of the time it was away")
    later, now = chain.known()
    assert later - count == round(now - until)


def workers_die_and_no_sample_is_skipped_or_counted_twice(chain: Chain) -> None:
    """The book has a sample a second; kill whoever writes it, and it still has."""
    count, until = chain.known()
    for process in chain.product.find("celery"):
        process.kill()
    wait_until(lambda: chain.known()[1] >= until + 10, 60, "samples after the workers' death")
    later, now = chain.known()
    assert later - count == round(now - until)


def test_a_latency_that_goes_wrong_is_told_with_reasons_and_people_may_disagree(chain: Chain) -> None:
    def learnt() -> bool:
        upper = chain.figure("upper")
        return upper is not None and chain.figure("firing") == 0 and upper < 1

    wait_until(learnt, 60, "a band in Prometheus")
    workers_die_and_no_sample_is_skipped_or_counted_twice(chain)
    prometheus_is_away_and_nothing_is_lost(chain)
    assert chain.figure("firing") == 0
    assert chain.message("p99-latency") is None
    chain.service.latency = 4.2
    alert = wait_until(lambda: chain.message("MetricAnomaly"), 60, "the alert")
    assert "p99-latency of checkout" in as_text(alert)
    why = wait_until(lambda: chain.message("expected 0."), 30, "what lies behind it")
    assert 'p99-latency (service="checkout") 4.' in as_text(why)
    wait_until(lambda: any(m.get("files") for m in chain.thread(alert)), 45, "a picture in the thread")
    pushed = httpx2.get(f"{chain.site.url('pushgateway')}/metrics").text
    assert "signalbox_anomaly_firing{" in pushed
    watched = chain.product.cli("anomalies", "watch", "--once")
    assert "p99-latency: " in watched.stdout, watched.stderr
    assert '  p99-latency (service="checkout") 4.' in watched.stdout

    chain.product.click(ALICE, ALERTS, why, "Not an anomaly")
    wait_until(lambda: any("Noted" in a for a in chain.product.answers(ALICE, ALERTS)), 20, "an answer")
