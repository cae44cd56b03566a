"""A signed slash command through the Slack front, in process, beside what plain Bolt and Errbot do."""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from benchmarks import deliveries
from benchmarks.asgi_load import Pace, Prepared, drive
from benchmarks.front_apps import NoStorage, bolt, ours, sqlite_commit
from benchmarks.processes import ROOT, last_line, output, own_environment, scratch
from benchmarks.report import Aim, Progress, Section, ms

MANY = 100
IN_FLIGHT = 100
ROUNDS = 5
ERRBOT = ROOT / "build" / "errbot"
"""Errbot's virtual environment; it stays for the next run."""
Row = tuple[str, int, int, str, str, str]


def run(progress: Progress, *, quick: bool = False) -> Section:
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    count = 1_000 if quick else 10_000
    progress("our front, 1 and 100 plugins by turns")
    alone, many = _interleaved(count)
    cost = statistics.median(1 - b.per_second / a.per_second for a, b in zip(alone, many, strict=True))
    one, hundred = _middle(alone), _middle(many)
    rows = [_row("Signalbox, nothing stored", 1, 1, one), _row("Signalbox, nothing stored", MANY, 1, hundred)]
    progress("our front with the SQLite inbox")
    with scratch() as folder:
        rows += _durable(folder, count)
    rows += _bolt(count, progress) + _errbot(count, progress)
    return Section(
        "front",
        "Slack front: a signed slash command, in process",
        ("what", "plugins or commands", "in flight", "commands/s", "p50", "p99"),
        rows,
        (
            Aim(
                "commands/s, 100 plugins", "≥ 8,000", f"{hundred.per_second:,.0f}", hundred.per_second >= 8000
            ),
            Aim("p50, 100 plugins", "≤ 0.3 ms", ms(hundred.p50), hundred.p50 <= 0.0003),
            Aim("cost of 100 plugins", "≤ 10 %", f"{max(cost, 0):.1%}", cost <= 0.1),
        ),
        (
            (
                "Signalbox and Bolt are called as ASGI applications without a socket; every request is signed, "
                "and the signature is checked. Bolt runs behind its own Starlette adapter, one listener a command."
            ),
            (
                "“Nothing stored” is the fair comparison: the peers acknowledge and keep the command in memory. "
                "“SQLite inbox” answers only after the row is committed and synced to disk; "
                "commands that arrive together share a commit."
            ),
            (
                f"The aims are held against “nothing stored”, one command in flight; median of {ROUNDS} rounds that "
                "alternate between 1 and 100 plugins. Redis has no part in this."
            ),
            (
                "Errbot runs in a process and a virtual environment of its own, through its test backend: no "
                "signature, no HTTP, so less work than the others."
            ),
        ),
    )


def _interleaved(count: int) -> tuple[list[Pace], list[Pace]]:
    apps = [ours(plugins, NoStorage()) for plugins in (1, MANY)]
    alone: list[Pace] = []
    many: list[Pace] = []
    for number in range(ROUNDS):
        alone.append(_drive(apps[0], _commands(count, number, 1)))
        many.append(_drive(apps[1], _commands(count, number, MANY)))
    return alone, many


def _commands(count: int, round_number: int, plugins: int) -> list[Prepared]:
    first = round_number * count
    return [deliveries.slash_command(f"bench{n % plugins} now", n) for n in range(first, first + count)]


def _drive(app: ASGIApp, requests: list[Prepared], in_flight: int = 1) -> Pace:
    return asyncio.run(drive(app, requests, in_flight))


def _durable(folder: Path, count: int) -> list[Row]:
    name = "Signalbox, SQLite inbox"

    async def measured() -> list[Row]:
        with sqlite_commit(folder) as commit:
            app = ours(MANY, commit)
            one = await drive(app, _commands(count // 10, 0, MANY))
            many = await drive(app, _commands(count, 1, MANY), IN_FLIGHT)
            await commit.close()
        return [_row(name, MANY, 1, one), _row(name, MANY, IN_FLIGHT, many)]

    return asyncio.run(measured())


def _bolt(count: int, progress: Progress) -> list[Row]:
    rows: list[Row] = []
    for name, before_response in (("Bolt, default", False), ("Bolt, process_before_response", True)):
        progress(name)
        paces = [(n, _bolt_pace(count // 20, n, before_response)) for n in (1, IN_FLIGHT)]
        rows += [_row(name, MANY, in_flight, pace) for in_flight, pace in paces]
    return rows


def _bolt_pace(count: int, in_flight: int, before_response: bool) -> Pace:  # noqa: FBT001  # one of two
    app = bolt(MANY, before_response=before_response)
    requests = [deliveries.slash_command("now", n, f"/bench{n % MANY}") for n in range(count)]
    return _drive(app, requests, in_flight)


def _errbot(count: int, progress: Progress) -> list[Row]:
    progress("Errbot's test backend (installed on first use)")
    try:
        # Its test backend imports pytest without declaring it.
        interpreter = own_environment(ERRBOT, ("errbot==6.2.1", "pytest"), progress)
        script = str(Path(__file__).parent / "errbot_peer.py")
        answer = output([str(interpreter), "-P", script, str(MANY), str(count // 2)])
    except (subprocess.SubprocessError, OSError) as exc:
        return [("Errbot, test backend", MANY, 1, f"not measured: {last_line(exc)}", "", "")]
    found = json.loads(answer.splitlines()[-1])
    return [
        _row("Errbot, test backend", MANY, 1, Pace(found["lockstep"], found["p50"], found["p99"])),
        ("Errbot, test backend", MANY, 1000, f"{found['pipelined']:,.0f}", "", ""),
    ]


def _middle(paces: list[Pace]) -> Pace:
    by: Callable[[Pace], float] = lambda pace: pace.per_second  # noqa: E731  # a key, used once
    return sorted(paces, key=by)[len(paces) // 2]


def _row(name: str, plugins: int, in_flight: int, pace: Pace) -> Row:
    return (name, plugins, in_flight, f"{pace.per_second:,.0f}", ms(pace.p50), ms(pace.p99))
