"""From a metric that goes wrong to the message, with real Prometheus and Alertmanager: where the seconds go."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.processes import ROOT, scratch
from benchmarks.product import Product
from benchmarks.report import Aim, Progress, Section, quantile
from integrations.sandbox.incident.monitoring import Site, missing

CHANNEL = "C0ALERTS0"
NEEDED = ("prometheus", "alertmanager")
SCRAPE = 15
"""Seconds between scrapes, and between two looks of the anomaly watch."""
WITHIN = 2 * SCRAPE
SERIES, SPREAD = 12, 150.0
HISTORY, HISTORY_STEP = 6 * 3600, 30
USUAL, WRONG = 0.4, 4.2
_FIRING = re.compile(r'^signalbox_anomaly_firing\{.*service="s(\d+)".*\} 1\.0$', re.MULTILINE)


class Services:
    """Synthetic services that tell their p99 latency, and when each wrong one was scraped first."""

    def __init__(self, count: int) -> None:
        self.wrong: set[int] = set()
        self.scraped: dict[int, float] = {}
        self.count = count
        self._noise = random.Random(3)  # noqa: S311  # a simulation
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def lines(self) -> Iterator[str]:
        for number in range(self.count):
            level = WRONG if number in self.wrong else USUAL
            value = level + self._noise.uniform(-0.03, 0.03)  # never beyond what history has seen
            yield f'synthetic_p99_seconds{{service="s{number}"}} {value:.4f}'

    def page(self) -> bytes:
        for number in self.wrong - self.scraped.keys():
            self.scraped[number] = time.time()
        return ("\n".join(self.lines()) + "\n").encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        services = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(services.page())

            def log_message(self, *args: Any) -> None: ...

        return Handler


def run(progress: Progress, *, quick: bool = False) -> Section:
    count = 2 if quick else SERIES
    if absent := missing(NEEDED):
        raise RuntimeError(f"Not installed: {', '.join(absent)}; `apt-get install` them.")
    with _live(progress, count) as (product, services):
        progress(f"{count} metrics go wrong, one after the other")
        known, told = _faults(product, services, SPREAD * count / SERIES)
    verdict = [known[n] - services.scraped[n] for n in told]
    message = [told[n] - known[n] for n in told]
    slowest, whole = max(message), max(told[n] - services.scraped[n] for n in told)
    return Section(
        "anomaly_live",
        "Anomalies: from a wrong sample to the message",
        ("step", "count", "p50", "slowest"),
        [
            ("scraped to its verdict", len(verdict), *_both(verdict)),
            ("verdict to the message on the page", len(message), *_both(message)),
            ("scraped to the message", len(told), *_both([told[n] - services.scraped[n] for n in told])),
        ],
        (
            Aim("wrong metrics that were told", str(count), str(len(told)), len(told) == count),
            Aim(
                "verdict to message, slowest",
                f"≤ {WITHIN} s (two scrapes)",
                f"{slowest:.1f} s",
                slowest <= WITHIN,
            ),
            Aim("scraped to message, slowest", "< 138 s (2.3 min)", f"{whole:.1f} s", whole < 138),
        ),
        (
            (
                f"Metrics are scraped and looked at every {SCRAPE} s, Signalbox's own figures and the rules every 5 s, "
                "as in deploy/prometheus; Alertmanager's group_wait is 1 s. A message's time is its own timestamp."
            ),
            f"Six hours of history; a p99 latency of {USUAL} s becomes {WRONG} s at a moment drawn for each service.",
        ),
    )


def _both(seconds: list[float]) -> tuple[str, str]:
    return f"{quantile(seconds, 0.5):.1f} s", f"{max(seconds):.1f} s"


@contextmanager
def _live(progress: Progress, count: int) -> Iterator[tuple[Product, Services]]:
    with scratch() as base:
        product, services, folder = Product(base / "data"), Services(count), base / "site"
        folder.mkdir()
        site = Site(folder, f"http://127.0.0.1:{product.port}/webhooks/alertmanager")
        _configure(site, services, product)
        _backfill(services, folder)
        try:
            for name in NEEDED:
                site.start(name)
            progress("starting `signalbox up`")
            with product.up(site.environment()):
                _until(lambda: _metrics(product).count("signalbox_anomaly_upper{") >= count)
                yield product, services
        finally:
            site.stop()
            services.server.shutdown()


def _configure(site: Site, services: Services, product: Product) -> None:
    def scraped(job: str, port: int, every: int) -> dict[str, Any]:
        targets = [{"targets": [f"127.0.0.1:{port}"]}]
        return {
            "job_name": job,
            "honor_labels": True,
            "static_configs": targets,
            "scrape_interval": f"{every}s",
        }

    shutil.copy(ROOT / "deploy" / "prometheus" / "rules" / "anomalies.yml", site.folder)
    prometheus = {
        "global": {"evaluation_interval": f"{SCRAPE}s"},
        "rule_files": [str(site.folder / "anomalies.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [site.url("alertmanager")[7:]]}]}]},
        "scrape_configs": [
            scraped("synthetic", services.port, SCRAPE),
            scraped("signalbox", product.port, 5),
        ],
    }
    webhook = {"url": site.webhook, "http_config": {"authorization": {"credentials": site.token}}}
    route = {"receiver": "signalbox", "group_by": ["alertname", "service"], "group_wait": "1s"}
    alertmanager = {"route": route, "receivers": [{"name": "signalbox", "webhook_configs": [webhook]}]}
    (site.folder / "prometheus.yml").write_text(json.dumps(prometheus))
    (site.folder / "alertmanager.yml").write_text(json.dumps(alertmanager))
    (site.folder / "signalbox.toml").write_text(
        f"""
[plugins.anomaly-watch]
cron = "* * * * * */{SCRAPE}"
step = {SCRAPE}.0
history_days = 0.25
history_step = {HISTORY_STEP}.0

[[plugins.anomaly-watch.watch]]
name = "p99-latency"
query = "max by (service) (synthetic_p99_seconds)"
unit = "s"
"""
    )


def _backfill(services: Services, folder: Path) -> None:
    """History as blocks of Prometheus' own."""
    end = math.floor(time.time() / HISTORY_STEP) * HISTORY_STEP - 2 * HISTORY_STEP
    times = range(end - HISTORY, end, HISTORY_STEP)
    lines = [f"{line} {at}" for at in times for line in services.lines()]
    file = folder / "history.txt"
    file.write_text("# TYPE synthetic_p99_seconds gauge\n" + "\n".join(lines) + "\n# EOF\n")
    argv = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(file), str(folder / "tsdb")]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)


def _faults(product: Product, services: Services, spread: float) -> tuple[dict[int, float], dict[int, float]]:
    """When each wrong service's verdict was there, and when its message was."""
    draw = random.Random(7)  # noqa: S311  # a simulation
    begins = {number: time.time() + draw.uniform(0, spread) for number in range(services.count)}
    known: dict[int, float] = {}
    told: dict[int, float] = {}
    ends = time.time() + spread + 120
    while len(told) < services.count and time.time() < ends:
        services.wrong |= {number for number, at in begins.items() if time.time() >= at}
        for found in _FIRING.findall(_metrics(product)):
            known.setdefault(int(found), time.time())
        for number, at in _messages(product):
            told[number] = min(at, told.get(number, at))
        time.sleep(0.2)
    return known, told


def _messages(product: Product) -> Iterator[tuple[int, float]]:
    """Which service a message is about, and when it was posted, by its own timestamp."""
    state = product.http.get(f"http://127.0.0.1:{product.sandbox_port}/page/slack/state?limit=1000").json()
    for message in state["messages"].get(CHANNEL, ()):
        for number in re.findall(r"p99-latency of s(\d+)", json.dumps(message)):
            yield int(number), float(message["ts"])


def _metrics(product: Product) -> str:
    return httpx2.get(f"http://127.0.0.1:{product.port}/metrics", timeout=10).text


def _until(check: Any, seconds: float = 120.0) -> None:
    ends = time.monotonic() + seconds
    while not check():
        if time.monotonic() > ends:
            raise TimeoutError("No band was exported; the worker's log says why.")
        time.sleep(0.5)
