"""Commands of the documentation that need a running product."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from integrations.sandbox.incident.monitoring import missing
from tests.conftest import free_port, wait_until
from tests.e2e.product import ALICE, Product, clean_environment, gone

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    made = Product(tmp_path / "data").start()
    yield made
    if made.process.poll() is None:
        made.stop()


def told(product: Product, *words: str) -> str:
    done = product.cli(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_ticket_is_looked_up_replayed_backfilled_and_collected(product: Product, tmp_path: Path) -> None:
    key = product.ticket("Refund please", "I was charged twice and want my money back.")
    wait_until(lambda: product.labels(key), 60, "a label")
    wait_until(product.idle, 30, "the end of the work")
    runs = product.http.get(f"{product.url}/api/inbox", headers=bearer(product)).json()
    run = next(run for run in runs if run["kind"] == "ticket.created")
    assert "autotag" in told(product, "inbox", "show", run["event_id"])
    refused = product.cli("inbox", "replay", run["id"])
    assert "is not a dead letter" in refused.stderr
    assert "1 labelled already" in told(product, "tags", "backfill", "project = SUP")
    told(product, "tags", "backfill", "project = SUP", "--apply")
    told(product, "tags", "collect", str(tmp_path / "reviews.jsonl"))


def test_the_home_tab_answers_who_opens_it(product: Product) -> None:
    product.page("POST", "slack/home", user=ALICE)

    def shown() -> str:
        return str(product.page("GET", f"slack/state?user={ALICE}&limit=1")["home"])

    wait_until(lambda: "Send it to me too" in shown(), 30, "the Home tab")
    home = product.page("GET", f"slack/state?user={ALICE}&limit=1")["home"]
    [strip] = [block for block in home["blocks"] if block["type"] == "actions"]
    press = {"block_id": strip["block_id"], "action_id": strip["elements"][0]["action_id"]}
    product.page("POST", "slack/click", user=ALICE, view_id=home["id"], **press)
    wait_until(lambda: "and sent to you too" in shown(), 30, "the change")


def bearer(product: Product) -> dict[str, str]:
    made = told(product, "tokens", "create", "test", "--scope", "read")
    return {"Authorization": f"Bearer {made.split()[-1]}"}


def test_the_demonstration_breaks_a_shop_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    if absent := missing():
        pytest.skip(f"Not installed: {', '.join(absent)}")
    log, sandbox = tmp_path / "demo.log", free_port()
    argv = [
        sys.executable,
        "-m",
        "bot",
        "demo",
        "incident",
        "--sandbox-port",
        str(sandbox),
        "--keep",
        str(tmp_path / "kept"),
    ]
    with log.open("wb") as out:
        demo = subprocess.Popen(argv, env=clean_environment(), stdout=out, stderr=out)
    try:
        wait_until(lambda: "Ctrl-C ends it all" in log.read_text(), 90, "the demonstration")
        state = f"http://127.0.0.1:{sandbox}/page/slack/state?user=U0SBALICE&limit=100"
        wait_until(lambda: "Restart" in httpx2.get(state).text, 60, "the alert's message with its lever")
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(60)
    assert gone([demo.pid])
    assert demo.returncode == 0
