"""A post-mortem to go on from: the facts are filled in, what only people know is left to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from plugins.alert_relay import words
from plugins.alert_relay.incidents.incident import Incident
from plugins.alert_relay.incidents.timeline import Entry

_ADDRESS = "/:?&=%.,~+"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_QUESTIONS = {
    "Impact": "Who noticed what, for how long?",
    "Root cause": "Why did it happen, and why was it not prevented?",
    "What went well": "What helped to find or to mend it?",
    "What to change": "What is done by whom until when?",
}


def facts(incident: Incident, entries: Sequence[Entry], now: datetime) -> dict[str, Any]:
    """Times in ISO 8601, durations in seconds; None where it did not happen (yet)."""
    start, end = incident.started_at, incident.ended_at
    return {
        "id": incident.id,
        "title": incident.title,
        "severity": incident.severity,
        "labels": incident.labels,
        "started_at": start.isoformat(),
        "noticed_at": incident.opened_at.isoformat(),
        "ended_at": end.isoformat() if end else None,
        "groups": len(incident.members),
        "alerts": incident.alerts,
        "merged": list(incident.merged),
        "seconds_to_acknowledge": _after(start, _first(entries, "ack")),
        "seconds_to_mitigate": _after(start, _first(entries, "mitigation", "succeeded")),
        "seconds_to_resolve": _after(start, end),
        "people": sorted({entry.who for entry in entries if words.is_user(entry.who)}),
        "exported_at": now.isoformat(),
    }


def as_json(incident: Incident, entries: Sequence[Entry], now: datetime) -> dict[str, Any]:
    return {
        **facts(incident, entries, now),
        "members": [member.model_dump(mode="json") for member in incident.members],
        "timeline": [entry.model_dump(mode="json") for entry in entries],
    }


def markdown(incident: Incident, entries: Sequence[Entry], now: datetime) -> str:
    """What comes from alerts and people is escaped: it can't become a heading, a link or HTML."""
    return "\n".join(_lines(incident, entries, now)) + "\n"


def _lines(incident: Incident, entries: Sequence[Entry], now: datetime) -> Iterator[str]:
    found = facts(incident, entries, now)
    yield f"# {incident.id}: {plain(incident.title)}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in _table(incident, found):
        yield f"| {name} | {plain(value)} |"
    yield ""
    yield "## Timeline (UTC)"
    yield ""
    yield from (_entry(entry) for entry in entries)
    yield ""
    yield "## Alert groups"
    yield ""
    for member in incident.members:
        state = f"ended {member.ended_at:%H:%M}" if member.ended_at else "still fires"
        yield f"- {plain(member.title)} ({plain(member.severity or 'no severity')}), {state}"
    for heading, question in _QUESTIONS.items():
        yield from ("", f"## {heading}", "", f"_{question}_")


def _table(incident: Incident, found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Severity", incident.severity or "none"
    yield "Began", f"{incident.started_at:%Y-%m-%d %H:%M} UTC"
    yield "Noticed", f"{incident.opened_at:%Y-%m-%d %H:%M} UTC"
    yield "Ended", f"{incident.ended_at:%Y-%m-%d %H:%M} UTC" if incident.ended_at else "not yet"
    names = {
        "acknowledge": "Time to acknowledge",
        "mitigate": "Time to mitigate",
        "resolve": "Time to resolve",
    }
    for name, shown in names.items():
        seconds = found[f"seconds_to_{name}"]
        yield shown, words.span(seconds) if seconds is not None else "never"
    yield "Size", f"{words.count(found['alerts'], 'alert')} in {words.count(found['groups'], 'group')}"
    yield "People", ", ".join(found["people"]) or "nobody"


def _entry(entry: Entry) -> str:
    who = f" ({plain(entry.who)})" if entry.who else ""
    group = f"**{plain(entry.group)}** " if entry.group else ""
    return f"- {entry.at:%Y-%m-%d %H:%M:%S} {group}{plain(entry.text)}{who}{_linked(entry.address)}"


def _linked(address: str) -> str:
    """The link to a message, without the signs that would end it."""
    is_web = address.startswith(("https://", "http://"))
    return f" ([message]({quote(address, safe=_ADDRESS)}))" if is_web else ""


def plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _first(entries: Sequence[Entry], kind: str, word: str = "") -> datetime | None:
    return next((entry.at for entry in entries if entry.kind == kind and word in entry.text), None)


def _after(start: datetime, end: datetime | None) -> float | None:
    return max(timedelta(0), end - start).total_seconds() if end else None
