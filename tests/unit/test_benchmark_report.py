"""One benchmark's section can be written anew; the others and their aims stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report import Aim, Section, quantile, write

pytestmark = pytest.mark.unit
ORDER = ("front", "intake")


def section(name: str, figure: str, *, met: bool) -> Section:
    return Section(
        name, f"The {name}", ("a", "b"), [(1, figure)], [Aim("speed", "≥ 1", figure, met)], ["A note."]
    )


def test_a_new_section_replaces_its_old_one_and_no_other(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    write(section("intake", "10/s", met=False), 1, ORDER, document)
    write(section("front", "20/s", met=True), 1, ORDER, document)
    write(section("intake", "30/s", met=True), 1, ORDER, document)
    text = document.read_text()
    assert "10/s" not in text
    assert text.count("## The intake") == text.count("## The front") == 1
    assert text.index("| front | speed | ≥ 1 | 20/s | met |") < text.index(
        "| intake | speed | ≥ 1 | 30/s | met |"
    )


def test_quantiles_are_members_of_the_sample() -> None:
    assert [quantile([3.0, 1.0, 2.0], share) for share in (0, 0.5, 0.99)] == [1.0, 2.0, 3.0]
