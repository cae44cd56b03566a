"""Charts as SVG, drawn by pygal. They stand in <img>, so they bring no script and no style to the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.core.pages import Chart

_COLOURS = ("#3778c2", "#c2573a", "#2f8f5b", "#8a5cc2", "#b08900", "#5b7083")
_GREY = "#7a8190"
"""Legible on light and on dark."""
_ROW = 34
_FEW = 5


@dataclass(frozen=True, slots=True)
class Size:
    """`labels`: how many find room under the chart; `name`: the longest one beside it."""

    width: int
    height: int
    labels: int
    name: int


WIDE, NARROW = Size(860, 300, 12, 40), Size(400, 280, 5, 18)


def svg(chart: Chart, size: Size = WIDE) -> bytes:
    import pygal  # noqa: PLC0415  # only pages with charts pay for it
    from pygal.style import Style  # noqa: PLC0415

    kinds = {"line": pygal.Line, "bar": pygal.Bar, "stacked": pygal.StackedBar, "across": pygal.HorizontalBar}
    style = Style(
        background="transparent", plot_background="transparent", foreground=_GREY, foreground_strong=_GREY,
        foreground_subtle=_GREY, guide_stroke_color=f"{_GREY}66", major_guide_stroke_color=f"{_GREY}66",
        colors=_COLOURS, opacity=".85", font_family="system-ui, sans-serif",
        label_font_size=13, major_label_font_size=13, legend_font_size=14, guide_stroke_dasharray="2,4",
    )  # fmt: skip
    across = chart.kind == "across"
    drawn = kinds[chart.kind](
        style=style, js=(), width=size.width, height=height(chart, size), margin=6, no_prefix=True,
        show_legend=len(chart.series) > 1, legend_at_bottom=True,
        legend_at_bottom_columns=_columns(chart, size), dots_size=2, stroke_style={"width": 2.5},
        show_minor_x_labels=across, truncate_label=size.name,
        value_formatter=lambda value: f"{value:,.10g}{chart.unit}", explicit_size=True, min_scale=3,
        max_scale=6, print_values=False, zero=0, include_x_axis=chart.kind != "line",
    )  # fmt: skip
    # Across, the first name stands at the bottom unless it is turned.
    turn = -1 if across else 1
    drawn.x_labels = list(chart.x)[::turn]
    if not across:
        drawn.x_labels_major = list(chart.x[:: max(1, -(-len(chart.x) // size.labels))])
    drawn.y_labels = whole_numbers(chart)
    for name, values in chart.series:
        drawn.add(name, list(values)[::turn])
    drawn.add_xml_filter(_without_scripts)
    rendered: bytes = drawn.render()
    return rendered


def whole_numbers(chart: Chart) -> list[int] | None:
    """The axis of a few things that are counted: half of one is none. None leaves it to the drawing."""
    columns = list(zip(*(values for _, values in chart.series), strict=False))
    together = sum if chart.kind == "stacked" else max
    most = max((together(value or 0 for value in column) for column in columns), default=0)
    counted = all(value is None or (value >= 0 and value == int(value)) for c in columns for value in c)
    return list(range(int(most) + 1)) if counted and 0 < most <= _FEW else None


def height(chart: Chart, size: Size) -> int:
    """Bars across need room for each of their names."""
    return 70 + _ROW * len(chart.x) if chart.kind == "across" else size.height


def _columns(chart: Chart, size: Size) -> int:
    """Names of series stand side by side where all have room; pygal cuts off a last row that is not full."""
    number, longest = len(chart.series), max((len(name) for name, _ in chart.series), default=1)
    room = size.width // (45 + 9 * longest)
    return next((columns for columns in range(min(number, room), 1, -1) if number % columns == 0), 1)


def _without_scripts(root: Any) -> Any:
    """Drop pygal's script, which an image could not run anyway."""
    for definitions in root.iter("defs"):
        for script in definitions.findall("script"):
            definitions.remove(script)
    return root
