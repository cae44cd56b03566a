"""Corrections become training data: what people said to decisions, with the tickets' present words."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from bot.core.memory import Records
from bot.plugin import Permanent, Tickets
from plugins.autotag import policy
from plugins.autotag.decisions import REVIEW

_MOST = 100_000


def collect(records: Records, tickets: Tickets, since: datetime, out: Path) -> int:
    """Write one example a reviewed ticket as JSON Lines (text, label, category); returns how many.

    The newest review of a ticket counts. Tickets that are gone, and those that got no category, give none.
    """
    newest = {
        record.subject: record.data for record in reversed(records.find(REVIEW, since=since, limit=_MOST))
    }
    lines = []
    for key, said in sorted(newest.items()):
        if not said["category"]:
            continue
        try:
            text = policy.text_of(tickets.get(key))
        except Permanent:  # erased or moved since
            continue
        lines.append(json.dumps({"text": text, "label": said["category"], "category": said["category"]}))
    out.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return len(lines)
