"""Addresses are shown without what opens them."""

from __future__ import annotations

import pytest

from bot.core.masking import without_passwords
from bot.diagnosis import masked

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ml:hush@db/mlflow",
        "postgresql://db/mlflow?user=ml&sslpassword=hush",
        "redis://:hush@here:6379/0",
        "https://hooks.example/x?token=hush",
        "https://hooks.example/x?a=1&API_KEY=hush",
        "https://hooks.example/x?X-Amz-Signature=hush&b=2",
        "https://hooks.example/x?sig=hush",
    ],
)
def test_what_opens_a_door_is_masked(address: str) -> None:
    shown = without_passwords(address)
    assert "hush" not in shown
    assert "***" in shown


@pytest.mark.parametrize("address", ["https://h.example/x?keyspace=production", "postgresql://ml@db/mlflow"])
def test_what_opens_nothing_is_shown(address: str) -> None:
    assert without_passwords(address) == address


def test_each_of_several_addresses_is_masked_by_itself() -> None:
    shown = masked("urls", ("https://a:hush@one.example", "https://two.example:9093"))
    assert shown == "https://a:***@one.example, https://two.example:9093"
