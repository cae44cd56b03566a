"""When does it pay to act? After Verbraken, Verbeke and Baesens, "A novel profit maximizing metric" (2013).

Acting costs the contact. A leaver accepts the offer with `accept` and then stays and is worth `value`; a
stayer takes
the offer for nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.churn.model.artifact import Costs

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def of_acting(labels: Labels, values: Floats, costs: Costs) -> Floats:
    """Money that acting on each row brings, given how it turned out; `values` over all of costs.months."""
    saved = costs.accept * (values - costs.offer) - costs.contact
    found: Floats = np.where(labels == 1, saved, -costs.offer - costs.contact)
    return found


def threshold(probabilities: Floats, labels: Labels, values: Floats, costs: Costs) -> tuple[float, float]:
    """The probability from which on acting brought most, and what it brought for each row in all."""
    order = np.argsort(-probabilities, kind="stable")
    sums = np.cumsum(of_acting(labels, values, costs)[order])
    best = int(sums.argmax())
    if sums[best] <= 0:
        return 1.0, 0.0
    below = probabilities[order[best + 1]] if best + 1 < len(order) else probabilities[order[best]]
    return float((probabilities[order[best]] + below) / 2), float(sums[best] / len(labels))


def savings(acts: npt.NDArray[np.bool_], labels: Labels, costs: dict[str, Floats]) -> float:
    """Share of the cost that a rule saves against the cheaper of acting on nobody and on all (Bahnsen, 2015).

    `costs` of each row are by outcome: "hit", "miss", "alarm" and "rest".
    """

    def total(a: npt.NDArray[np.bool_]) -> float:
        leaver = np.where(a, costs["hit"], costs["miss"])
        stayer = np.where(a, costs["alarm"], costs["rest"])
        return float(np.where(labels == 1, leaver, stayer).sum())

    nobody = min(total(np.zeros(len(labels), bool)), total(np.ones(len(labels), bool)))
    return 1 - total(acts) / nobody
