"""In which turn mitigations are tried on one alert: the next one when the one before did not help. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

from plugins.alert_relay.mitigation.declarations import Mitigation, Rules
from plugins.alert_relay.mitigation.runs import Run

Fate = Literal["untried", "passed", "open", "did_not_help", "ended"]
"""What became of a mitigation in one episode of a group. "passed": it had nothing to do, or no more turns."""

PASSING = frozenset({"dry-run", "ineffective"})
"""Guardrails whose no means that this one is not what helps; of the others, that it is not its time."""


def fate(run: Run) -> Fate:
    """Whatever a person must look at first (harm, a no, an outcome that nobody knows) ends the ladder."""
    if run.is_open:
        return "open"
    if run.status not in {"escalated", "rolled_back"} or run.verdict == "unknown" or run.harmed:
        return "ended"
    is_left_half = any(part.undo not in {None, "done", "absent"} for part in run.proposal.parts)
    return "ended" if is_left_half else "did_not_help"


def first(rules: Rules, mitigation: Mitigation, offered: Collection[str]) -> Mitigation | None:
    """The nearest mitigation before it that fits the alert too."""
    before = rules.get(mitigation.follows)
    while before is not None and before.name not in offered:
        before = rules.get(before.follows)
    return before


def is_up(
    rules: Rules, mitigation: Mitigation, offered: Collection[str], fate_of: Callable[[str], Fate]
) -> bool:
    """Whether it is this one's turn: the one before did not help or had nothing to do; no later one began."""
    begun = any(
        fate_of(after.name) not in {"untried", "passed"}
        for after in rules.following(mitigation.name)
        if after.name in offered
    )
    before = first(rules, mitigation, offered)
    return not begun and (before is None or fate_of(before.name) in {"did_not_help", "passed"})
