"""What a benchmark compares with is installed once, and again when the list of it changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import processes

pytestmark = pytest.mark.unit


def test_an_environment_is_made_again_only_for_other_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Sequence[str]] = []

    def installs(argv: Sequence[str], seconds: float = 0) -> str:
        made.append(argv)
        return ""

    monkeypatch.setattr(processes, "output", installs)
    said: list[str] = []
    for packages in (("river==1",), ("river==1",), ("river==1", "adtk==2")):
        assert processes.own_environment(tmp_path, packages, said.append) == tmp_path / "bin" / "python"
    assert [argv[-2:] for argv in made if "install" in argv] == [
        ["--quiet", "river==1"],
        ["river==1", "adtk==2"],
    ]
    assert len(said) == 2
