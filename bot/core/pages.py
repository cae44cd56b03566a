"""A plugin's page in the console, as values: figures, tables and charts. The console draws them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.core.messages import Button

Tone = Literal["", "good", "warn", "bad"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Figure(_Part):
    """One number that people look for, as text with its unit."""

    label: str
    value: str
    hint: str = ""
    tone: Tone = ""


class Figures(_Part):
    items: tuple[Figure, ...]


class Cell(_Part):
    text: str
    link: str = Field("", description="An https, http or local address; others are shown as text.")
    tone: Tone = ""
    shade: float = Field(0, ge=0, le=1, description="How strongly the cell is coloured, for a heat map.")


class Table(_Part):
    """`empty` says what would stand here and how it comes about.

    On a phone each row becomes a card; a `grid`, whose cells are compared across, stays a grid.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...] = ()
    empty: str = "Nothing yet."
    grid: bool = False


class Chart(_Part):
    """Values over `x`, one line or row of bars a series; None is a gap. `alt` says what is to be seen.

    "across" are bars from left to right, for names that are too long to stand under bars. While there is
    no value, or none but noughts and `empty` is given, `empty` stands in its place.
    """

    title: str
    alt: str
    x: tuple[str, ...]
    series: tuple[tuple[str, tuple[float | None, ...]], ...]
    kind: Literal["line", "bar", "stacked", "across"] = "line"
    unit: str = ""
    empty: str = ""

    @property
    def is_empty(self) -> bool:
        values = [value for _, line in self.series for value in line if value is not None]
        return not values or (bool(self.empty) and not any(values))


class Prose(_Part):
    title: str = ""
    text: str


class Controls(_Part):
    """Buttons of a plugin's `@action`s. `without` says what those do who have not signed in with Slack."""

    title: str
    plugin: str
    buttons: tuple[Button, ...]
    without: str


class Page(_Part):
    title: str
    parts: tuple[Figures | Table | Chart | Prose | Controls, ...] = ()
