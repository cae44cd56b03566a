"""Few labelled points and many unlabelled ones, in two clouds of made-up embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ml.tagging import DataError, head
from ml.tagging.artifact import Mode
from ml.tagging.training import data, few, run

pytestmark = pytest.mark.unit
Matrix = npt.NDArray[np.float32]
TWO = np.eye(2, dtype=np.float32)


def _clouds(each: int, seed: int) -> tuple[Matrix, npt.NDArray[np.int64]]:
    """Two clouds, told apart by their first two directions; in all others there is only noise."""
    draw = np.random.default_rng(seed)
    labels = np.arange(2 * each) % 2
    points = draw.normal(0.0, 0.25, (2 * each, 24))
    points[np.arange(2 * each), labels] += 1.0
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), labels


def _right(model: tuple[Matrix, Matrix], vectors: Matrix, labels: npt.NDArray[np.int64]) -> float:
    weights, bias = model
    return float(((vectors * head.SCALE @ weights + bias).argmax(axis=1) == labels).mean())


def test_unlabelled_texts_make_the_head_better() -> None:
    known, _ = _clouds(1, 1)
    others, _ = _clouds(150, 2)
    test, labels = _clouds(300, 3)
    alone = _right(few.fit(known, TWO, others[:0]), test, labels)
    beside = _right(few.fit(known, TWO, others), test, labels)
    assert beside > alone
    assert beside > 0.98


def test_without_unlabelled_texts_it_is_the_same_regression() -> None:
    known, labels = _clouds(10, 1)
    weights, bias = few.fit(known, TWO[labels], known[:0])
    wanted = head.fit(known, labels, 2)
    np.testing.assert_allclose(weights, wanted[0])
    np.testing.assert_allclose(bias, wanted[1])


def test_a_text_that_counts_twice_is_as_good_as_two() -> None:
    known, labels = _clouds(6, 1)
    twice = np.r_[np.arange(12), 0]
    counts = np.ones(12, np.float32)
    counts[0] = 2
    once = head.fit_shares(known, TWO[labels], head.L2, counts=counts)
    both = head.fit_shares(known[twice], TWO[labels[twice]], head.L2)
    np.testing.assert_allclose(once[0], both[0], atol=1e-4)


def test_what_is_unlike_all_examples_is_out_of_scope() -> None:
    known, labels = _clouds(60, 1)
    test, _ = _clouds(100, 2)
    strange = (test * (np.arange(24) > 1)).astype(np.float32)
    names = [f"label {label}" for label in labels]
    made = head.train(known, names, precision=0.95, limited=True)
    assert made.outside(test).mean() < 0.1
    assert made.outside(strange).mean() > 0.9
    assert head.train(known, names, precision=0.95).scope_at is None


def test_neighbours_hear_each_other_and_never_themselves() -> None:
    vectors, _ = _clouds(20, 1)
    around = few.graph(vectors)
    assert not (around.starts == around.ends).any()
    assert (np.bincount(around.ends, minlength=40) >= few.NEIGHBOURS).all()
    edges = list(zip(around.starts.tolist(), around.ends.tolist(), strict=True))
    assert sorted(edges) == sorted((end, start) for start, end in edges)


def test_a_belief_reaches_those_who_have_none() -> None:
    vectors, labels = _clouds(20, 1)
    beliefs = np.zeros((40, 2), np.float32)
    beliefs[:2] = TWO[labels[:2]]
    settled = few.graph(vectors).spread(beliefs)
    assert (settled.argmax(axis=1) == labels).mean() > 0.9


def test_fewer_texts_than_neighbours_do() -> None:
    vectors, _ = _clouds(2, 1)
    assert np.bincount(few.graph(vectors).ends).tolist() == [6, 6, 6, 6]


class _Said:
    """In place of an encoder: one direction a word."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> Matrix:
        self.texts += texts
        found = np.zeros((len(texts), 24), np.float32)
        for row, text in enumerate(texts):
            found[row, sum(map(ord, text)) % 24] = 1.0
        return found


def test_names_of_labels_are_examples_unless_they_are_codes() -> None:
    said = _Said()
    learn = few.learner(said, ["card_arrival", "42", "lost-card"], [])  # type: ignore[arg-type]  # plays it
    assert said.texts == ["card arrival", "lost card"]
    vectors = said.encode(["card arrival", "something", "lost card"])
    weights, bias = learn(vectors, np.array([0, 1, 2]))
    assert (vectors * head.SCALE @ weights + bias).argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("mode", ["head", "full"])
def test_only_few_shot_takes_unlabelled_texts(
    mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "installed", lambda _name: True)
    rows = [data.Example(f"text {n}", label, label) for n in range(10) for label in "ab"]
    plan = run.Plan("x", mode)
    given = run.parts(rows, [], plan, ["what nobody labelled"])
    with pytest.raises(DataError, match="--mode few-shot"):
        run.train(given, plan, tmp_path / "m", tmp_path, lambda _what, _share: None)


def test_more_unlabelled_texts_than_can_be_compared_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few, "LARGEST", 3)
    texts = [f"text {n}" for n in range(9)]
    drawn = few.drawn(texts, 0)
    assert len(set(drawn)) == 3
    assert set(drawn) <= set(texts)
    assert few.drawn(texts, 0) == drawn
    assert few.drawn(texts[:2], 0) == texts[:2]
