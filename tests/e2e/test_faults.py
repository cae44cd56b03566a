"""What is away delays and loses nothing: Jira, Redis, the database."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator

import pytest

from tests.conftest import wait_until
from tests.e2e.product import ALICE, Product

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    made = Product(tmp_path_factory.mktemp("faults") / "data").start()
    yield made
    made.stop()


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429, "retry_after": 1}, {"drop_after": True}])
def test_a_ticket_is_tagged_once_jira_is_well_again(product: Product, fault: dict[str, object]) -> None:
    product.page("POST", "jira/faults", path_prefix="/rest/api/3/issue", times=3, **fault)
    key = product.ticket("I want my money back", "Please refund the order that I returned.")
    assert wait_until(lambda: product.labels(key), 90, "a tag") == ["payment-refund"]
    wait_until(lambda: news_of(product, key), 30, "the news of it")
    wait_until(product.idle, 30, "an empty inbox")
    assert len(news_of(product, key)) == 1


def news_of(product: Product, key: str) -> list[dict[str, object]]:
    return [m for m in product.messages("C0SUPPORT") if f"{key} tagged" in m["text"]]


def test_commands_typed_while_redis_is_dead_are_answered(product: Product) -> None:
    [redis] = product.find("redis-server")
    redis.kill()
    said = product.say(ALICE, "/signalbox ping", "C0GENERAL")
    assert said["delivered"][0]["status"] == 200
    wait_until(lambda: any("pong" in a for a in product.answers(ALICE, "C0GENERAL")), 60, "an answer")
    assert "redis ended (signal SIGKILL); starting it again" in product.output()


def test_what_comes_in_while_the_database_is_locked_is_done_after(product: Product) -> None:
    lock = sqlite3.connect(product.data / "signalbox.db", isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(4, lock.rollback)
    release.start()
    key = product.ticket("Where is my parcel?", "It should have been delivered on Monday.")
    assert wait_until(lambda: product.labels(key), 60, "a tag") == ["delivery"]
    release.join()
    lock.close()


def test_nothing_is_left_behind(product: Product) -> None:
    wait_until(product.idle, 60, "an empty inbox")
    health = product.http.get(f"{product.url}/api/system/health")
    assert health.status_code == 200
    assert health.json()["checks"]["dead_letters"] == "ok"
