"""Every message that the troubleshooting page quotes is one that the product says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
ROWS = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.splitlines() if line.startswith("| `")]


@cache
def said() -> str:
    """All texts of the code, one a line, with `…` for what is filled in."""
    files = [
        file for part in ("bot", "plugins", "integrations", "ml") for file in (ROOT / part).rglob("*.py")
    ]
    return "\n".join(text for file in files for text in _texts(ast.parse(file.read_text(encoding="utf-8"))))


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("quoted", ROWS)
def test_it_is_said(quoted: str) -> None:
    fence = "``" if quoted.startswith("``") else "`"  # two where the message itself has one
    message = quoted.removeprefix(fence).removesuffix(fence)
    assert message.strip("….") in said()


def test_the_page_is_not_empty() -> None:
    assert len(ROWS) > 30
    assert not re.search(r"^\| [^`m-]", PAGE, re.MULTILINE)
