"""The kill switch: a word in the database, and a file for when there is nothing else. It fails closed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bot.core.memory import Documents
from bot.plugin import Context

Mode = Literal["run", "observe", "stop"]
KEY = "mitigation-switch"
FILE = "mitigations.stop"


class Switch(NamedTuple):
    mode: Mode
    reason: str = ""
    remedy: str = ""


def word(mode: Mode, by: str, reason: str, at: datetime) -> dict[str, Any]:
    return {"mode": mode, "by": by, "reason": reason, "at": at.isoformat()}


def read(documents: Documents, data_dir: Path, *, observe_only: bool) -> Switch:
    """The strictest word counts. A switch that can't be read stops everything."""
    return max(
        (
            _file(data_dir / FILE),
            _stored(documents),
            Switch("observe", "observe_only is set", "Remove the setting observe_only.")
            if observe_only
            else Switch("run"),
        ),
        key=lambda switch: ("run", "observe", "stop").index(switch.mode),
    )


def _file(path: Path) -> Switch:
    remedy = f"Remove {path} to go on."
    try:
        path.lstat()
    except FileNotFoundError:
        return Switch("run")
    except OSError as exc:
        return Switch("stop", f"the switch's file can't be read ({exc.strerror})", remedy)
    return Switch("stop", "the file mitigations.stop is there", remedy)


def _stored(documents: Documents) -> Switch:
    remedy = "Resume with `/signalbox mitigations resume` or `signalbox mitigations resume`."
    found = documents.get(KEY)
    if found is None:
        return Switch("run")
    mode = found.data.get("mode")
    if mode not in {"run", "observe", "stop"}:
        return Switch("stop", f"the switch says {mode!r}, which nobody knows", remedy)
    reason = f"{found.data.get('reason') or 'no reason given'}, by {found.data.get('by') or 'somebody'}"
    return Switch(mode, reason if mode != "run" else "", remedy)


def present(ctx: Context, *, observe_only: bool) -> Switch:
    return read(ctx.documents, ctx.data_dir, observe_only=observe_only)
