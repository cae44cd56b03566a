"""What every benchmark prints: the machine, and a table that can be pasted into the docs."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import psutil


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
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{model}, {psutil.cpu_count()} cores, {memory} GiB, Python {platform.python_version()}"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n### {title}\n\nMachine: {machine()}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of a non-empty sample."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
