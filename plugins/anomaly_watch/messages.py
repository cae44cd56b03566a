"""What lies behind an anomaly's alert. Labels are other people's text and stay plain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.core.messages import Block
from bot.plugin import Actions, Button, Message, Note, Section, md

SHOWN = 5


def explained(service: str, anomalies: Sequence[dict[str, Any]]) -> Message:
    """The anomalies of one service, the likely cause first."""
    first, *others = anomalies
    blocks: list[Block] = [Section(text=md("*{}*", first["reason"]))]
    blocks += [Section(text=each["reason"]) for each in others[: SHOWN - 1]]
    note = "What began first leads: it is the likely cause." if others else "Nothing else is unusual here."
    left = len(anomalies) - SHOWN
    blocks.append(Note(parts=(note, f"{left} more are not shown.") if left > 0 else (note,)))
    blocks.append(Actions(elements=tuple(_button(each, n) for n, each in enumerate(anomalies[:SHOWN]))))
    return Message(
        text=f"Anomaly in {service or 'a metric'}: {first['reason']}",
        blocks=tuple(blocks),
        severity="warning",
    )


def over(service: str) -> Message:
    text = f"{service or 'The metric'} is as usual again."
    return Message(text=text, blocks=(Section(text=text),), severity="good")


def _button(anomaly: dict[str, Any], number: int) -> Button:
    text = "Not an anomaly" if number == 0 else f"No. {number + 1}: not an anomaly"
    args = {"watch": anomaly["watch"], "series": anomaly["series"]}
    return Button(
        text=text,
        action="excuse",
        args=args,
        group=f"excuse:{anomaly['watch']}:{anomaly['series']}:{anomaly['since']}",
    )


def watched(rows: Sequence[tuple[str, int, int]]) -> str:
    if not rows:
        return (
            "Nothing is watched. Add [[plugins.anomaly-watch.watch]] with a name and a query to the settings."
        )
    return "\n".join(f"{name}: {series} series, {firing} anomalous" for name, series, firing in rows)
