"""What production installs is what was locked: each file by its checksum, and wherever it is installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
HASHED = ("web", "run", "executors", "torch", "train", "dev")
INSTALLERS = (
    "Makefile",
    "deploy/image/Dockerfile",
    ".ci/run",
    ".github/workflows/ci.yml",
    "docs/production.md",
)


def requirements(name: str) -> dict[str, str]:
    """Name and version to all that stands behind it."""
    text = (ROOT / f"requirements/{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {line.split()[0]: line for line in lines}


@pytest.mark.parametrize("name", HASHED)
def test_each_package_has_the_checksums_of_its_files(name: str) -> None:
    found = requirements(name)
    assert found
    assert [package for package, line in found.items() if "--hash=sha256:" not in line] == []
    assert all(re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==[\w.!+]+", package) for package in found)


def test_torch_is_the_build_that_starts_without_a_graphics_card() -> None:
    """PyPI's for Linux needs CUDA's libraries, which --no-deps leaves out."""
    kinds = {
        package: line.partition(" ; ")[2].split("--")[0].strip()
        for package, line in requirements("torch").items()
    }
    builds = {package.partition("+")[2]: marker for package, marker in kinds.items()}
    assert builds == {"cpu": "sys_platform == 'linux'", "": "sys_platform != 'linux'"}


def test_the_web_process_has_the_versions_of_the_others() -> None:
    assert requirements("web").items() <= requirements("run").items()


def test_wherever_a_lock_is_installed_checksums_are_demanded() -> None:
    for file in INSTALLERS:
        text = (ROOT / file).read_text().replace("\\\n", " ")
        for line in text.splitlines():
            locks = re.findall(r"(?:-r|--requirement)[ \n]+requirements/(\w+)\.txt", line)
            if "install" in line and set(locks) & set(HASHED):
                assert "--require-hashes" in line, f"{file}: {line.strip()}"


def test_the_bill_of_materials_has_what_the_images_install() -> None:
    """The web process' part is within run.txt."""
    dockerfile, makefile = (ROOT / "deploy/image/Dockerfile").read_text(), (ROOT / "Makefile").read_text()
    installed = set(re.findall(r"--requirement requirements/(\w+)\.txt", dockerfile)) - {"web"}
    listed = re.search(r"cat ((?:\w+\.txt )+)\| \S+cyclonedx-py", makefile)
    assert listed
    assert installed == {name.removesuffix(".txt") for name in listed[1].split()}
