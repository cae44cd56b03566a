"""Cold start of the web process to its first 200, its memory, and where the imports' time goes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from statistics import median

import httpx2
import psutil

from benchmarks.processes import (
    ROOT,
    clean_environment,
    free_port,
    python,
    redis,
    running,
    scratch,
    wait_until,
)
from benchmarks.report import Aim, Progress, Section

MIB = 2**20
SHOWN = 6


def run(progress: Progress, *, quick: bool = False) -> Section:
    rounds = 2 if quick else 9
    with scratch() as folder, redis(folder) as redis_url:
        progress("first start, which makes the database")
        first = _start(folder, redis_url)
        starts = []
        for number in range(rounds):
            progress(f"start {number + 1} of {rounds}")
            starts.append(_start(folder, redis_url))
    progress("import times")
    seconds, pss, rss = (median(figures) for figures in zip(*starts, strict=True))
    return Section(
        "startup",
        "Start-up and memory of the web process",
        ("what", "median", "lowest", "highest"),
        [
            ("start to the first 200 on /api/health", *_spread([s for s, _, _ in starts], " s", 2)),
            ("memory, proportional (PSS)", *_spread([p for _, p, _ in starts], " MiB", 0)),
            ("memory, resident (RSS)", *_spread([r for _, _, r in starts], " MiB", 0)),
        ],
        (
            Aim("cold start to the first 200", "≤ 1.0 s", f"{seconds:.2f} s", seconds <= 1.0),
            Aim("memory (PSS)", "≤ 90 MiB", f"{pss:.0f} MiB", pss <= 90),
            Aim("memory (RSS)", "≤ 90 MiB", f"{rss:.0f} MiB", rss <= 90),
        ),
        (
            (
                f"A new `signalbox web` process each time, {rounds} starts, all built-in plugins; the database "
                f"exists (the first start, which makes it, took {first[0]:.2f} s). Memory is taken after the answer."
            ),
            "Files come from the page cache, as on any second start.",
            f"Imports, own and what they bring along: {_imports()}.",
        ),
    )


def _start(folder: Path, redis_url: str) -> tuple[float, float, float]:
    """Seconds, PSS and RSS in MiB."""
    port = free_port()
    env = {
        "SIGNALBOX_DATA_DIR": str(folder),
        "SIGNALBOX_SECRET_KEY": "k" * 32,
        "SIGNALBOX_WEB__PORT": str(port),
        "REDIS_URL": redis_url,
        "PYTHONPATH": str(ROOT),
    }
    started = time.perf_counter()
    with running(python("-m", "bot", "web"), folder, env) as process, httpx2.Client() as http:
        wait_until(lambda: _healthy(http, port), "/api/health")
        seconds = time.perf_counter() - started
        memory = psutil.Process(process.pid).memory_full_info()
    return seconds, memory.pss / MIB, memory.rss / MIB


def _healthy(http: httpx2.Client, port: int) -> bool:
    try:
        return http.get(f"http://127.0.0.1:{port}/api/health").status_code == 200
    except httpx2.TransportError:
        return False


def _imports() -> str:
    """The packages that cost most when `bot.web.server` is imported, by -X importtime."""
    code = "import bot.web.server, bot.cli.main, integrations.slack, plugins.autotag, plugins.alert_relay"
    argv = python("-X", "importtime", "-c", code)
    output = subprocess.run(
        argv, check=True, capture_output=True, text=True, cwd=ROOT, env=clean_environment({})
    ).stderr
    own: dict[str, int] = {}
    for line in output.splitlines():
        figure, _, name = (part.strip() for part in line.removeprefix("import time:").split("|"))
        if figure.isdecimal():
            package = name.partition(".")[0]
            own[package] = own.get(package, 0) + int(figure)
    dearest = sorted(own.items(), key=lambda item: -item[1])[:SHOWN]
    shown = ", ".join(f"{name} {micros / 1000:.0f} ms" for name, micros in dearest)
    return f"{shown}; all {sum(own.values()) / 1000:.0f} ms"


def _spread(values: list[float], unit: str, digits: int) -> tuple[str, str, str]:
    middle, low, high = (f"{value:.{digits}f}{unit}" for value in (median(values), min(values), max(values)))
    return middle, low, high
