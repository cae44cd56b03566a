"""What every benchmark yields: a section with a table, and aims held against what was measured.

docs/benchmarks.md is made of such sections; one can be written anew without touching the others.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_INTRODUCTION = """# Benchmarks

Made by `python -m benchmarks --write`, each section by the command that it names. The figures belong to the
machine and the date that stand with them. Server, workers, database and the load generator share the
machine; "busy" says how much of it other programs took just before the run.
"""
_SECTION = re.compile(r"<!-- section (\w+) -->\n(.*?)(?=\n<!-- section |\Z)", re.DOTALL)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Aim:
    """`met` is None for a figure that nothing was promised about."""

    what: str
    wanted: str
    measured: str
    met: bool | None = None

    def row(self, benchmark: str) -> str:
        verdict = {True: "met", False: "**missed**", None: "for the record"}[self.met]
        return f"| {benchmark} | {self.what} | {self.wanted} | {self.measured} | {verdict} |"


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    aims: Sequence[Aim]
    notes: Sequence[str] = ()

    def markdown(self, busy: float) -> str:
        lines = [
            f"## {self.title}",
            "",
            (
                f"`python -m benchmarks {self.name}` · {datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {machine()} · "
                f"busy with other work: {busy:.0f} %"
            ),
            "",
            *_table(self.head, self.rows),
            "",
            *(f"- {note}" for note in self.notes),
        ]
        return "\n".join(lines) + "\n"


def busy_share() -> float:
    """Percent of all cores that others use right now."""
    return psutil.cpu_percent(interval=1.0)


def machine() -> str:
    """The processor, cores and memory that the figures belong to."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    cores = len(os.sched_getaffinity(0))
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{model}, {cores} cores, {memory} GiB, Python {platform.python_version()}"


def show(section: Section, busy: float) -> None:
    print("\n" + section.markdown(busy))
    print("\n".join(_aims([aim.row(section.name) for aim in section.aims])), flush=True)


def write(section: Section, busy: float, order: Sequence[str], document: Path = DOCUMENT) -> None:
    """Put the section and its aims in place of those that the document had."""
    old = document.read_text(encoding="utf-8") if document.exists() else ""
    sections = {name: body.rstrip() + "\n" for name, body in _SECTION.findall(old)}
    aims = {name: [row for row in old.splitlines() if row.startswith(f"| {name} |")] for name in order}
    sections[section.name] = section.markdown(busy)
    aims[section.name] = [aim.row(section.name) for aim in section.aims]
    summary = "\n".join(_aims([row for name in order for row in aims[name]]))
    bodies = [f"<!-- section {name} -->\n{sections[name]}" for name in order if name in sections]
    document.write_text("\n".join([_INTRODUCTION, summary + "\n", *bodies]), encoding="utf-8")


def _aims(rows: Sequence[str]) -> list[str]:
    return ["| benchmark | figure | aim | measured | |", "|---|---|---|---|---|", *rows]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of a non-empty sample."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms" if seconds < 0.01 else f"{seconds * 1000:.1f} ms"
