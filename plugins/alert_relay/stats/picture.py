"""The figures as a picture: what fired each day, and which service was down how long."""

from __future__ import annotations

import io
from typing import Any

from plugins.alert_relay.stats.figures import Figures

_INCHES, _DPI = (9.0, 3.6), 120
_MOST_SERVICES = 8
_GROUPS, _INCIDENTS, _DOWN = "#7a869a", "#0052cc", "#c9372c"


def png(found: Figures) -> bytes:
    """A PNG of about 1080 by 430 pixels."""
    # A third of a second and 40 MB, for one command.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _days(left, found)
    _services(right, found)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _days(drawn: Any, found: Figures) -> None:
    places = range(len(found.days))
    drawn.bar(places, [groups for _, groups, _ in found.days], color=_GROUPS, label="groups")
    drawn.plot(
        places, [opened for _, _, opened in found.days], color=_INCIDENTS, marker=".", label="incidents"
    )
    step = max(1, len(found.days) // 6)
    drawn.set_xticks(list(places)[::step], [day[5:] for day, _, _ in found.days][::step])
    drawn.set_title("Groups that fired, incidents that opened", loc="left", fontsize=10)
    drawn.legend(frameon=False, fontsize=8)
    _plain(drawn)


def _services(drawn: Any, found: Figures) -> None:
    hours: dict[str, float] = {}
    for entry in found.downtime:
        hours[entry.service] = hours.get(entry.service, 0.0) + entry.seconds / 3600
    worst = sorted(hours.items(), key=lambda item: item[1])[-_MOST_SERVICES:]
    names = [_label(service) for service, _ in worst]
    drawn.barh(range(len(worst)), [amount for _, amount in worst], color=_DOWN)
    drawn.set_yticks(range(len(worst)), names)
    drawn.set_title("Hours down by service (inferred)", loc="left", fontsize=10)
    if not worst:
        drawn.text(0.5, 0.5, "nothing was down", ha="center", transform=drawn.transAxes, color=_GROUPS)
    _plain(drawn)


def _label(service: str) -> str:
    """A name as text: a dollar sign would begin a formula."""
    return (service or "none")[:24].replace("$", r"\$")


def _plain(drawn: Any) -> None:
    drawn.spines[["top", "right"]].set_visible(False)
    drawn.tick_params(labelsize=8)
