"""Starts the real thing, set up to be quick: Prometheus, Alertmanager, their exporters, and the shop."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from bot.core.errors import ConfigError
from integrations.sandbox.incident.shop import SERVICE

PROGRAMS = {
    "prometheus": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "pushgateway": "prometheus-pushgateway",
    "node": "prometheus-node-exporter",
}
NEEDED = ("prometheus", "alertmanager")
RATIO = "sum by (service) (rate(shop_errors_total[10s])) / sum by (service) (rate(shop_requests_total[10s]))"
THRESHOLD = 0.05
_OF_SERVICE = RATIO.replace("_total[", '_total{service="{{ labels.service }}"}[')
_START_SECONDS = 20.0


def missing(wanted: tuple[str, ...] = NEEDED) -> list[str]:
    """Debian packages that would have to be installed."""
    return [PROGRAMS[name] for name in wanted if shutil.which(PROGRAMS[name]) is None]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Site:
    """The processes and where they are. `restart` starts one that was killed, with its data as it was."""

    folder: Path
    webhook: str
    """Where Alertmanager sends its notifications."""
    alertmanagers: int = 1
    gossiping: bool = False
    """Whether the Alertmanagers know each other, so that one of them sends and the others take its place."""
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _gossip: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = ["shop", *(f"alertmanager{n or ''}" for n in range(self.alertmanagers)), "prometheus"]
        self.names += [name for name in ("pushgateway", "node") if shutil.which(PROGRAMS[name])]
        self.ports = {name: free_port() for name in self.names}
        self._gossip = [free_port() for _ in range(self.alertmanagers if self.gossiping else 0)]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def environment(self) -> dict[str, str]:
        """What Signalbox has to know of all this."""
        return {
            "SIGNALBOX_CONFIG": str(self.folder / "signalbox.toml"),
            "ALERTMANAGER_URL": self.url("alertmanager"),
            "SIGNALBOX_ALERTMANAGER__TOKEN": self.token,
            "PROMETHEUS_URL": self.url("prometheus"),
            "SIGNALBOX_EXECUTORS__HTTP__SECRET": self.secret,
            "SIGNALBOX_EXECUTORS__HTTP__HOSTS": f"127.0.0.1:{self.ports['shop']}",
        }

    def start(self, name: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            process = subprocess.Popen(  # noqa: S603  # our own arguments
                self._argv(name), stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        self.processes[name] = process
        if process.stdin is not None:
            process.stdin.write(f"{self.secret}\n".encode())
            process.stdin.close()
        self._wait(name)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(10)

    def break_shop(self) -> None:
        httpx2.post(f"{self.url('shop')}/fault").raise_for_status()

    def _cluster(self, name: str) -> list[str]:
        if not self.gossiping:
            return ["--cluster.listen-address="]
        own = self._gossip[int(name.removeprefix("alertmanager") or 0)]
        peers = [f"--cluster.peer=127.0.0.1:{port}" for port in self._gossip if port != own]
        return [f"--cluster.listen-address=127.0.0.1:{own}", *peers, "--cluster.peer-timeout=3s"]

    def _wait(self, name: str) -> None:
        paths = {"shop": "/", "node": "/metrics"}
        url = self.url(name) + paths.get(name, "/-/ready")
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(url):
            if time.monotonic() > deadline or self.processes[name].poll() is not None:
                raise ConfigError(f"{name} did not start; {self.folder / f'{name}.log'} says why.")
            time.sleep(0.1)

    def _argv(self, name: str) -> list[str]:
        listen = f"--web.listen-address=127.0.0.1:{self.ports[name]}"
        shown = f"--web.external-url={self.url(name)}"
        if name == "shop":
            module = "integrations.sandbox.incident.shop"
            return [sys.executable, "-m", module, "--port", str(self.ports[name])]
        if name == "prometheus":
            config, data = self.folder / "prometheus.yml", self.folder / "tsdb"
            return ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}", listen, shown]
        if name.startswith("alertmanager"):
            config, data = self.folder / "alertmanager.yml", self.folder / name
            program = PROGRAMS["alertmanager"]
            return [
                program,
                f"--config.file={config}",
                f"--storage.path={data}",
                *self._cluster(name),
                listen,
                shown,
            ]
        if name == "pushgateway":  # Debian's keeps what was pushed in a file that outlives it
            return [PROGRAMS[name], "--persistence.file=", listen]
        return [PROGRAMS[name], listen]


@contextmanager
def running(site: Site, configured: Callable[[], None] | None = None) -> Iterator[Site]:
    """Args:
    configured: called between the writing of the files and the start, to change them.
    """
    _write(site)
    if configured is not None:
        configured()
    try:
        for name in site.names:
            site.start(name)
        yield site
    finally:
        site.stop()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=1).status_code == 200
    except httpx2.RequestError:
        return False


def _write(site: Site) -> None:
    """YAML reads JSON."""
    files: Mapping[str, Any] = {
        "prometheus.yml": _prometheus(site),
        "rules.yml": _rules(),
        "alertmanager.yml": _alertmanager(site),
    }
    for name, content in files.items():
        (site.folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    (site.folder / "signalbox.toml").write_text(_signalbox(site), encoding="utf-8")


def _prometheus(site: Site) -> dict[str, Any]:
    watchers = [f"127.0.0.1:{p}" for name, p in site.ports.items() if name.startswith("alertmanager")]
    watched = [name for name in site.names if not name.startswith("alertmanager")]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(site.folder / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": watchers}]}]},
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{site.ports[name]}"]}]}
            for name in watched
        ],
    }


def _rules() -> dict[str, Any]:
    errors = {
        "alert": "HighErrorRate",
        "expr": f"{RATIO} > {THRESHOLD}",
        "for": "2s",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "{{ $labels.service }} fails {{ $value | humanizePercentage }} of requests",
            "runbook_url": "https://runbooks.example/HighErrorRate",
        },
    }
    watchdog = {
        "alert": "Watchdog",
        "expr": "vector(1)",
        "labels": {"severity": "none"},
        "annotations": {"summary": "Always fires."},
    }
    return {"groups": [{"name": "shop", "rules": [errors, watchdog]}]}


def _alertmanager(site: Site) -> dict[str, Any]:
    authorization = {"authorization": {"credentials": site.token}}
    webhook = {"url": site.webhook, "http_config": authorization, "send_resolved": True}
    route = {
        "receiver": "signalbox",
        "group_by": ["alertname", "service"],
        "group_wait": "1s",
        "group_interval": "2s",
        "repeat_interval": "1h",
    }
    return {"route": route, "receivers": [{"name": "signalbox", "webhook_configs": [webhook]}]}


def _signalbox(site: Site) -> str:
    shop = site.url("shop")
    return f"""\
[[mitigations]]
name = "restart-{SERVICE}"
title = "Restart {SERVICE}"
match = {{ alertname = "HighErrorRate" }}
executor = "http"
approvals = 1
confirm = "Requests in flight are lost."

[mitigations.parameters]
url = "{shop}/restart"
target = "{{{{ labels.service }}}}"
body = {{ service = "{{{{ labels.service }}}}" }}
status_url = "{shop}/runs/{{key}}"

[mitigations.verify]
query = '{_OF_SERVICE}'
comparator = "<"
threshold = {THRESHOLD}
settle = 5
window = 60
hold = 5
step = 1
"""
