"""The hash chain over the audit trail: pure functions that seal rows and find what was tampered with.

Each row's hash covers its position, what is never erased (time, action, outcome, event), a digest of
what may be about a person (actor, subject, before, after) and the hash of the row before it (Haber &
Stornetta, "How to time-stamp a digital document", 1991). The digest is salted, so that once a row was
erased, salt included, nobody can guess the person back from it, and the chain still holds.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

GENESIS = "0" * 64
ERASED = "erased"
ERASE_ACTION = "privacy.erase"
_MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Link:
    """A row as the chain sees it. `at` is in microseconds since the epoch; no `salt`: it was erased."""

    position: int
    at: int
    actor: str
    action: str
    subject: str
    outcome: str
    before: Any
    after: Any
    event_id: str | None
    salt: str | None
    digest: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends. Kept outside the database, it also shows a trail that was cut or rewritten."""

    position: int = 0
    hash: str = GENESIS

    @classmethod
    def parse(cls, text: str) -> Head:
        """From "position:hash", as `signalbox audit head` prints it. ValueError when it is not that."""
        position, _, digest = text.strip().partition(":")
        if len(digest) != len(GENESIS):
            raise ValueError(f"{text!r} is not a position and a hash joined by a colon")
        return cls(int(position), digest)

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


@dataclass
class ChainReport:
    """What a walk along the chain found; `faults` are sentences, at most 20."""

    rows: int = 0
    erased: int = 0
    head: Head = Head()
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults

    def add(self, fault: str) -> None:
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(fault)


def canonical(value: Any) -> bytes:
    """One spelling for equal JSON values: sorted keys, no spaces, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def content_digest(salt: str, row: Mapping[str, Any]) -> str:
    personal = {name: row[name] for name in ("actor", "subject", "before", "after")}
    return hashlib.sha256(salt.encode() + canonical(personal)).hexdigest()


def row_hash(previous: str, row: Mapping[str, Any]) -> str:
    lasting = [row[name] for name in ("position", "at", "action", "outcome", "event_id", "digest")]
    return hashlib.sha256(canonical([previous, *lasting])).hexdigest()


def seal(head: Head, row: Mapping[str, Any], salt: str) -> dict[str, Any]:
    """The chain's columns for the row that follows `head`: position, salt, digest and hash."""
    sealed = {"position": head.position + 1, "salt": salt, "digest": content_digest(salt, row)}
    return {**sealed, "hash": row_hash(head.hash, {**row, **sealed})}


def verify(links: Iterable[Link], anchors: Iterable[Head] = ()) -> ChainReport:
    """Walk the chain from its beginning.

    Args:
        links: the rows, ordered by position.
        anchors: heads noted earlier, e.g. by a backup; the chain must pass through each of them.
    """
    report = ChainReport()
    wanted: dict[int, set[str]] = defaultdict(set)
    for anchor in anchors:
        wanted[anchor.position].add(anchor.hash)
    wanted.pop(0, None)
    erased: dict[int, bool] = {}
    for link in links:
        _check_link(report, link)
        _check_anchor(report, link, wanted)
        _note_erasures(erased, link)
        report.rows += 1
        report.head = Head(link.position, link.hash)
    for position in wanted:
        report.add(f"Row {position} is missing: the chain was seen to reach it, and ends earlier.")
    for position in sorted(position for position, recorded in erased.items() if not recorded):
        report.add(f"Row {position} was emptied, and no later {ERASE_ACTION} row says so.")
    report.erased = len(erased)
    return report


def _check_link(report: ChainReport, link: Link) -> None:
    expected = report.head.position + 1
    if link.position != expected:
        report.add(f"Row {expected} is missing: row {link.position} stands in its place.")
        return
    row = _as_row(link)
    if link.hash != row_hash(report.head.hash, row):
        report.add(f"Row {link.position} does not follow the row before it: one was changed or moved.")
    if link.salt is not None and link.digest != content_digest(link.salt, row):
        report.add(f"Row {link.position} says something else than it said when it was written.")


def _check_anchor(report: ChainReport, link: Link, wanted: dict[int, set[str]]) -> None:
    if wanted.pop(link.position, {link.hash}) != {link.hash}:
        report.add(f"Row {link.position} is not the one that was noted as the chain's head.")


def _note_erasures(erased: dict[int, bool], link: Link) -> None:
    if link.salt is None:
        erased[link.position] = False
    elif link.action == ERASE_ACTION and isinstance(link.after, dict):
        erased.update(dict.fromkeys(erased.keys() & _positions(link.after.get("positions")), True))


def _positions(value: Any) -> set[int]:
    return {p for p in value if isinstance(p, int)} if isinstance(value, list) else set()


def _as_row(link: Link) -> dict[str, Any]:
    return {name: getattr(link, name) for name in Link.__slots__}
