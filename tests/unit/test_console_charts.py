"""Charts as the console draws them: legible names, and nothing where nothing is known."""

from __future__ import annotations

import re

import pytest

from bot.console import charts
from bot.console.words import with_code
from bot.core.pages import Chart

pytestmark = pytest.mark.unit


def chart(**fields: object) -> Chart:
    given = {"title": "T", "alt": "A", "x": ("a", "b"), "series": (("n", (1.0, 2.0)),), **fields}
    return Chart.model_validate(given)


def words(drawn: bytes) -> list[str]:
    return re.findall(r">([^<>]+)</text>", drawn.decode())


@pytest.mark.parametrize("kind", ["line", "bar", "stacked", "across"])
def test_each_kind_is_drawn_without_a_script(kind: str) -> None:
    drawn = charts.svg(chart(kind=kind))
    assert b"<script" not in drawn
    assert {"a", "b"} <= set(words(drawn))


def test_bars_across_read_from_the_top_and_grow_with_their_number() -> None:
    names = tuple(f"reason {number}" for number in range(9))
    many = chart(kind="across", x=names, series=(("n", tuple(float(n) for n in range(9))),))
    places = re.findall(r'y="([\d.]+)"[^>]*>(reason \d)<', charts.svg(many).decode())
    assert [name for _, name in sorted(places, key=lambda place: float(place[0]))] == list(names)
    assert charts.height(many, charts.NARROW) > charts.height(chart(kind="across"), charts.NARROW)


@pytest.mark.parametrize("number", [2, 3, 4, 5])
@pytest.mark.parametrize("size", [charts.WIDE, charts.NARROW])
def test_the_legend_names_every_series(number: int, size: charts.Size) -> None:
    names = [f"series number {n}" for n in range(number)]
    drawn = charts.svg(chart(series=tuple((name, (1.0, 2.0)) for name in names)), size)
    lowest = max(
        float(y) for y in re.findall(r'<rect[^>]*y="([\d.]+)"[^>]*class="color-', drawn.decode()) or ["0"]
    )
    assert set(names) <= set(words(drawn))
    assert lowest < size.height


def test_a_chart_of_noughts_is_empty_only_where_something_else_is_to_be_said() -> None:
    noughts = (("n", (0.0, None)),)
    assert not chart(series=noughts).is_empty
    assert chart(series=noughts, empty="None yet.").is_empty
    assert chart(series=(("n", (None, None)),)).is_empty
    assert chart(series=()).is_empty


def test_a_few_things_are_counted_in_whole_numbers_and_many_have_their_thousands_marked() -> None:
    few = chart(kind="stacked", series=(("left", (1.0, 0.0)), ("stayed", (2.0, None))))
    assert {"0", "1", "2", "3"} <= set(words(charts.svg(few)))
    assert charts.whole_numbers(chart(series=(("share", (0.5, 2.0)),))) is None
    money = words(charts.svg(chart(kind="bar", series=(("value", (63_000.0, 9_000.0)),))))
    assert "60,000" in money
    assert "2 min" in words(charts.svg(chart(kind="bar", unit=" min"))), "the axis says what it counts"


def test_code_in_words_is_escaped() -> None:
    assert with_code("run `a <b>` & go") == "run <code>a &lt;b&gt;</code> &amp; go"
    assert with_code("a ` alone") == "a ` alone"
