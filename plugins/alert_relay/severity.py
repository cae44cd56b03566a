"""How bad an alert is, by its label `severity`."""

from __future__ import annotations

_RANK = {"critical": 0, "page": 0, "error": 1, "warning": 2, "info": 3}
UNKNOWN = 9


def rank(severity: str) -> int:
    """0 is the worst; what is not known comes last in lists."""
    return _RANK.get(severity, UNKNOWN)


def is_below(severity: str, limit: str) -> bool:
    """Whether it is known to be less bad than `limit`: of the unknown nobody can say so."""
    return rank(limit) < rank(severity) < UNKNOWN
