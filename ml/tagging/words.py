"""Which words spoke for a category: those without which the model would be less sure of it.

Occlusion (Zeiler and Fergus, 2014): each word is left out in turn, and the fall of the category's log-odds
is its weight. It asks the model only, so it holds for every encoder and head.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

_WORD = re.compile(r"[^\W\d_][\w'-]+")
MOST_WORDS = 40
SHOWN = 3
_LEAST = 0.05
_EDGE = 1e-6

Confidence = Callable[[Sequence[str]], Sequence[float]]
"""The confidence in one category for each of some texts."""


def words(text: str, confidence: Confidence, shown: int = SHOWN) -> tuple[str, ...]:
    """The words that spoke most, in order, `shown` at most; none where no single word mattered.

    Of a long text, the first MOST_WORDS different words are tried. `confidence` is asked once, with the whole
    text first.
    """
    found = list(dict.fromkeys(match[0].lower() for match in _WORD.finditer(text)))[:MOST_WORDS]
    if not found:
        return ()
    whole, *without = confidence([text, *(_without(text, word) for word in found)])
    falls = {word: _log_odds(whole) - _log_odds(rest) for word, rest in zip(found, without, strict=True)}
    spoke = [word for word in sorted(falls, key=lambda word: -falls[word]) if falls[word] >= _LEAST]
    return tuple(spoke[:shown])


def _without(text: str, word: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", " ", text, flags=re.IGNORECASE)


def _log_odds(share: float) -> float:
    inside = min(max(share, _EDGE), 1 - _EDGE)
    return math.log(inside / (1 - inside))
