"""Active learning: which tickets to ask about, so that the answers teach most. Pure.

The least sure ones by margin (Scheffer et al., 2001), each unlike those chosen before it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot.core.memory import Record
from plugins.autotag.policy import Decision

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = Mapping[str, npt.NDArray[np.float32]]

_ALIKE = 0.85
_SHORTLIST = 10


def vectors(records: Iterable[Record]) -> Vectors:
    """Embeddings by ticket, of records as `similar` keeps them."""
    import numpy as np  # noqa: PLC0415  # workers only

    return {
        record.subject: np.frombuffer(base64.b64decode(str(record.data["vector"])), np.float16).astype(
            np.float32
        )
        for record in records
    }


def chosen(decisions: Sequence[Decision], known: Vectors, number: int) -> list[Decision]:
    """Up to `number` of the tickets that were left to people, the most telling first."""
    left = [d for d in decisions if d.band == "leave" and len(d.best(2)) == 2 and d.scores]
    newest = {decision.ticket: decision for decision in reversed(left)}
    doubtful = sorted(newest.values(), key=margin)[: number * _SHORTLIST]
    found: list[Decision] = []
    for decision in doubtful:
        if len(found) == number:
            break
        if not any(_alike(known.get(decision.ticket), known.get(other.ticket)) for other in found):
            found.append(decision)
    return found


def margin(decision: Decision) -> float:
    """How much likelier the best category is than the second: the smaller, the more an answer tells."""
    (_, first), (_, second) = decision.best(2)
    return first - second


def _alike(first: Any, second: Any) -> bool:
    if first is None or second is None:
        return False
    from ml.tagging.encoder import meaning  # noqa: PLC0415  # workers only

    return float(meaning(first) @ meaning(second)) >= _ALIKE
