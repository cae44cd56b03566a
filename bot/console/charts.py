"""Charts as SVG, drawn by pygal. They stand in <img>, so they bring no script and no style to the page."""

from __future__ import annotations

from typing import Any

from bot.core.pages import Chart

_COLOURS = ("#3778c2", "#c2573a", "#2f8f5b", "#8a5cc2", "#b08900", "#5b7083")
_LABELS = 12


def svg(chart: Chart) -> bytes:
    import pygal  # noqa: PLC0415  # only pages with charts pay for it
    from pygal.style import Style  # noqa: PLC0415

    kinds = {"line": pygal.Line, "bar": pygal.Bar, "stacked": pygal.StackedBar}
    grey = "#7a8190"  # legible on light and on dark
    style = Style(
        background="transparent", plot_background="transparent", foreground=grey, foreground_strong=grey,
        foreground_subtle=grey, guide_stroke_color=f"{grey}66", major_guide_stroke_color=f"{grey}66",
        colors=_COLOURS, opacity=".85", font_family="system-ui, sans-serif",
        label_font_size=13, major_label_font_size=13, legend_font_size=14, guide_stroke_dasharray="2,4",
    )  # fmt: skip
    drawn = kinds[chart.kind](
        style=style, js=(), width=860, height=300, show_legend=len(chart.series) > 1, legend_at_bottom=True,
        dots_size=2, stroke_style={"width": 2.5}, margin=6, show_minor_x_labels=False, no_prefix=True,
        formatter=lambda value: f"{value:g}{chart.unit}", explicit_size=True, min_scale=3, max_scale=6,
        print_values=False, zero=0, include_x_axis=chart.kind != "line",
    )  # fmt: skip
    drawn.x_labels = list(chart.x)
    every = max(1, len(chart.x) // _LABELS)
    drawn.x_labels_major = list(chart.x[::every])
    for name, values in chart.series:
        drawn.add(name, list(values))
    drawn.add_xml_filter(_without_scripts)
    rendered: bytes = drawn.render()
    return rendered


def _without_scripts(root: Any) -> Any:
    """Drop pygal's script, which an image could not run anyway."""
    for definitions in root.iter("defs"):
        for script in definitions.findall("script"):
            definitions.remove(script)
    return root
