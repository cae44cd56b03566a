"""Are the tables fit to be learned from and scored? Bad rows are set aside, a bad batch stops.

A report says what was looked at, what broke and what to do; people read it, so it is words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ml.churn.reading import Raw
from ml.churn.tables import TABLES, Table

Outcome = Literal["passed", "set aside", "failed"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares are of a table's rows, or of its new ones. `stale_days`: how old the newest usage may be."""

    set_aside: float = 0.05
    least_set_aside: int = 20
    stale_days: int = 14
    least_customers: int = 50
    row_change: float = 0.5
    drift: float = 0.25


@dataclass(frozen=True, slots=True)
class Check:
    """One look at one thing. `rows`: how many it concerns; `todo`: what mends it."""

    table: str
    name: str
    outcome: Outcome
    rows: int
    words: str
    todo: str = ""


@dataclass(frozen=True)
class Report:
    as_of: date
    checks: tuple[Check, ...]
    frames: dict[str, Any] = field(repr=False)
    quarantine: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def passed(self) -> bool:
        return all(check.outcome != "failed" for check in self.checks)

    @property
    def broken(self) -> list[Check]:
        return [check for check in self.checks if check.outcome == "failed"]

    def write(self, folder: Path) -> Path:
        """FOLDER/<as_of>.json and .md, and the rows that were set aside beside them."""
        folder.mkdir(parents=True, exist_ok=True)
        told = {"as_of": f"{self.as_of}", "passed": self.passed, "checks": [asdict(c) for c in self.checks]}
        (folder / f"{self.as_of}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        for name, rows in self.quarantine.items():
            rows.write_csv(folder / f"{self.as_of}-{name}-set-aside.csv")
        file = folder / f"{self.as_of}.md"
        file.write_text(_page(self), encoding="utf-8")
        return file


def check(
    raw: Raw, as_of: date, limits: Limits | None = None, before: Mapping[str, int] | None = None
) -> Report:
    """Args:
    before: rows of each table at the source in the run before; one that shrank or grew by more than
        `row_change` fails.
    """
    limits = limits or Limits()
    checks: list[Check] = []
    frames: dict[str, Any] = {}
    quarantine: dict[str, Any] = {}
    customers = raw.frames["customers"]["customer_id"].unique().implode()
    for name, table in TABLES.items():
        frame, aside, found = _rows(raw, table, customers, as_of, limits)
        frames[name] = frame
        if len(aside):
            quarantine[name] = aside
        checks += found
        rows = raw.rows.get(name, len(raw.frames[name]))
        checks += _batch(table, rows, limits, (before or {}).get(name))
        checks += _empty_files(table, raw.empty.get(name, ()))
    checks += [_enough(frames, limits), _fresh(frames, as_of, limits), _one_currency(frames)]
    return Report(as_of, tuple(checks), frames, quarantine)


def _rows(
    raw: Raw, table: Table, customers: Any, as_of: date, limits: Limits
) -> tuple[Any, Any, list[Check]]:
    """The good rows, the others with the reason, and a check for each reason and for how many they are."""
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation

    frame = raw.frames[table.name]
    rules: list[tuple[str, Any, str]] = [
        (f"{column} is missing", pl.col(column).is_null(), f"Fill in {column} at the source.")
        for column in table.required
    ]
    rules += [
        (f"{column} is below {least:g}", pl.col(column) < least, f"Correct {column} at the source.")
        for column, least in table.smallest.items()
    ]
    rules.append(
        (f"{table.time} lies in the future", pl.col(table.time) > as_of, "Check the source's clock.")
    )
    rules.append(
        (
            f"{' and '.join(table.key)} stands there twice",
            ~pl.struct(table.key).is_first_distinct(),
            "Export each row once.",
        )
    )
    if table.name != "customers":
        rules.append(
            (
                "its customer is unknown",
                ~pl.col("customer_id").is_in(customers),
                "Export customers and the rest of one day.",
            )
        )
    reason = pl.coalesce(
        [pl.when(rule.fill_null(value=False)).then(pl.lit(words)) for words, rule, _ in rules]
    )
    judged = frame.with_columns(reason.alias("reason"))
    bad = judged.filter(pl.col("reason").is_not_null()).cast(pl.String)
    counts = dict(bad.group_by("reason").len().iter_rows())
    checks = [
        Check(table.name, words, "set aside" if counts.get(words) else "passed", counts.get(words, 0),
              f"{counts.get(words, 0)} rows: {words}.", todo)
        for words, _, todo in rules
    ]  # fmt: skip
    misfits = raw.misfits.get(table.name)
    odd = 0 if misfits is None else len(misfits)
    checks += _set_aside(table, judged["reason"].is_not_null(), odd, raw.new.get(table.name, 0), limits)
    if misfits is not None:
        words = "a value does not fit its column's type"
        bad = pl.concat([bad, misfits.cast(pl.String).with_columns(pl.lit(words).alias("reason"))])
        todo = "Dates are YYYY-MM-DD, numbers have a point."
        checks.append(
            Check(table.name, words, "set aside", len(misfits), f"{len(misfits)} rows: {words}.", todo)
        )
    return judged.filter(pl.col("reason").is_null()).drop("reason"), bad, checks


def _set_aside(table: Table, bad: Any, odd: int, new: int, limits: Limits) -> list[Check]:
    """A bad day does not hide in a long good past. `bad` [rows], the `new` ones last; `odd` fit no type."""
    shares = (
        (bad.sum() + odd, len(bad) + odd, 1, ""),
        (bad.tail(new).sum() + odd, new + odd, limits.least_set_aside, "new "),
    )
    for aside, rows, least, which in shares:
        if aside >= least and aside / rows > limits.set_aside:
            words = f"{aside / rows:.0%} of the {which}rows were set aside, more than {limits.set_aside:.0%}."
            todo = "Look at the rows that were set aside."
            return [Check(table.name, "share set aside", "failed", aside, words, todo)]
    return []


def _empty_files(table: Table, names: tuple[str, ...]) -> list[Check]:
    """A day of usage whose file has come without a row is an export that failed."""
    return [
        Check(table.name, "empty file", "failed", 0, f"{name} holds no rows.", "Export that day anew.")
        for name in names
        if table.is_final
    ]


def _batch(table: Table, rows: int, limits: Limits, before: int | None) -> list[Check]:
    """Whether the table as a whole can be used; `rows` are the source's."""
    found = []
    if rows == 0:
        found.append(
            Check(table.name, "rows", "failed", 0, "The table is empty.", "Check the export of that day.")
        )
    if before and not (1 - limits.row_change) <= rows / before <= 1 + limits.row_change:
        words = f"{rows} rows, {before} in the run before."
        todo = "Is the export whole? If so, `signalbox churn etl --full` takes it."
        found.append(Check(table.name, "row count", "failed", rows, words, todo))
    return found


def _enough(frames: Mapping[str, Any], limits: Limits) -> Check:
    rows = len(frames["customers"])
    ok = rows >= limits.least_customers
    todo = "" if ok else f"At least {limits.least_customers} are needed."
    return Check("customers", "enough", "passed" if ok else "failed", rows, f"{rows} customers.", todo)


def _fresh(frames: Mapping[str, Any], as_of: date, limits: Limits) -> Check:
    newest = frames["usage"]["day"].max()
    ok = newest is not None and newest >= as_of - timedelta(days=limits.stale_days)
    words = f"The newest day of usage is {newest or 'none'}, scored is {as_of}."
    return Check("usage", "fresh", "passed" if ok else "failed", 0, words, "" if ok else "Export usage anew.")


def _one_currency(frames: Mapping[str, Any]) -> Check:
    found = sorted(frames["customers"]["currency"].drop_nulls().unique().to_list())
    ok = len(found) <= 1
    words = f"Currencies: {', '.join(found) or 'none said'}."
    todo = "" if ok else "Convert amounts to one currency before export: sums of several mean nothing."
    return Check("customers", "one currency", "passed" if ok else "failed", len(found), words, todo)


def psi(expected: np.ndarray, found: np.ndarray, bins: int = 10) -> float:
    """Population stability index of two samples; .25 and more is a shift worth an event (Siddiqi, 2006).

    Samples are cut to 5,000 values each: on larger ones every difference looks significant, but no effect
    grows.
    """
    rng = np.random.default_rng(0)
    expected, found = (_sample(values[~np.isnan(values)], rng) for values in (expected, found))
    if len(expected) < bins or len(found) < bins:
        return 0.0
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = [
        (np.bincount(np.searchsorted(edges, v, "right"), minlength=len(edges) + 1) + 0.5)
        for v in (expected, found)
    ]
    first, second = (counts / counts.sum() for counts in shares)
    return float(((second - first) * np.log(second / first)).sum())


def _sample(values: np.ndarray, rng: np.random.Generator, most: int = 5000) -> np.ndarray:
    return rng.choice(values, most, replace=False) if len(values) > most else values


def _page(report: Report) -> str:
    verdict = (
        "The data can be used." if report.passed else "The data was not used; the last good scores stand."
    )
    lines = [f"# Data of {report.as_of}", "", verdict, ""]
    if report.broken:
        lines += ["## What broke and what to do", ""]
        lines += [f"- **{c.table}: {c.name}.** {c.words} {c.todo}" for c in report.broken] + [""]
    lines += ["## All checks", "", "| table | check | outcome | rows |", "|---|---|---|---|"]
    lines += [f"| {c.table} | {c.name} | {c.outcome} | {c.rows} |" for c in report.checks]
    return "\n".join(lines) + "\n"
