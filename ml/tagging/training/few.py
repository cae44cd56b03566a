"""A head from few labelled texts: what else is known helps it. The names of the labels say what they mean,
and texts that nobody labelled show how texts lie.

What the head believes of the unlabelled texts is passed on between neighbours until it settles, the labelled
ones holding to what they are (Zhou et al., "Learning with local and global consistency", NIPS 2003; Gasteiger
et al., "Predict then propagate", ICLR 2019); then the head learns from these beliefs too, and once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from ml.tagging import head
from ml.tagging.calibration import softmax
from ml.tagging.clean import clean, has_words
from ml.tagging.encoder import Encoder, meaning
from ml.tagging.head import Head, Learn
from ml.tagging.training.data import Names, Parts

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.intp]
LARGEST = 20_000
"""Unlabelled texts that are used; of more, so many are drawn. Finding neighbours takes the square of it."""
NEIGHBOURS = 10
CLOSENESS = 4
"""The power of the cosine by which a neighbour counts."""
PASSED = np.float32(0.8)
"""Of each belief comes from the neighbours, the rest from the head or the label."""
PASSES = 10
SHARPNESS = 4
"""The power to which beliefs are raised before the head learns from them: a flat target teaches little."""
ROUNDS = 2
LABELLED = 3.0
"""How often a labelled text counts, beside an unlabelled one."""
L2 = 1e-4
STEPS = 100
_CHUNK = 1024


def fitted(
    encoder: Encoder,
    given: Parts,
    names: Names,
    precision: float,
    seed: int,
    progress: Callable[[str, float], None],
) -> Head:
    """Calibrated out of fold: each labelled text by a head that did not have it, labelled or not.

    Texts of no category do not move the limit of the scope: between them and the few that are known, the best
    place for it left out a quarter of what is known (from twelve texts of each of ten categories).
    """
    vectors = encoder.encode([clean(example.text) for example in given.train])
    labels = [example.label for example in given.train]
    homes = {example.label: example.category for example in given.train}
    learn = learner(encoder, names.labels, drawn(given.unlabelled, seed))
    progress("fitting", 0.5)
    # Two threads would wait for each other more than they save, the more so on a busy machine.
    with threadpool_limits(limits=1, user_api="blas"):
        return head.train(
            vectors, labels, precision=precision, seed=seed, homes=homes, learn=learn, limited=True
        )


def learner(encoder: Encoder, labels: Sequence[str], unlabelled: Sequence[str]) -> Learn:
    """Each label's name is one more example of it; a code without words is none."""
    named = [number for number, label in enumerate(labels) if has_words(label)]
    hints = encoder.encode([_words(labels[number]) for number in named])
    others = meant(encoder.encode([clean(text) for text in unlabelled]))

    def learn(vectors: Matrix, numbers: Labels) -> tuple[Matrix, Matrix]:
        known = np.vstack([vectors, hints]).astype(np.float32)
        known = meant(known) if len(others) else known
        wanted = np.eye(len(labels), dtype=np.float32)[np.concatenate([numbers, np.array(named, np.int64)])]
        return fit(known, wanted, others)

    return learn


def meant(vectors: Matrix) -> Matrix:
    """Without the early view: who means the same passes on better beliefs than who uses the same words."""
    found = np.zeros_like(vectors)
    meaning(found)[:] = meaning(vectors)
    return found


def fit(known: Matrix, wanted: Matrix, others: Matrix) -> tuple[Matrix, Matrix]:
    """`wanted` [known texts, classes] says what the known texts are; `others` are embeddings alone."""
    weights, bias = head.fit_shares(known, wanted, head.L2)
    if not len(others):
        return weights, bias
    vectors = np.vstack([known, others]).astype(np.float32)
    around = graph(vectors)
    counts = np.ones(len(vectors), np.float32)
    counts[: len(known)] = LABELLED
    sharpness = np.float32(2)  # what so few examples taught is right more often than sure
    for _ in range(ROUNDS):
        logits = (others * head.SCALE @ weights + bias) * sharpness
        believed = softmax(logits.astype(np.float32))
        settled = around.spread(np.vstack([wanted, believed]))[len(known) :] ** SHARPNESS
        settled /= settled.sum(axis=1, keepdims=True)
        weights, bias = head.fit_shares(vectors, np.vstack([wanted, settled]), L2, STEPS, counts)
        sharpness = np.float32(1)
    return weights, bias


@dataclass(frozen=True)
class Graph:
    """Who is whose neighbour, both ways: edges sorted by `ends`, of which each text has some."""

    starts: Numbers
    ends: Numbers
    closeness: Matrix

    def spread(self, beliefs: Matrix) -> Matrix:
        """Each belief mixed with its neighbours', again and again."""
        first = np.searchsorted(self.ends, np.arange(len(beliefs)))
        found = beliefs
        for _ in range(PASSES):
            heard = np.add.reduceat(self.closeness[:, None] * found[self.starts], first)
            found = PASSED * heard + (1 - PASSED) * beliefs
        return found


def graph(vectors: Matrix) -> Graph:
    """Each text and the nearest ones by cosine; a text near to many counts less to each of them."""
    near, cosines = _nearest(vectors)
    own = np.repeat(np.arange(len(vectors)), near.shape[1])
    starts, ends = np.concatenate([near.ravel(), own]), np.concatenate([own, near.ravel()])
    closeness = np.tile(np.maximum(cosines.ravel(), 1e-3) ** CLOSENESS, 2)
    many = np.sqrt(np.bincount(ends, closeness, len(vectors)))
    order = np.argsort(ends, kind="stable")
    closeness = closeness / (many[starts] * many[ends])
    return Graph(starts[order], ends[order], closeness[order].astype(np.float32))


def _nearest(vectors: Matrix) -> tuple[Numbers, Matrix]:
    some = min(NEIGHBOURS, len(vectors) - 1)
    near = np.empty((len(vectors), some), np.intp)
    found = np.empty((len(vectors), some), np.float32)
    for start in range(0, len(vectors), _CHUNK):
        cosines = vectors[start : start + _CHUNK] @ vectors.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf  # nobody is their own neighbour
        best = np.argpartition(-cosines, some - 1, axis=1)[:, :some]
        near[start : start + _CHUNK] = best
        found[start : start + _CHUNK] = np.take_along_axis(cosines, best, axis=1)
    return near, found


def _words(label: str) -> str:
    return clean(label.replace("_", " ").replace("-", " "))


def drawn(texts: Sequence[str], seed: int) -> Sequence[str]:
    if len(texts) <= LARGEST:
        return texts
    return [texts[n] for n in np.random.default_rng(seed).permutation(len(texts))[:LARGEST].tolist()]
