"""What a caller asked: a body read as customers, or a sentence that says what to send instead. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.core.errors import BadDelivery
from bot.webhooks.body import json_object

MAX_CUSTOMERS = 1000
_SHAPE = 'Send {"customer": {"customer_id": "…", …}} or {"customers": [{…}, {…}]}, a feature a field.'


@dataclass(frozen=True)
class Asked:
    """`one`: the caller sent `customer` and wants a single answer."""

    customers: Sequence[dict[str, Any]]
    one: bool


def read(body: bytes) -> Asked:
    """BadDelivery with status 400 (not JSON), 413 (too many) or 422 (not as expected)."""
    data = json_object(body)
    if data.keys() == {"customer"}:
        return Asked([_customer(data["customer"], "customer")], one=True)
    if data.keys() == {"customers"} and isinstance(data["customers"], list):
        return Asked(_customers(data["customers"]), one=False)
    raise BadDelivery(f"The body has other fields than expected. {_SHAPE}", status=422)


def _customers(values: list[Any]) -> list[dict[str, Any]]:
    if len(values) > MAX_CUSTOMERS:
        raise BadDelivery(
            f"{len(values):,} customers are too many at once; send at most {MAX_CUSTOMERS:,} a request. "
            "`signalbox churn score` scores all of them.",
            status=413,
        )
    if not values:
        raise BadDelivery("The list of customers is empty; send at least one.", status=422)
    return [_customer(value, f"customers[{number}]") for number, value in enumerate(values)]


def _customer(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadDelivery(f"{name} is not an object. {_SHAPE}", status=422)
    if not str(value.get("customer_id", "")).strip():
        raise BadDelivery(f"{name} has no customer_id.", status=422)
    return value
