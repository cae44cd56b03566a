"""The reference pages are those of this code."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["settings.md", "metrics.md"])
def test_reference_pages_are_up_to_date(name: str) -> None:
    pages = runpy.run_path(str(DOCS / "make_reference.py"))["PAGES"]
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == pages[name](), "Run `python docs/make_reference.py`."
