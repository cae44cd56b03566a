"""Workers and the web process are killed at random moments under a mixed load of over 200 events.

Afterwards every acknowledged delivery is done, and nothing that a person sees is there twice.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from tests.conftest import wait_until
from tests.e2e.product import ALICE, BOB, Product, as_text

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]
TICKETS, COMMANDS, KILLS, SEED = 70, 120, 25, 7
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
        while not self.stopping.wait(self.draw.uniform(0.2, 0.8)) and self.kills < KILLS:
            workers = self.product.find("celery", "worker")
            web = self.product.find("-m bot web")
            victims = web if self.draw.random() < 0.2 else workers
            if victims:
                self.draw.choice(victims).send_signal(signal.SIGKILL)
                self.kills += 1


def command(product: Product, number: int) -> bool:
    """Send a command; whether it was acknowledged."""
    said = product.say(ALICE, f"/signalbox trace no-such-event-{number:03}", "C0DIGEST0")
    return said["delivered"][0]["status"] == 200


def test_nothing_is_lost_and_nothing_is_done_twice(tmp_path: Path) -> None:
    product = Product(tmp_path / "data", **FAST).start()
    product.page("POST", "slack/limits", enabled=False)
    killer = Killer(product)
    killer.start()
    acknowledged, keys = [], []
    try:
        for number in range(COMMANDS):
            if command(product, number):
                acknowledged.append(number)
            if number < TICKETS:
                keys.append(product.ticket(f"Refund, please, number {number}", "I want my money back."))
            if number % 40 == 10:
                product.page("POST", "alerts/fire", scenario=SCENARIOS[number // 40])
            time.sleep(0.05)
        wait_until(lambda: killer.kills >= KILLS, 60, "all kills")
    finally:
        killer.stopping.set()
        killer.join(5)
    for message in top_level(product):
        press(product, message)
    settle(product)
    check_commands(product, acknowledged)
    check_tickets(product, keys)
    check_alerts(product)
    assert product.stop() == 0


def top_level(product: Product) -> list[dict]:
    return [m for m in product.messages("C0ALERTS0") if not m.get("ephemeral_for") and not m.get("thread_ts")]


def press(product: Product, message: dict) -> None:
    """Two people press one button while a worker is killed."""
    for user in (BOB, ALICE):
        product.click(user, "C0ALERTS0", message, "Silence 1h")
    for worker in product.find("celery", "worker", "interactive"):
        worker.send_signal(signal.SIGKILL)


def settle(product: Product) -> None:
    """Wait until the helpdesk has stopped redelivering and the inbox is empty, twice in a row."""

    def quiet() -> bool:
        try:
            return product.idle()
        except httpx2.TransportError:
            return False

    wait_until(quiet, 120, "an empty inbox")
    time.sleep(20)  # Jira's last redelivery comes 16 s after the one before
    wait_until(quiet, 120, "an empty inbox")


def check_commands(product: Product, acknowledged: list[int]) -> None:
    answers = Counter(
        number
        for answer in product.answers(ALICE, "C0DIGEST0")
        for number in range(COMMANDS)
        if f"no-such-event-{number:03}" in answer
    )
    assert {n: answers[n] for n in acknowledged} == dict.fromkeys(acknowledged, 1)
    assert len(acknowledged) > COMMANDS * 0.5


def check_tickets(product: Product, keys: list[str]) -> None:
    deliveries = product.page("GET", "jira/deliveries")
    rows = deliveries["deliveries"] if isinstance(deliveries, dict) else deliveries
    assert rows
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
    messages = top_level(product)
    assert len(messages) == len(SCENARIOS), [as_text(m)[:80] for m in messages]
    silences = product.page("GET", "alerts/state")["silences"]
    assert len(silences) == len(SCENARIOS)
