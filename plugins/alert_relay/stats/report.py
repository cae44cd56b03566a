"""Figures as an answer in the chat and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.plugin import Message, Note, Section, Text, join, md
from plugins.alert_relay import words
from plugins.alert_relay.stats.figures import Figures, Spread, Success

INFERRED = (
    "Inferred: when a fault began is the alert's start less its rule's `for`; downtime is the time in which "
    "a group that counts fired. {ends} of {groups} ends were seen at a poll, not told: at most 30 s late."
)
MEANS = (
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
    for name, shown, mark in MEANS:
        spread: Spread = getattr(found, name)
        if spread.mean is None:
            yield f"Mean time {shown}: nothing to measure"
        else:
            middle = seconds(spread.median)
            yield f"Mean time {shown}{mark}: {seconds(spread.mean)} (median {middle}, of {spread.number})"


def _noise(found: Figures) -> Iterator[Text]:
    if found.noise is not None:
        share = f"{found.untouched} of {found.groups} groups ended or fire without anybody's doing"
        yield f"Noise: {found.noise:.1f} alerts per incident; {share}"


def _down(found: Figures) -> Iterator[Text]:
    availability = found.availability()
    for entry in found.downtime:
        service = entry.service or "no service"
        share = f"{availability[entry.service]:.3%} available in all"
        yield f"Down (inferred): {service} {entry.month} {seconds(entry.seconds)}, {share}"


def _success(found: Figures) -> Iterator[Text]:
    for entry in found.mitigations:
        yield f"Mitigation {entry.mitigation}: {rate(entry)}"


def rate(entry: Success) -> str:
    unknown = f", {entry.unknown} unknown" if entry.unknown else ""
    judged = entry.succeeded + entry.failed
    share = (
        f"{entry.rate:.0%} ({entry.succeeded} of {judged}) worked" if entry.rate is not None else "no verdict"
    )
    return share + unknown


def seconds(spent: float | None) -> str:
    if spent is None:
        return "none"
    return f"{spent:.0f} s" if spent < 90 else words.span(spent)


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
        **{f"seconds_to_{name}": getattr(found, name)._asdict() for name, _, _ in MEANS},
        "downtime": [entry._asdict() for entry in found.downtime],
        "availability": found.availability(),
        "mitigations": [{**entry._asdict(), "rate": entry.rate} for entry in found.mitigations],
        "inferred": ["seconds_to_detect", "downtime", "availability"],
        "inferred_ends": found.inferred_ends,
    }
