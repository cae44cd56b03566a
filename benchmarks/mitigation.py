"""The whole product: from a press to the dialog, and from the confirmation to the executor's call."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.processes import scratch, wait_until
from benchmarks.product import Product
from benchmarks.report import Aim, Progress, Section, ms, quantile

ALICE, CHANNEL = "U0SBALICE", "C0ALERTS0"
WARM_UP = 3
PAUSE_SECONDS = 6.0
"""Slack takes about one message a second and channel; a run has five lines."""
SETTINGS = """
[executors.http]
hosts = ["{hook}"]
secret = "a key that only the benchmark knows"

[plugins.alert-relay.mitigation]
per_hour = 100000
per_service_hour = 100000

[[mitigations]]
name = "heal"
title = "Heal it"
match = {{ alertname = "Bench" }}
executor = "http"
parameters = {{ url = "http://{hook}/heal" }}
limits = {{ cooldown = 0, per_hour = 100000 }}

[roles.all]
members = ["*"]
permissions = ["*"]
"""


class Hook:
    """The system that is acted on: it notes when it was called."""

    def __init__(self) -> None:
        self.calls: list[float] = []
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the base class's name
                calls.append(time.perf_counter())
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @contextmanager
    def serving(self) -> Iterator[str]:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{self.server.server_port}"
        self.server.shutdown()


def run(progress: Progress, *, quick: bool = False) -> Section:
    count = 5 if quick else 30
    hook = Hook()
    with scratch() as folder, hook.serving() as address:
        settings = folder / "signalbox.toml"
        settings.write_text(SETTINGS.format(hook=address))
        progress("starting `signalbox up`")
        with Product(folder / "data").up({"SIGNALBOX_CONFIG": str(settings)}) as product:
            _fire(product)
            progress(f"{count} mitigations, one after the other")
            found = [_once(product, hook) for _ in range(WARM_UP + count)][WARM_UP:]
    dialogs, starts = ([pair[n] for pair in found] for n in (0, 1))
    p50, p99 = quantile(starts, 0.5), quantile(starts, 0.99)
    return Section(
        "mitigation",
        "Mitigations: press to dialog, confirmation to action",
        ("what", "count", "p50", "p95", "p99"),
        [_row("press on the button to the open dialog", dialogs), _row("confirmation to the action", starts)],
        (
            Aim("confirmation to the executor's call, p50", "< 150 ms", ms(p50), p50 < 0.15),
            Aim("confirmation to the executor's call, p99", "< 1 s", ms(p99), p99 < 1),
        ),
        (
            (
                "Sandbox Slack and Alertmanager, the real `http` executor. Between confirmation and action lie "
                "Slack's signed delivery, two runs in the inbox, two looks at Alertmanager, a dry run, all "
                "guardrails three times, and the message that shows who asked."
            ),
            "The dialog's time has a poll of 10 ms in it. Between two runs the channel's budget is given time.",
        ),
    )


def _row(what: str, waits: list[float]) -> tuple[object, ...]:
    return (what, len(waits), *(ms(quantile(waits, share)) for share in (0.5, 0.95, 0.99)))


def _page(product: Product, method: str, path: str, **body: Any) -> Any:
    url = f"http://127.0.0.1:{product.sandbox_port}/{path}"
    response = product.http.request(method, url, json=body or None)
    response.raise_for_status()
    return response.json() if response.content else None


def _fire(product: Product) -> None:
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": "Bench", "service": "bench", "severity": "critical"},
        "annotations": {"summary": "It burns."},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
    }
    url = f"http://127.0.0.1:{product.sandbox_port}/alertmanager/api/v2/alerts"
    product.http.post(url, json=[alert]).raise_for_status()


def _state(product: Product) -> Any:
    return _page(product, "GET", f"page/slack/state?user={ALICE}&limit=1000")


def _button(product: Product) -> dict[str, Any]:
    """Where the button stands now; empty while a run is under way."""
    for message in reversed(_state(product)["messages"][CHANNEL]):
        blocks = [*(message.get("blocks") or ())]
        blocks += [b for a in message.get("attachments") or () for b in a.get("blocks") or ()]
        for block in blocks:
            for element in block.get("elements", ()):
                if element.get("type") == "button" and element["text"]["text"] == "Heal it":
                    place = {"channel": CHANNEL, "ts": message["ts"], "block_id": block["block_id"]}
                    return {**place, "action_id": element["action_id"], "value": element.get("value")}
    return {}


def _once(product: Product, hook: Hook) -> tuple[float, float]:
    """Seconds from press to dialog, and from confirmation to the action."""
    place: dict[str, Any] = {}
    wait_until(lambda: place.update(_button(product)) or place, "the button")
    pressed = time.perf_counter()
    _page(product, "POST", "page/slack/click", user=ALICE, **place)
    views: list[Any] = []
    wait_until(lambda: views.extend(_state(product)["views"]) or views, "the dialog")
    opened = time.perf_counter() - pressed
    before, confirmed = len(hook.calls), time.perf_counter()
    _page(product, "POST", "page/slack/submit", user=ALICE, view_id=views[-1]["id"], values={})
    wait_until(lambda: len(hook.calls) > before, "the action")
    started = hook.calls[before] - confirmed
    time.sleep(PAUSE_SECONDS)
    return opened, started
