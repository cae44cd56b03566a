"""The rate budget in a real Redis: one for all workers, and people before digests."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from bot.core.errors import Throttled
from bot.core.messages import Priority
from integrations.slack.budget import Budget
from tests.conftest import free_port

pytestmark = pytest.mark.integration


@pytest.fixture
def worker(redis_url: str) -> Callable[..., Budget]:
    """Another worker's view of the same budget."""
    return lambda workspace="T1": Budget(redis_url, workspace)


def take_all(budget: Budget, method: str, priority: Priority = "high", channel: str = "") -> int:
    """How many calls the budget allows now."""
    for number in range(1000):
        try:
            budget.take(method, channel, priority)
        except Throttled:
            return number
    pytest.fail(f"{method} has no limit")


def test_two_workers_share_one_budget(worker: Callable[..., Budget]) -> None:
    first, second = worker(), worker()
    for _ in range(8):
        first.take("conversations.list", priority="high")
    assert take_all(second, "conversations.list") == 12
    with pytest.raises(Throttled) as told:
        first.take("conversations.list", priority="high")
    assert 0 < (told.value.retry_after or 0) <= 60


def test_methods_and_workspaces_have_budgets_of_their_own(worker: Callable[..., Budget]) -> None:
    budget = worker("T1")
    assert take_all(budget, "conversations.list") == 20
    assert take_all(budget, "conversations.history") == 50
    assert take_all(worker("T2"), "conversations.list") == 20


def test_a_busy_channel_does_not_hold_up_another(worker: Callable[..., Budget]) -> None:
    budget = worker()
    assert take_all(budget, "chat.postMessage", channel="C1") == 4
    budget.take("chat.postMessage", "C2", "high")


def test_a_button_answer_goes_where_a_digest_has_to_wait(worker: Callable[..., Budget]) -> None:
    budget = worker()
    low = take_all(budget, "chat.update", "low")
    normal = take_all(budget, "chat.update", "normal")
    high = take_all(budget, "chat.update", "high")
    assert low > 0
    assert normal > 0
    assert high > 0
    assert low + normal + high == 50


def test_a_retry_after_holds_for_all_workers_and_that_method_only(worker: Callable[..., Budget]) -> None:
    told, other = worker(), worker()
    told.block("chat.update", 30)
    with pytest.raises(Throttled) as refused:
        other.take("chat.update", priority="high")
    assert 25 < (refused.value.retry_after or 0) <= 30
    other.take("chat.postMessage", "C1", "high")
    worker("T2").take("chat.update", priority="high")


def test_a_long_wait_is_left_to_the_inbox_and_not_slept_through(redis_url: str) -> None:
    naps: list[float] = []
    budget = Budget(redis_url, "T1", sleep=naps.append)
    budget.block("chat.update", 30)
    with pytest.raises(Throttled):
        budget.take("chat.update")
    assert naps == []


def test_without_redis_a_worker_counts_for_itself() -> None:
    budget = Budget(f"redis://127.0.0.1:{free_port()}/0", "T1")
    assert take_all(budget, "conversations.list") == 20
    budget.block("views.open", 30)
    with pytest.raises(Throttled):
        budget.take("views.open", priority="high")


def test_a_clock_that_goes_back_uses_up_nobodys_budget(
    worker: Callable[..., Budget], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget, real = worker(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + 10_800)
    take_all(budget, "conversations.list")
    monkeypatch.setattr(time, "time", real)
    budget.take("conversations.list", priority="high")
