"""The reference pages are those of this code."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from bot.core import events

pytestmark = pytest.mark.unit
DOCS = Path(__file__).parents[2] / "docs"


def test_reference_pages_are_up_to_date() -> None:
    pages = runpy.run_path(str(DOCS / "make_reference.py"))["PAGES"]
    stale = [name for name, made in pages.items() if (DOCS / name).read_text(encoding="utf-8") != made()]
    assert stale == [], "Run `python docs/make_reference.py`."


def test_the_reference_names_every_payload() -> None:
    made = runpy.run_path(str(DOCS / "make_reference.py"))
    payloads = {p for p in vars(events).values() if isinstance(p, type) and issubclass(p, events.Payload)}
    assert payloads - {*made["KINDS"].values(), *made["PARTS"], events.Payload} == set()


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "-f",
        str(DOCS.parent / "deploy/site/mkdocs.yml"),
    ]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # noqa: TID251  # about the test run
    ran = subprocess.run([*argv, "-d", str(tmp_path)], capture_output=True, text=True, check=False, env=env)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "index.html").exists()


def test_the_readme_s_links_lead_somewhere() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    targets = {link.partition("#")[0] for link in re.findall(r"\]\((?!http)([^)]+)\)", readme)}
    assert [target for target in sorted(targets) if not (DOCS.parent / target).exists()] == []
