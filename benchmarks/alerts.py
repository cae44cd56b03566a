"""The whole product: from Alertmanager's notification to the message; a huge notification; a storm of groups."""

from __future__ import annotations

import json
import queue
import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psutil

from benchmarks import http_load
from benchmarks.http_load import Generator
from benchmarks.processes import scratch, wait_until
from benchmarks.product import Product
from benchmarks.report import Aim, Progress, Section, ms, quantile

CHANNEL, TOKEN = "C0ALERTS0", "benchmark-token-of-alertmanager"
WARM_UP = 3
PACE_SECONDS = 1.3
"""Slack takes about one message a second in a channel; faster, and its limit would be measured."""
STORM_BYTES = 405_000
HUGE_A_SECOND = 2.0
DRAIN_SECONDS = 240.0
TOLD_SECONDS = 90.0
Changes = queue.Queue[tuple[float, dict[str, Any]]]


class Storm(NamedTuple):
    accepted: float
    """Seconds until the last notification was answered."""
    handled: float
    """Seconds until each had been worked on."""
    known: int
    """Groups whose state is kept."""
    busiest: float
    """Messages posted to the channel in the busiest second, over the busiest ten."""
    messages: int
    refused: int
    """Calls that Slack answered 429."""
    summary: str
    """What the summary says; empty where there were too few groups for one."""
    told: float
    """Seconds until the summary, and the messages beside it, counted every group."""
    grown: float
    """MiB that all processes together needed more than before."""


def run(progress: Progress, *, quick: bool = False) -> Section:
    singles, huge, groups = (5, 20, 50) if quick else (40, 100, 500)
    waits, latencies = _one_by_one(progress, singles, huge)
    storm = _storm(progress, [_body([_alert(f"Storm{n}", n)], n) for n in range(groups)], 32)
    many = [_body([_alert(f"Wide{n}", m) for m in range(1000)], n) for n in range(max(1, groups // 50))]
    wide = _storm(progress, many, 4)
    return Section(
        "alerts",
        "Alerts: notification to message, a huge notification, a storm",
        ("what", "count", "p50", "p99", "result"),
        [
            ("notification to the message on the page", singles, *_both(waits), ""),
            (f"taking in {STORM_BYTES // 1000} kB with 1,000 alerts", huge, *_both(latencies), ""),
            *_rows(f"{groups} groups at once", storm),
            *_rows(f"{len(many) * 1000:,} alerts in {len(many)} groups at once", wide),
        ],
        _aims(waits, latencies, groups, storm, len(many), wide),
        (
            "Everything of `signalbox up` with the sandbox's Slack, whose rate limits are on, and its Alertmanager.",
            (
                f"Single notifications are {PACE_SECONDS} s apart. The time runs from sending to the message in "
                "the event stream that the page follows."
            ),
            f"The huge ones are all different and come {HUGE_A_SECOND:g} a second, while workers work on them.",
            f"In the storm, beside {storm.messages - 1} messages: “{storm.summary}”.",
        ),
    )


def _both(waits: Sequence[float]) -> tuple[str, str]:
    return ms(quantile(waits, 0.5)), ms(quantile(waits, 0.99))


def _rows(what: str, storm: Storm) -> list[tuple[object, ...]]:
    found = {
        "answered with 2xx": f"{storm.accepted:.2f} s",
        "each worked on": f"{storm.handled:.1f} s",
        "every group counted in the channel": f"{storm.told:.1f} s",
        "groups whose state is kept": storm.known,
        "messages in the channel": storm.messages,
        "most messages in ten seconds": f"{storm.busiest:.0f}",
        "answers 429 from Slack": storm.refused,
        "memory of all processes": f"{storm.grown:+.0f} MiB",
    }
    return [(f"{what}: {name}", "", "", "", value) for name, value in found.items()]


def _aims(
    waits: Sequence[float], latencies: Sequence[float], groups: int, storm: Storm, many: int, wide: Storm
) -> tuple[Aim, ...]:
    visible, slow = quantile(waits, 0.5), quantile(waits, 0.99)
    taken = quantile(latencies, 0.99)
    lost = groups - storm.known + many - wide.known
    return (
        Aim("notification to message, p50", "< 150 ms", ms(visible), visible < 0.15),
        Aim("notification to message, p99", "< 1 s", ms(slow), slow < 1),
        Aim(f"taking in {STORM_BYTES // 1000} kB, p99", "< 100 ms", ms(taken), taken < 0.1),
        Aim("groups of a storm that are unaccounted for", "0", str(lost), lost == 0),
        Aim(
            "groups of a storm that the channel does not count",
            "0",
            str(groups - _counted(storm)),
            groups == _counted(storm),
        ),
        Aim("answers 429 from Slack in a storm", "0", str(storm.refused), storm.refused == 0),
        Aim(f"{groups} groups at once, until each was worked on", "", f"{storm.handled:.1f} s"),
    )


# -- what is sent ------------------------------------------------------------------------------------


def _alert(name: str, number: int) -> dict[str, Any]:
    labels = {
        "alertname": name, "service": f"service-{name.lower()}", "instance": f"node-{number}.example:9100",
        "severity": "critical" if number % 10 == 0 else "warning", "job": "node", "cluster": "bench",
    }  # fmt: skip
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {
            "summary": f"{name} on node-{number}",
            "runbook_url": f"https://runbooks.example/{name}",
        },
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        "fingerprint": f"{abs(hash((name, number))):016x}"[:16],
    }


def _body(alerts: list[dict[str, Any]], number: int) -> bytes:
    first = alerts[0]["labels"]
    labels = {"alertname": first["alertname"], "service": first["service"]}
    body = {
        "version": "4", "groupKey": f"{{}}:{number}", "truncatedAlerts": 0, "status": "firing",
        "receiver": "signalbox", "groupLabels": labels, "commonLabels": labels, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example", "alerts": alerts,
    }  # fmt: skip
    return json.dumps(body).encode()


def _request(body: bytes) -> bytes:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    return http_load.request("/webhooks/alertmanager", body, headers)


def _huge(number: int) -> bytes:
    """As large as the largest that was recorded."""
    alerts = [_alert(f"Huge{number}", n) for n in range(1000)]
    short = STORM_BYTES - len(_body(alerts, number))
    alerts[0]["annotations"]["description"] = "x" * max(0, short)
    return _body(alerts, number)


# -- measuring ---------------------------------------------------------------------------------------


def _environment(product: Product, **more: str) -> dict[str, str]:
    return {
        "ALERTMANAGER_URL": f"http://127.0.0.1:{product.sandbox_port}/alertmanager",
        "SIGNALBOX_ALERTMANAGER__TOKEN": TOKEN,
        **more,
    }


def _one_by_one(progress: Progress, singles: int, huge: int) -> tuple[list[float], list[float]]:
    with scratch() as folder:
        product = Product(folder / "data")
        progress("starting `signalbox up`")
        with product.up(_environment(product, SIGNALBOX_PLUGINS__ALERT_RELAY__STORM_GROUPS="0")):
            progress(f"{singles} notifications, one at a time")
            with product.watched() as seen:
                waits = [_visible(product, seen, n) for n in range(WARM_UP + singles)][WARM_UP:]
            progress(f"{huge} notifications of {STORM_BYTES // 1000} kB")
            requests = [_request(_huge(number)) for number in range(huge)]
            with Generator() as generator:
                load = generator.load(product.port, requests, 1, HUGE_A_SECOND)
    return waits, load.latencies


def _visible(product: Product, seen: Changes, number: int) -> float:
    time.sleep(PACE_SECONDS)
    name = f"Single{number}"
    body = _body([_alert(name, number)], number)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    while not seen.empty():
        seen.get()
    started = time.perf_counter()
    url = f"http://127.0.0.1:{product.port}/webhooks/alertmanager"
    product.http.post(url, content=body, headers=headers).raise_for_status()
    while True:
        at, change = seen.get(timeout=30)
        if change.get("channel") == CHANNEL and change.get("action") == "posted":
            return at - started


def _storm(progress: Progress, bodies: list[bytes], connections: int) -> Storm:
    with scratch() as folder:
        product = Product(folder / "data")
        progress("starting `signalbox up`")
        with product.up(_environment(product)), product.watched() as seen:
            progress(f"{len(bodies)} groups at once")
            before = _memory()
            started = time.time()
            with Generator() as generator:
                load = generator.load(product.port, [_request(body) for body in bodies], connections)
            if set(load.statuses) - {200, 202}:
                raise RuntimeError(f"The web process answered {load.statuses}.")
            wait_until(lambda: _unfinished(product) == 0, "the end of the storm", DRAIN_SECONDS)
            handled = time.time() - started
            with suppress(TimeoutError):  # then the aim says how many are not counted
                wait_until(lambda: _shown(product) >= len(bodies), "every group counted", TOLD_SECONDS)
            told = time.time() - started
            grown = _memory() - before
            posts = _posts(seen)
            return Storm(
                load.seconds,
                handled,
                _known(product),
                _busiest(posts),
                len(posts),
                _refused(product),
                _summary(product),
                told,
                grown,
            )


def _sql(product: Product, query: str) -> Any:
    with sqlite3.connect(product.data / "signalbox.db", timeout=30) as db:
        return db.execute(query).fetchone()[0]


def _unfinished(product: Product) -> int:
    time.sleep(0.2)  # looking costs the product time
    where = "handler = 'alert-relay.relay' AND status != 'done'"
    return int(_sql(product, f"SELECT count(*) FROM runs WHERE {where}"))  # noqa: S608  # ours


def _known(product: Product) -> int:
    return int(_sql(product, "SELECT count(*) FROM documents WHERE key LIKE 'group:%'"))


def _posts(seen: Changes) -> list[float]:
    """When new messages came into the channel."""
    found: dict[str, float] = {}
    while not seen.empty():
        at, change = seen.get()
        if change.get("channel") == CHANNEL and change.get("action") == "posted":
            found.setdefault(str(change.get("ts")), at)
    return sorted(found.values())


def _busiest(times: Sequence[float]) -> float:
    return float(max((sum(start <= at < start + 10 for at in times) for start in times), default=0))


def _refused(product: Product) -> int:
    """Workers write down each 429."""
    logs = (product.data / "logs").glob("worker-*.log")
    return sum("rate limit for" in line for log in logs for line in log.open())


def _texts(product: Product) -> list[str]:
    state = product.http.get(f"http://127.0.0.1:{product.sandbox_port}/page/slack/state?limit=1000").json()
    found = [message for message in state["messages"][CHANNEL] if not message.get("ephemeral_for")]
    return [str(message.get("text") or "") for message in found if _is_in_channel(message)]


def _is_in_channel(message: dict[str, Any]) -> bool:
    return message.get("thread_ts") in {None, "", message["ts"]}


def _summary(product: Product) -> str:
    return next((text for text in _texts(product) if text.startswith("Alert storm")), "")


def _shown(product: Product) -> int:
    """Groups that the channel tells of: by a message of their own, or as waiting in the summary."""
    texts = _texts(product)
    time.sleep(0.2)  # looking costs the product time
    return sum("firing" in text for text in texts) + _waiting(_summary(product))


def _waiting(summary: str) -> int:
    found = re.search(r"(\d+) groups? waits? here", summary)
    return int(found[1]) if found else 0


def _counted(storm: Storm) -> int:
    return storm.messages - 1 + _waiting(storm.summary)


def _memory() -> float:
    """MiB of the product's processes, shared pages counted once each process."""
    children = psutil.Process().children(recursive=True)
    return sum(child.memory_info().rss for child in children if child.is_running()) / 2**20
