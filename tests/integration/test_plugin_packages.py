"""A package from `plugins new` and the examples of the documentation, installed from outside the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


def run_there(argv: list[str], cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": f"{path}", "COLUMNS": "200"}  # noqa: TID251  # about the test run
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=110)


def check(package: Path, site: Path) -> None:
    """Install it, see it loaded, let its own tests pass."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(site),
        str(package),
    ]
    installed = run_there(pip, package, site)
    assert installed.returncode == 0, installed.stderr
    name = package.name.removeprefix("signalbox-")
    listed = run_there([sys.executable, "-m", "bot", "plugins", "list"], site, site)
    [line] = [line for line in listed.stdout.splitlines() if f" {name} " in line]
    assert "loaded" in line
    tested = run_there(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], package, site
    )
    assert tested.returncode == 0, tested.stdout[-3000:]


def test_a_new_plugin_passes_its_checks_at_once(tmp_path: Path) -> None:
    package = tmp_path / "signalbox-on-duty"
    made = run_there([sys.executable, "-m", "bot", "plugins", "new", "on-duty"], tmp_path, ROOT)
    assert made.returncode == 0, made.stderr
    check(package, tmp_path / "site")


@pytest.mark.parametrize("name", ["signalbox-kudos", "signalbox-deploys"])
def test_an_example_works_outside_the_tree(name: str, tmp_path: Path) -> None:
    package = tmp_path / name
    shutil.copytree(ROOT / "docs/examples" / name, package, ignore=shutil.ignore_patterns("__pycache__"))
    check(package, tmp_path / "site")


def test_a_name_that_is_none_is_refused_with_an_example(tmp_path: Path) -> None:
    ran = run_there([sys.executable, "-m", "bot", "plugins", "new", "On Duty!"], tmp_path, ROOT)
    assert ran.returncode != 0
    assert "on-duty" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    argv = [sys.executable, "-m", "bot", "plugins", "new", "on-duty", "--folder", str(tmp_path)]
    ran = run_there(argv, tmp_path, ROOT)
    assert ran.returncode != 0
    assert "not empty" in ran.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
