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


class Table(_Part):
    """`empty` says what would stand here and how it comes about."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...] = ()
    empty: str = "Nothing yet."


class Chart(_Part):
    """Values over `x`, one line or row of bars a series; None is a gap. `alt` says what is to be seen."""

    title: str
    alt: str
    x: tuple[str, ...]
    series: tuple[tuple[str, tuple[float | None, ...]], ...]
    kind: Literal["line", "bar", "stacked"] = "line"
    unit: str = ""


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
