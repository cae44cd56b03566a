"""What a caller asked: a body read as customers, or a sentence that says what to send instead. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from bot.core.errors import BadDelivery
from bot.webhooks.body import json_object

MAX_CUSTOMERS = 1000
_LARGE = 10**15
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
    found = [_customer(value, f"customers[{number}]") for number, value in enumerate(values)]
    [(name, times)] = Counter(str(customer["customer_id"]) for customer in found).most_common(1)
    if times > 1:
        raise BadDelivery(f"The customer {name[:60]!r} is sent {times} times; send each once.", status=422)
    return found


def _customer(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadDelivery(f"{name} is not an object. {_SHAPE}", status=422)
    if not str(value.get("customer_id", "")).strip():
        raise BadDelivery(f"{name} has no customer_id.", status=422)
    for field, said in value.items():
        if not _is_plain(said):
            raise BadDelivery(
                f"{name}.{field[:60]} is neither text, a finite number nor null; send one of these.",
                status=422,
            )
    _check_renewal(value.get("renewal"), name)
    return value


def _is_plain(said: Any) -> bool:
    """A JSON number may be larger than any that is calculated with."""
    if isinstance(said, int) and not isinstance(said, bool):
        return abs(said) < _LARGE
    return said is None or isinstance(said, str) or (isinstance(said, float) and math.isfinite(said))


def _check_renewal(said: Any, name: str) -> None:
    try:
        date.fromisoformat(said or "2000-01-01")
    except (TypeError, ValueError) as exc:
        raise BadDelivery(f"{name}.renewal must be a date such as 2027-02-22, or null.", status=422) from exc
