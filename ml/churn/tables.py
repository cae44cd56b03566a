"""The five raw tables: their columns, types and the time at which each fact became known.

A column in `known_after` tells of something later than its row: it is read only as far as it lies before the
cut. `day` of usage is the whole day, so it is known the day after.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Type = Literal["text", "date", "number"]


@dataclass(frozen=True, slots=True)
class Table:
    """`key`: the columns that tell rows apart; `time`: the day of the row; `smallest`: least values.

    `snapshot`: rows change without a date to see it by, so that the table is read whole each time.
    """

    name: str
    columns: dict[str, Type]
    key: tuple[str, ...]
    time: str
    required: tuple[str, ...]
    known_after: tuple[str, ...] = ()
    snapshot: bool = False
    smallest: dict[str, float] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether a row never changes again, so that it belongs to its own day alone."""
        return not self.snapshot and not self.known_after


CUSTOMERS = Table(
    "customers",
    {
        "customer_id": "text",
        "name": "text",
        "segment": "text",
        "owner": "text",
        "currency": "text",
        "signed_up": "date",
    },
    key=("customer_id",),
    time="signed_up",
    snapshot=True,
    required=("customer_id", "signed_up"),
)
SUBSCRIPTIONS = Table(
    "subscriptions",
    {
        "customer_id": "text",
        "plan": "text",
        "monthly_value": "number",
        "started": "date",
        "renewal": "date",
        "ended": "date",
    },
    key=("customer_id", "started"),
    time="started",
    required=("customer_id", "started", "monthly_value"),
    known_after=("ended",),
    smallest={"monthly_value": 0},
)
USAGE = Table(
    "usage",
    {
        "customer_id": "text",
        "day": "date",
        "logins": "number",
        "actions": "number",
        "errors": "number",
        "seats": "number",
    },
    key=("customer_id", "day"),
    time="day",
    required=("customer_id", "day"),
    smallest={"logins": 0, "actions": 0, "errors": 0, "seats": 0},
)
INVOICES = Table(
    "invoices",
    {
        "customer_id": "text",
        "invoice_id": "text",
        "issued": "date",
        "due": "date",
        "paid": "date",
        "amount": "number",
    },
    key=("invoice_id",),
    time="issued",
    required=("customer_id", "invoice_id", "issued", "due"),
    known_after=("paid",),
    smallest={"amount": 0},
)
TICKETS = Table(
    "tickets",
    {
        "customer_id": "text",
        "ticket_id": "text",
        "opened": "date",
        "closed": "date",
        "priority": "text",
        "satisfaction": "number",
    },
    key=("ticket_id",),
    time="opened",
    required=("customer_id", "ticket_id", "opened"),
    known_after=("closed", "satisfaction"),
    smallest={"satisfaction": 0},
)
TABLES = {table.name: table for table in (CUSTOMERS, SUBSCRIPTIONS, USAGE, INVOICES, TICKETS)}
