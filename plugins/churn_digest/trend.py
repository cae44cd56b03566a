"""The trend picture: value at risk and customers at risk, run by run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from io import BytesIO

from pydantic import BaseModel, ConfigDict

SHOWN = 12


class Total(BaseModel):
    """What one run found in all."""

    model_config = ConfigDict(frozen=True)
    run_id: str
    as_of: date
    at_risk: int
    value_at_risk: float
    currency: str


def newest(totals: Iterable[Total]) -> list[Total]:
    """The last totals, oldest first."""
    return sorted(totals, key=lambda total: (total.as_of, total.run_id))[-SHOWN:]


def picture(totals: Sequence[Total]) -> bytes:
    """A PNG of the newest totals, oldest first; values in the currency of the newest run."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    shown = newest(totals)
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    value = figure.add_subplot()
    places = range(len(shown))
    value.bar(places, [total.value_at_risk for total in shown], color="#9fb8d8", label="value at risk")
    value.set_xticks(list(places), [f"{total.as_of.day} {total.as_of:%b}" for total in shown], fontsize=8)
    value.set_ylabel(f"value at risk, {shown[-1].currency}", fontsize=8)
    value.yaxis.set_major_formatter("{x:,.0f}")
    customers = value.twinx()
    customers.plot(places, [total.at_risk for total in shown], color="#b5432a", marker="o", label="customers")
    customers.set_ylabel("customers at risk", fontsize=8)
    customers.set_ylim(bottom=0)
    customers.locator_params(axis="y", integer=True)
    for axis in (value, customers):
        axis.tick_params(labelsize=8)
        axis.spines["top"].set_visible(False)
    out = BytesIO()
    figure.savefig(out, format="png", dpi=150)
    return out.getvalue()
