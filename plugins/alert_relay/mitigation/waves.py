"""In which order the targets of one run are acted on: one first, then two, then four; stopped by errors."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.alert_relay.mitigation.runs import Part

_FINISHED = {"done", "failed", "unknown", "skipped"}


def current(parts: Sequence[Part]) -> int | None:
    """The part that is under way or comes next; None when all are finished."""
    return next((n for n, part in enumerate(parts) if part.progress not in _FINISHED), None)


def opens_wave(number: int) -> bool:
    """Whether a part is the first of a wave: its number is 0, 1, 3, 7 and so on."""
    return (number + 1) & number == 0


def too_many_errors(parts: Sequence[Part], share: float) -> bool:
    """Whether of the parts that ended, more than this share did not end well."""
    ended = [part for part in parts if part.progress in {"done", "failed", "unknown"}]
    wrong = [part for part in ended if part.progress != "done"]
    return len(wrong) > share * len(ended)


def to_undo(parts: Sequence[Part]) -> int | None:
    """The part to undo next, the newest first; also one whose fate nobody knows, since undoing restores."""
    found = [n for n, part in enumerate(parts) if part.progress in {"done", "unknown"} and part.undo in _OPEN]
    return found[-1] if found else None


_OPEN = {None, "running"}


def report(parts: Sequence[Part]) -> str:
    """What became of each target."""
    said = [f"{', '.join(p.plan.targets)}: {_words(p.progress, p.detail)}" for p in parts if p.progress]
    return "; ".join(said) or "nothing was done"


def undo_report(parts: Sequence[Part]) -> str:
    return "; ".join(f"{', '.join(p.plan.targets)}: {_words(p.undo, p.undo_detail)}" for p in parts)


def _words(progress: str | None, detail: str) -> str:
    return f"{progress}{f' ({detail})' if detail else ''}"
