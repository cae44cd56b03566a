"""Each feature: where it comes from, over which days, in which unit, and the words used for it as a reason.

A window of `days` ends before the cut and starts `days` before it, moved back by `ago`. Nothing of the
cut's own day is
read. Ratios are of features named above them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operation = Literal["sum", "count", "mean", "days_since", "latest", "days_until"]


@dataclass(frozen=True, slots=True)
class Words:
    """`more` and `less` tell what a high or low value is; {value} and {median} stand for numbers."""

    more: str
    less: str


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One number a customer. `where`: only rows with more than nothing in this column, or that stand open.

    `open_until` counts rows whose end is not known before the cut; `due` those whose date has passed too.
    """

    name: str
    table: str
    operation: Operation
    column: str = ""
    days: int = 0
    ago: int = 0
    where: str = ""
    equals: tuple[str, ...] = ()
    open_until: str = ""
    due: str = ""
    fill: float | None = None
    unit: str = ""
    words: Words | None = None
    actionable: bool = True


@dataclass(frozen=True, slots=True)
class Ratio:
    """`above` / `below`, minus one for a `change`; missing where `below` is nothing."""

    name: str
    above: str
    below: str
    scale: float = 1.0
    change: bool = False
    unit: str = ""
    words: Words | None = None
    actionable: bool = True


@dataclass(frozen=True, slots=True)
class Category:
    """A text of a table's newest row, one column a value that training has seen."""

    name: str
    table: str
    column: str


Feature = Aggregate | Ratio

FEATURES: tuple[Feature, ...] = (
    Aggregate(
        "logins_28d",
        "usage",
        "sum",
        "logins",
        28,
        fill=0,
        unit="logins in 4 weeks",
        words=Words(
            "{value} logins in 4 weeks, others {median}", "only {value} logins in 4 weeks, others {median}"
        ),
    ),
    Aggregate("logins_before_56d", "usage", "sum", "logins", 56, ago=28, fill=0, unit="logins in 8 weeks"),
    Ratio(
        "login_change",
        "logins_28d",
        "logins_before_56d",
        scale=2,
        change=True,
        unit="share",
        words=Words(
            "logins rose {value} against their 8-week mean", "logins fell {value} against their 8-week mean"
        ),
    ),
    Aggregate(
        "actions_28d",
        "usage",
        "sum",
        "actions",
        28,
        fill=0,
        unit="actions in 4 weeks",
        words=Words(
            "{value} actions in 4 weeks, others {median}", "only {value} actions in 4 weeks, others {median}"
        ),
    ),
    Aggregate("actions_before_56d", "usage", "sum", "actions", 56, ago=28, fill=0, unit="actions in 8 weeks"),
    Ratio(
        "action_change",
        "actions_28d",
        "actions_before_56d",
        scale=2,
        change=True,
        unit="share",
        words=Words(
            "use rose {value} against their 8-week mean", "use fell {value} against their 8-week mean"
        ),
    ),
    Aggregate("errors_28d", "usage", "sum", "errors", 28, fill=0, unit="errors in 4 weeks"),
    Ratio(
        "error_rate",
        "errors_28d",
        "actions_28d",
        unit="share",
        words=Words("{value} of their actions failed, others {median}", "few errors: {value}"),
    ),
    Aggregate(
        "active_days_28d",
        "usage",
        "count",
        "",
        28,
        where="logins",
        fill=0,
        unit="days of 28",
        words=Words("active on {value} of 28 days", "active on only {value} of 28 days, others {median}"),
    ),
    Aggregate(
        "days_since_login",
        "usage",
        "days_since",
        where="logins",
        unit="days",
        words=Words("last login {value} days ago, others {median}", "logged in {value} days ago"),
    ),
    Aggregate("seats_28d", "usage", "mean", "seats", 28, fill=0, unit="seats"),
    Aggregate("seats_before_56d", "usage", "mean", "seats", 56, ago=28, fill=0, unit="seats"),
    Ratio(
        "seat_change",
        "seats_28d",
        "seats_before_56d",
        change=True,
        unit="share",
        words=Words("seats in use rose {value}", "seats in use fell {value}"),
    ),
    Aggregate(
        "overdue_invoices",
        "invoices",
        "count",
        open_until="paid",
        due="due",
        fill=0,
        unit="invoices",
        words=Words("{value} invoices overdue", "no invoice overdue"),
    ),
    Aggregate(
        "invoiced_180d", "invoices", "sum", "amount", 180, fill=0, unit="money in 6 months", actionable=False
    ),
    Aggregate(
        "tickets_28d",
        "tickets",
        "count",
        "",
        28,
        fill=0,
        unit="tickets in 4 weeks",
        words=Words("{value} tickets in 4 weeks, others {median}", "{value} tickets in 4 weeks"),
    ),
    Aggregate(
        "urgent_tickets_90d",
        "tickets",
        "count",
        "priority",
        90,
        equals=("urgent", "high"),
        fill=0,
        unit="tickets",
        words=Words("{value} urgent tickets in 3 months", "no urgent ticket in 3 months"),
    ),
    Aggregate(
        "open_tickets",
        "tickets",
        "count",
        open_until="closed",
        fill=0,
        unit="tickets",
        words=Words("{value} tickets open", "no ticket open"),
    ),
    Aggregate(
        "satisfaction_180d",
        "tickets",
        "mean",
        "satisfaction",
        180,
        unit="of 5",
        words=Words("satisfied: {value} of 5", "rated support {value} of 5, others {median}"),
    ),
    Aggregate(
        "tenure_days",
        "customers",
        "days_since",
        unit="days",
        actionable=False,
        words=Words("with you for {value} days", "new: {value} days with you"),
    ),
    Aggregate(
        "days_to_renewal",
        "subscriptions",
        "days_until",
        "renewal",
        unit="days",
        words=Words("renews in {value} days", "renews in {value} days"),
    ),
    Aggregate(
        "monthly_value", "subscriptions", "latest", "monthly_value", unit="money a month", actionable=False
    ),
)
CATEGORIES: tuple[Category, ...] = (
    Category("plan", "subscriptions", "plan"),
    Category("segment", "customers", "segment"),
)
PROTECTED = ("age", "gender", "sex", "nationality", "religion", "ethnicity", "disability")
"""Never used as features, whatever a table holds."""

BY_NAME = {feature.name: feature for feature in FEATURES}
NAMES = tuple(BY_NAME)
