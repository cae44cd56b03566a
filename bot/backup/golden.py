"""Golden batches: what the models that serve say about fixed inputs, before a backup and after its restore.

An entry point of the group `signalbox.golden` names a function that takes a data directory and returns
facts as JSON values, e.g. the champion's digest and its scores; None when no model of its kind serves.
It is called in the backup's own process, so that it may load what it needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from bot.core.entry_points import load as load_entry_points
from bot.core.errors import Permanent

GROUP = "signalbox.golden"
TOLERANCE = 1e-6
Golden = Callable[[Path], "dict[str, Any] | None"]


def load(found: Iterable[EntryPoint] | None = None) -> dict[str, Golden]:
    return load_entry_points(GROUP, "golden batch", found)


def answers(checks: Mapping[str, Golden], data_dir: Path) -> dict[str, Any]:
    """What the models say now, for those that serve."""
    told = {name: check(data_dir) for name, check in checks.items()}
    return {name: facts for name, facts in told.items() if facts is not None}


def compare(expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raises:
    Permanent: a model is missing or says something else than before the backup.
    """
    for name, facts in expected.items():
        if name not in found:
            raise Permanent(f"The model {name!r} served when the backup was made; it is not in there.")
        if not _same(facts, found[name]):
            raise Permanent(
                f"The restored model {name!r} says something else than the one that was backed up."
            )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=TOLERANCE)
    return bool(one == other)
