"""Outcomes that people recorded: facts here, labels for the next training in churn/outcomes.jsonl."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from bot.plugin import Context

KIND = "outcome"
_MOST = 100_000


def export(ctx: Context) -> Path:
    """Write the newest outcome of each customer and run, one JSON object a line; replaced as a whole."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for record in reversed(ctx.records.find(KIND, limit=_MOST)):
        newest[record.subject, record.data["run_id"]] = record.data
    path = ctx.data_dir / "churn" / "outcomes.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, "".join(json.dumps(line, sort_keys=True) + "\n" for line in newest.values()))
    return path


def _replace(path: Path, text: str) -> None:
    """Readers see the old file or the new one, and never half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)
