"""Which language a text is in. A model that was not trained on it must not guess.

The model is py3langid's (after Lui & Baldwin, 2012): naive Bayes on n-grams of bytes, found by an automaton.
Its languages are narrowed to those that tickets come in: among all of them a short text too easily looks like
a rare one. On the validation part of CLINC150, 3,000 short English queries, none is taken for another
language at the confidence asked for here.

py3langid takes most of a second and 80 MB to unpack it. So what is needed of it is written to the cache once,
with the automaton's table in blocks of sixteen states, for most blocks say the same. The answers are
py3langid's.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from ml.tagging.cached import built, sha256
from ml.tagging.calibration import softmax
from ml.tagging.errors import ModelUnavailableError

LANGUAGES = tuple(
    "ar cs da de el en es fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh".split()  # noqa: SIM905
)
SURE = 0.8
ENOUGH = 12
"""Letters; from fewer nothing can be said, except by a script that is not Latin."""
READ = 1000
"""Characters that are looked at: no more than the encoder reads, and far more than a language needs."""
TABLES = "tables.safetensors"
_BLOCK = 16
_HIGH = bytes(byte // _BLOCK for byte in range(256))
_LOW = bytes(byte % _BLOCK for byte in range(256))
_Tables = Mapping[str, npt.NDArray[Any]]


class Languages:
    """Args:
    tables: `blocks` of following states; `index`, where the blocks of each row begin; `rows`, where the
        row of each state begins; `found`, its feature or -1; `weights` [features, languages] and `prior`.
    """

    def __init__(self, tables: _Tables) -> None:
        # array.array gives Python's numbers several times faster than numpy does.
        self._blocks = _numbers(tables["blocks"])
        self._index = _numbers(tables["index"])
        self._rows = _numbers(tables["rows"])
        self._found = array("i", tables["found"].astype(np.int32).tobytes())
        self._weights = tables["weights"]
        self._prior = tables["prior"]

    @classmethod
    def load(cls, cache: Path) -> Languages:
        source = _source()
        folder = cache / f"languages-{sha256(source)[:12]}"
        return cls(load_file(built(folder, lambda made: _build(source, made / TABLES)) / TABLES))

    def spoken(self, texts: Sequence[str]) -> list[str]:
        """For each text the code of its language; empty where that can't be said for sure."""
        asked = [number for number, text in enumerate(texts) if _says_enough(text)]
        found = [""] * len(texts)
        for number, (language, share) in zip(asked, self.classify([texts[n] for n in asked]), strict=True):
            found[number] = language if share >= SURE else ""
        return found

    def classify(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The likeliest language of each text and its share of the probability."""
        if not texts:
            return []
        data = [_bytes(text[:READ]) for text in texts]
        # Naive Bayes is too sure of long texts; the square root of the length calibrates it.
        scale = np.sqrt(np.array([max(1, len(text)) for text in data], np.float32))
        scores = self._scores([self._features(text) for text in data])
        shares = softmax((scores / scale[:, None]).astype(np.float32))
        best = shares.argmax(axis=1)
        return [
            (LANGUAGES[place], share)
            for place, share in zip(best.tolist(), shares[np.arange(len(best)), best].tolist(), strict=True)
        ]

    def _scores(self, counts: Sequence[Mapping[int, int]]) -> npt.NDArray[np.float32]:
        """Log-likelihoods [texts, languages]; zeros for a text without features: all are equally likely."""
        scores = np.zeros((len(counts), len(LANGUAGES)), np.float32)
        lengths = np.array([len(count) for count in counts])
        if lengths.any():
            features = np.fromiter(chain.from_iterable(counts), np.intp)
            times = np.fromiter(chain.from_iterable(count.values() for count in counts), np.float32)
            spoken = self._weights[features] * np.log1p(times)[:, None]
            begin = np.cumsum(lengths) - lengths
            scores[lengths > 0] = np.add.reduceat(spoken, begin[lengths > 0], axis=0) + self._prior
        return scores

    def _features(self, data: bytes) -> Counter[int]:
        blocks, index, rows, found = self._blocks, self._index, self._rows, self._found
        state, seen = 0, []
        for high, low in zip(data.translate(_HIGH), data.translate(_LOW), strict=True):
            state = blocks[index[rows[state] + high] + low]
            feature = found[state]
            if feature >= 0:
                seen.append(feature)
        return Counter(seen)


def _says_enough(text: str) -> bool:
    return not text.isascii() or sum(map(str.isalpha, text[:READ])) >= ENOUGH


def _bytes(text: str) -> bytes:
    text = text.lower() if text.isupper() else text
    return unicodedata.normalize("NFC", text).encode("utf8", errors="surrogatepass")


def _numbers(table: npt.NDArray[Any]) -> array[int]:
    return array("I", np.ascontiguousarray(table, np.uint32).tobytes())


def _source() -> Path:
    try:
        from py3langid.langid import MODEL_DIR, MODEL_FILE  # noqa: PLC0415  # a third of a megabyte of code
    except ImportError as exc:
        raise ModelUnavailableError(
            "The language detector is not installed. Run: pip install py3langid"
        ) from exc
    return Path(str(MODEL_DIR), MODEL_FILE)


def _build(source: Path, target: Path) -> None:
    from py3langid.modelio import load_model  # noqa: PLC0415  # only a build needs it

    weights, prior, names, following, row, found = load_model(source)
    columns = [names.index(language) for language in LANGUAGES]
    table = np.asarray(following, np.uint32).tobytes()
    size = _BLOCK * np.dtype(np.uint32).itemsize
    places: dict[bytes, int] = {}
    index = [
        places.setdefault(table[at : at + size], len(places) * _BLOCK) for at in range(0, len(table), size)
    ]
    save_file(
        {
            "blocks": np.frombuffer(b"".join(places), np.uint32),
            "index": np.array(index, np.uint32),
            "rows": np.asarray(row, np.uint32) * np.uint32(256 // _BLOCK),
            "found": np.asarray(found, np.int32),
            "weights": np.ascontiguousarray(np.asarray(weights)[:, columns]),
            "prior": np.asarray(prior)[columns],
        },
        target,
    )
