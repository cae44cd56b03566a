"""SIMULATED customers, for a first look and for load tests: never a source of accuracy figures.

A hidden health of each customer wanders, drives what they do, and with it whether they leave at a renewal.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

PLANS = (("basic", 90.0), ("team", 350.0), ("business", 1400.0))
SEGMENTS = ("retail", "software", "health", "public")
OWNERS = ("mia@example.com", "jonas@example.com", "lena@example.com")
_WEEK = 7


def tables(customers: int, weeks: int, until: date, seed: int = 7) -> dict[str, Any]:
    """The five raw tables as polars.DataFrames; `until` is the first day that is not known."""
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation

    world = _World(customers, weeks, until, seed)
    frames = {name: pl.DataFrame(columns) for name, columns in world.tables().items()}
    return {name: frame.fill_nan(None) for name, frame in frames.items()}


class _World:
    def __init__(self, customers: int, weeks: int, until: date, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.n, self.weeks, self.start = customers, weeks, until - timedelta(days=weeks * _WEEK)
        self.ids = np.array([f"C{number:06d}" for number in range(customers)])
        self.plan = self.rng.choice(len(PLANS), customers, p=[0.5, 0.35, 0.15])
        self.size = np.exp(self.rng.normal(0, 0.4, customers)) * np.array([2.0, 8.0, 30.0])[self.plan]
        self.signed_up = self.rng.integers(30, 1200, customers)
        self.renewal_every = self.rng.choice([13, 26, 52], customers, p=[0.35, 0.25, 0.4])
        self.offset = self.rng.integers(0, 52, customers)
        self.health, self.left_week = self._lives()

    def _lives(self) -> tuple[np.ndarray, np.ndarray]:
        """Health by week [weeks, customers], and the week each leaves in (weeks: not yet)."""
        level = self.rng.normal(0.6, 0.8, self.n)
        health = np.empty((self.weeks, self.n))
        left = np.full(self.n, self.weeks)
        for week in range(self.weeks):
            level = (
                0.97 * level
                + 0.02
                + self.rng.normal(0, 0.16, self.n)
                - 0.9 * (self.rng.random(self.n) < 0.006)
            )
            health[week] = level
            renews = (week + self.offset) % self.renewal_every == 0
            hazard = np.where(renews, 0.45, 0.004) / (1 + np.exp(2.2 * level + 1.2))
            gone = (left == self.weeks) & (self.rng.random(self.n) < hazard * np.where(renews, 2.2, 1.0))
            left[gone] = week
        return health, left

    def _day(self, week: np.ndarray | int, day: np.ndarray | int = 0) -> np.ndarray:
        days: np.ndarray = np.datetime64(self.start) + (np.asarray(week) * _WEEK + np.asarray(day)).astype(
            "timedelta64[D]"
        )
        return days

    def tables(self) -> dict[str, dict[str, Any]]:
        return {
            "customers": self._customers(),
            "subscriptions": self._subscriptions(),
            "usage": self._usage(),
            "invoices": self._invoices(),
            "tickets": self._tickets(),
        }

    def _customers(self) -> dict[str, Any]:
        return {
            "customer_id": self.ids,
            "name": np.array([f"Simulated {number}" for number in range(self.n)]),
            "segment": self.rng.choice(SEGMENTS, self.n),
            "owner": self.rng.choice(OWNERS, self.n),
            "currency": np.full(self.n, "EUR"),
            "signed_up": self._day(0) - self.signed_up.astype("timedelta64[D]"),
        }

    def _subscriptions(self) -> dict[str, Any]:
        """One row a term: a renewal ends one and starts the next, so each row holds what was known then."""
        value = np.array([price for _, price in PLANS])[self.plan] * np.exp(self.rng.normal(0, 0.15, self.n))
        first = -(self.offset % self.renewal_every)
        terms = -(-(self.left_week - first + 1) // self.renewal_every)
        customer = np.repeat(np.arange(self.n), terms)
        number = np.arange(len(customer)) - np.repeat(np.cumsum(terms) - terms, terms)
        began = first[customer] + number * self.renewal_every[customer]
        last = number == terms[customer] - 1
        left = self._day(self.left_week[customer], 3)
        still = np.where(self.left_week[customer] < self.weeks, left, np.datetime64("NaT"))
        signed = self._day(0) - self.signed_up.astype("timedelta64[D]")
        return {
            "customer_id": self.ids[customer],
            "plan": np.array([name for name, _ in PLANS])[self.plan][customer],
            "monthly_value": value.round(2)[customer],
            "started": np.where(
                number == 0, np.minimum(signed[customer], self._day(began)), self._day(began)
            ),
            "renewal": self._day(began + self.renewal_every[customer]),
            "ended": np.where(last, still, self._day(began + self.renewal_every[customer])),
        }

    def _usage(self) -> dict[str, Any]:
        week, customer = np.nonzero(np.arange(self.weeks)[:, None] <= self.left_week[None, :])
        health = self.health[week, customer]
        logins = self.rng.poisson(self.size[customer] * np.exp(0.7 * health - 0.2))
        actions = self.rng.poisson(logins * 6.0)
        return {
            "customer_id": self.ids[customer],
            "day": self._day(week, self.rng.integers(0, _WEEK, len(week))),
            "logins": logins,
            "actions": actions,
            "errors": self.rng.binomial(actions, 0.02 + 0.05 / (1 + np.exp(2 * health))),
            "seats": np.maximum(1, np.round(self.size[customer] * (0.6 + 0.2 * np.tanh(health)))),
        }

    def _invoices(self) -> dict[str, Any]:
        week, customer = np.nonzero(
            (np.arange(self.weeks)[:, None] % 4 == 0)
            & (np.arange(self.weeks)[:, None] <= self.left_week[None, :])
        )
        issued = self._day(week, 1)
        late = self.rng.exponential(6 * np.exp(-0.5 * self.health[week, customer])) + 10
        paid = issued + late.astype("timedelta64[D]")
        end = self._day(self.weeks)
        return {
            "customer_id": self.ids[customer],
            "invoice_id": np.array([f"I{number:08d}" for number in range(len(week))]),
            "issued": issued,
            "due": issued + np.timedelta64(14, "D"),
            "paid": np.where(paid < end, paid, np.datetime64("NaT")),
            "amount": (np.array([price for _, price in PLANS])[self.plan][customer]).round(2),
        }

    def _tickets(self) -> dict[str, Any]:
        often = 0.06 + 0.3 / (1 + np.exp(1.8 * self.health))
        alive = np.arange(self.weeks)[:, None] <= self.left_week[None, :]
        week, customer = np.nonzero((self.rng.random(often.shape) < often) & alive)
        health = self.health[week, customer]
        opened = self._day(week, self.rng.integers(0, _WEEK, len(week)))
        closed = opened + (1 + self.rng.exponential(4, len(week))).astype("timedelta64[D]")
        happy = np.clip(np.round(3.6 + 0.8 * health + self.rng.normal(0, 0.8, len(week))), 1, 5)
        rated = self.rng.random(len(week)) < 0.5
        return {
            "customer_id": self.ids[customer],
            "ticket_id": np.array([f"T{number:08d}" for number in range(len(week))]),
            "opened": opened,
            "closed": np.where(closed < self._day(self.weeks), closed, np.datetime64("NaT")),
            "priority": self.rng.choice(
                ["low", "normal", "high", "urgent"], len(week), p=[0.3, 0.45, 0.17, 0.08]
            ),
            "satisfaction": np.where(rated & (closed < self._day(self.weeks)), happy, np.nan),
        }
