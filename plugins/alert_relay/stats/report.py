"""Figures as an answer in the chat, as JSON, and as a page of the console."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.plugin import Chart, Figure, Message, Note, Page, Section, Table, Text, join, md
from bot.plugin import Figures as FigureRow
from plugins.alert_relay import words
from plugins.alert_relay.stats.figures import Figures, Spread, Success

INFERRED = (
    "Inferred: when a fault began is the alert's start less its rule's `for`; downtime is the time in which "
    "a group that counts fired. {ends} of {groups} ends were seen at a poll, not told: at most 30 s late."
)
_MEANS = (
    ("detect", "to detect", " (inferred)"),
    ("acknowledge", "to acknowledge", ""),
    ("mitigate", "to mitigate", ""),
    ("resolve", "to resolve", ""),
)


def message(found: Figures, days: int) -> Message:
    whose = f" of {found.service}" if found.service else ""
    size = f"{words.count(found.groups, 'group')}, {words.count(found.incidents, 'incident')}"
    head = f"{days} days{whose}: {size}"
    lines: list[Text] = [md("*{}*", head), *_means(found), *_noise(found), *_down(found), *_success(found)]
    note = INFERRED.format(ends=found.inferred_ends, groups=found.groups)
    return Message(text=head, blocks=(Section(text=join("\n", lines)), Note(parts=(note,))))


def _means(found: Figures) -> Iterator[Text]:
    for name, shown, mark in _MEANS:
        spread: Spread = getattr(found, name)
        if spread.mean is None:
            yield f"Mean time {shown}: nothing to measure"
        else:
            middle = _seconds(spread.median)
            yield f"Mean time {shown}{mark}: {_seconds(spread.mean)} (median {middle}, of {spread.number})"


def _noise(found: Figures) -> Iterator[Text]:
    if found.noise is not None:
        share = f"{found.untouched} of {found.groups} groups ended or fire without anybody's doing"
        yield f"Noise: {found.noise:.1f} alerts per incident; {share}"


def _down(found: Figures) -> Iterator[Text]:
    availability = found.availability()
    for entry in found.downtime:
        service = entry.service or "no service"
        share = f"{availability[entry.service]:.3%} available in all"
        yield f"Down (inferred): {service} {entry.month} {_seconds(entry.seconds)}, {share}"


def _success(found: Figures) -> Iterator[Text]:
    for entry in found.mitigations:
        yield f"Mitigation {entry.mitigation}: {_rate(entry)}"


def _rate(entry: Success) -> str:
    unknown = f", {entry.unknown} unknown" if entry.unknown else ""
    judged = entry.succeeded + entry.failed
    rate = (
        f"{entry.rate:.0%} ({entry.succeeded} of {judged}) worked" if entry.rate is not None else "no verdict"
    )
    return rate + unknown


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "none"
    return f"{seconds:.0f} s" if seconds < 90 else words.span(seconds)


def as_json(found: Figures) -> dict[str, Any]:
    """Durations in seconds, times in ISO 8601; `inferred` names what was not told."""
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "service": found.service,
        "groups": found.groups,
        "alerts": found.alerts,
        "incidents": found.incidents,
        "alerts_per_incident": found.noise,
        "untouched_groups": found.untouched,
        **{f"seconds_to_{name}": getattr(found, name)._asdict() for name, _, _ in _MEANS},
        "downtime": [entry._asdict() for entry in found.downtime],
        "availability": found.availability(),
        "mitigations": [{**entry._asdict(), "rate": entry.rate} for entry in found.mitigations],
        "inferred": ["seconds_to_detect", "downtime", "availability"],
        "inferred_ends": found.inferred_ends,
    }


def page(found: Figures, title: str, incidents: Table) -> Page:
    means = tuple(
        Figure(label=f"mean time {shown}", value=_seconds(getattr(found, name).mean), hint=mark.strip(" ()"))
        for name, shown, mark in _MEANS
    )
    noise = f"{found.noise:.1f}" if found.noise is not None else "none"
    return Page(
        title=title,
        parts=(
            FigureRow(items=(*means, Figure(label="alerts per incident", value=noise))),
            _chart(found),
            incidents,
            _downtime_table(found),
            _success_table(found),
        ),
    )


def _chart(found: Figures) -> Chart:
    busiest = max(found.days, key=lambda day: day[1])
    return Chart(
        title="Groups and incidents a day",
        alt=f"Bars of groups that fired and incidents that opened each day; the busiest was {busiest[0]}.",
        kind="bar",
        x=tuple(day for day, _, _ in found.days),
        series=(
            ("groups", tuple(float(groups) for _, groups, _ in found.days)),
            ("incidents", tuple(float(opened) for _, _, opened in found.days)),
        ),
    )


def _downtime_table(found: Figures) -> Table:
    return Table(
        title="Downtime by service and month (inferred)",
        columns=("Service", "Month", "Down"),
        rows=tuple((e.service or "none", e.month, _seconds(e.seconds)) for e in found.downtime),
        empty="No group whose severity counts as downtime fired.",
    )


def _success_table(found: Figures) -> Table:
    return Table(
        title="Mitigations",
        columns=("Mitigation", "Verified"),
        rows=tuple((entry.mitigation, _rate(entry)) for entry in found.mitigations),
        empty="No mitigation ran.",
    )
