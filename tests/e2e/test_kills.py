"""Workers and the web process are killed at random moments under a mixed load of over 200 events.

Afterwards every acknowledged delivery is done, and nothing that a person sees is there twice.
"""

from __future__ import annotations

import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from bot.core.database import Database
from bot.core.inbox import Inbox
from tests.conftest import wait_until
from tests.e2e.product import ALICE, BOB, Product, as_text

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]
EVENTS, TICKETS, COMMANDS, KILLS, SEED = 200, 40, 130, 20, 7
SCENARIOS = ("checkout-errors", "disk-filling", "latency")
# Kills make leases run out; short ones keep the test short. The limits only have to be consistent.
FAST = {
    "SIGNALBOX_WORKERS__LEASE_SECONDS": "6",
    "SIGNALBOX_WORKERS__SOFT_TIME_LIMIT": "4",
    "SIGNALBOX_WORKERS__HARD_TIME_LIMIT": "5",
    "SIGNALBOX_WORKERS__SWEEP_SECONDS": "1",
    "SIGNALBOX_WORKERS__MAX_ATTEMPTS": "20",
}


class Killer(threading.Thread):
    """Ends a random worker or the web process, again and again, until told to stop."""

    def __init__(self, product: Product) -> None:
        super().__init__(daemon=True)
        self.product, self.draw, self.kills = product, random.Random(SEED), 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.wait(self.draw.uniform(0.3, 1.2)):
            workers = self.product.find("celery", "worker")
            # Who was killed on its way up, again and again, would show nothing: it is to have work under way.
            web = self.product.find("-m bot web") if is_up(self.product) else []
            victims = web if self.draw.random() < 0.2 else workers
            if victims:
                self.draw.choice(victims).send_signal(signal.SIGKILL)
                self.kills += 1


def command(product: Product, number: int) -> bool:
    """Send a command; whether it was acknowledged."""
    said = product.say(ALICE, f"/signalbox trace no-such-event-{number}", "C0DIGEST0")
    return said["delivered"][0]["status"] == 200


def test_nothing_is_lost_and_nothing_is_done_twice(product: Product) -> None:
    acknowledged, keys = load(product)
    wait_until(lambda: is_up(product), 60, "the web process")
    wait_until(lambda: len(product.top_level("C0ALERTS0")) == len(SCENARIOS), 60, "a message for each alert")
    for message in product.top_level("C0ALERTS0"):
        press(product, message)
    wait_until(product.at_rest, 240, "an empty inbox")
    check_inbox(product)
    check_commands(product, acknowledged)
    check_tickets(product, keys)
    check_alerts(product)
    assert product.stop() == 0


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    made = Product(tmp_path / "data", **FAST).start()
    # The stand-in's minute-long limits are another test's matter.
    made.page("POST", "slack/limits", enabled=False)
    yield made
    if made.process.poll() is None:
        made.stop()


def load(product: Product) -> tuple[list[int], list[str]]:
    """Commands, tickets and alerts while processes die; the numbers of acknowledged commands, all keys."""
    acknowledged: list[int] = []
    keys: list[str] = []
    killer = Killer(product)
    killer.start()
    deadline, number = time.monotonic() + 200, 0
    try:
        while len(acknowledged) < COMMANDS or killer.kills < KILLS:
            if command(product, number):
                acknowledged.append(number)
            if number < TICKETS:
                keys.append(product.ticket(f"Refund, please, number {number}", "I want my money back."))
            if number in {10, 50, 90}:
                product.page("POST", "alerts/fire", scenario=SCENARIOS[number // 40])
            assert time.monotonic() < deadline, (len(acknowledged), killer.kills)
            number += 1
            time.sleep(0.05)
    finally:
        killer.stopping.set()
        killer.join(5)
    return acknowledged, keys


def press(product: Product, message: dict) -> None:
    """Two people press one button while a worker is killed."""
    for user in (BOB, ALICE):
        product.click(user, "C0ALERTS0", message, "Silence 1h")
    for worker in product.find("celery", "worker", "interactive"):
        worker.send_signal(signal.SIGKILL)


def is_up(product: Product) -> bool:
    try:
        return product.http.get(f"{product.url}/api/health").status_code == 200
    except httpx2.TransportError:
        return False


def check_inbox(product: Product) -> None:
    """Every event is done; none is waiting, stuck or dead."""
    db = Database(f"sqlite:///{product.data / 'signalbox.db'}")
    counts = Inbox(db).counts(datetime.min.replace(tzinfo=UTC))
    db.close()
    assert counts["done"] >= EVENTS
    assert counts == {"pending": 0, "leased": 0, "dead": 0, "done": counts["done"]}


def check_commands(product: Product, acknowledged: list[int]) -> None:
    """Each acknowledged command is answered once."""
    answers = Counter(
        int(number)
        for answer in product.answers(ALICE, "C0DIGEST0")
        for number in set(re.findall(r"no-such-event-(\d+)", answer))
    )
    assert {n: answers[n] for n in acknowledged} == dict.fromkeys(acknowledged, 1)


def check_tickets(product: Product, keys: list[str]) -> None:
    for key in keys:
        labels = product.labels(key)
        assert len(labels) == 1, (key, labels)
    mentions = Counter(
        key
        for message in product.messages("C0SUPPORT")
        for key in keys
        if f"{key} " in as_text(message) or f"|{key}>" in as_text(message)
    )
    assert all(count == 1 for count in mentions.values()), mentions


def check_alerts(product: Product) -> None:
    messages = product.top_level("C0ALERTS0")
    assert len(messages) == len(SCENARIOS), [as_text(m)[:80] for m in messages]
    silences = product.page("GET", "alerts/state")["silences"]
    assert len(silences) == len(SCENARIOS)
