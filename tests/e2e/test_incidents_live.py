"""Incidents and storms in the running product: several workers, the stand-ins' real protocols."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.e2e.product import ALICE, BOB, Product, as_text

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
ALERTS = "C0ALERTS0"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    made = Product(tmp_path / "data").start()
    yield made
    if made.process.poll() is None:
        made.stop()


def fire(product: Product, *alerts: dict[str, str]) -> None:
    now = datetime.now(UTC).isoformat()
    body = [
        {"labels": labels, "annotations": {"summary": labels["alertname"]}, "startsAt": now}
        for labels in alerts
    ]
    product.http.post(f"{product.sandbox}/alertmanager/api/v2/alerts", json=body).raise_for_status()


def alert(name: str, service: str, severity: str = "warning") -> dict[str, str]:
    return {"alertname": name, "service": service, "severity": severity}


def lines(product: Product, *words: str) -> list[str]:
    """Messages in the channel itself that have all the words."""
    shown = [as_text(message) for message in product.top_level(ALERTS)]
    return [text for text in shown if all(word in text for word in words)]


def files(product: Product) -> str:
    return json.dumps([message.get("files") for message in product.messages(ALERTS)])


def answer(product: Product, command: str, words: str) -> str:
    product.say(ALICE, f"/signalbox {command}", ALERTS)
    return wait_until(
        lambda: next((a for a in product.answers(ALICE, ALERTS) if words in a), None),
        30,
        f"an answer with {words}",
    )


def test_two_groups_of_a_service_are_one_line_and_one_story(product: Product) -> None:
    fire(product, alert("HighErrorRate", "checkout", "critical"))
    wait_until(lambda: lines(product, "HighErrorRate"), 40, "the incident's line")
    fire(product, alert("SlowCheckout", "checkout"))
    wait_until(lambda: lines(product, "2 of 2 groups fire"), 40, "both groups on the line")
    assert len(lines(product)) == 1
    [line] = product.top_level(ALERTS)

    def of_the_second() -> list[dict[str, Any]]:
        under = [m for m in product.messages(ALERTS) if m.get("thread_ts") == line["ts"] != m["ts"]]
        return [message for message in under if "SlowCheckout" in as_text(message)]

    wait_until(of_the_second, 40, "the second group's message in the thread")
    slow = of_the_second()[0]
    product.click(BOB, ALERTS, slow, "Acknowledge")
    product.page("POST", "slack/react", user=BOB, channel=ALERTS, ts=slow["ts"], name="memo")
    wait_until(product.idle, 30, "the end of the work")
    story = answer(product, "incident INC-1", "acknowledged")
    assert "fires (critical)" in story
    found = product.cli("incidents", "export", "INC-1", "--format", "json")
    data: dict[str, Any] = json.loads(found.stdout)
    assert {"fired", "ack", "incident", "marked"} <= {entry["kind"] for entry in data["timeline"]}
    figures_come_with_a_picture(product)


def figures_come_with_a_picture(product: Product) -> None:
    answer(product, "stats 7", "Mean time to acknowledge")
    wait_until(lambda: "stats-7d" in files(product), 60, "the picture")
    found = json.loads(product.cli("alerts", "stats", "--days", "7").stdout)
    assert found["groups"] >= 2


def test_a_storm_is_one_summary_that_accounts_for_every_group(product: Product) -> None:
    before = len(lines(product))
    fire(product, *(alert(f"Fault{n}", f"service-{n}") for n in range(60)))
    wait_until(lambda: lines(product, "Alert storm rages"), 90, "the summary")
    wait_until(product.idle, 90, "the end of the work")
    own = len(lines(product, "Fault", "Acknowledge"))
    assert own <= 21
    assert len(lines(product)) <= before + own + 1
    wait_until(lambda: lines(product, f"{60 - own} groups wait here"), 60, "all the groups accounted for")
