"""Words of strangers in a table at a terminal: no markup of rich, and no control signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.texts import printable

if TYPE_CHECKING:
    from rich.text import Text


def cell(text: str, style: str = "") -> Text:
    from rich.text import Text  # noqa: PLC0415  # see the package's docstring

    return Text(printable(text), style=style)
