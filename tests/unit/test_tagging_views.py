"""Two views of made-up texts, each of which tells something that the other does not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ml.tagging import artifact, head
from ml.tagging.artifact import Facts, Manifest
from ml.tagging.encoder import HIDDEN, WIDTH
from ml.tagging.training import views
from ml.tagging.training.data import Names

pytestmark = pytest.mark.unit
Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
NAMES = Names(("a", "b", "c"), ("a", "b", "c"), (0, 1, 2))
NONE = np.empty((0, 8), np.float32)


def _view(labels: Labels, noise: float, draw: np.random.Generator) -> Matrix:
    """Directions [texts, 4] near one of each class; -1: away from all of them."""
    homes = np.vstack([np.eye(3, 4), [[-1, -1, -1, 0]]])[labels]
    found = homes + draw.normal(0, noise, homes.shape)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def _texts(count: int, seed: int, outside: bool = False) -> tuple[Matrix, Labels]:  # noqa: FBT002  # a fact
    draw = np.random.default_rng(seed)
    labels = np.full(count, -1) if outside else draw.integers(0, 3, count)
    return np.hstack([_view(labels, 0.35, draw), _view(labels, 0.3, draw)]), labels


def _regressions(seed: int = 1) -> tuple[views.Regression, views.Regression]:
    vectors, labels = _texts(600, seed)
    early, late = (head.fit(view, labels, 3, 1e-4) for view in np.split(vectors, 2, axis=1))
    return early, late


def _right(logits: Matrix, labels: Labels) -> float:
    return float((logits.argmax(axis=1) == labels).mean())


def test_both_views_together_tell_more_than_either() -> None:
    early, late = _regressions()
    inside, labels = _texts(500, 2)
    made, _ = views.joined(early, late, inside, NONE, labels, NAMES)
    test, wanted = _texts(4000, 3)
    first, last = np.split(test, 2, axis=1)
    alone = [_right(view @ w + b / head.SCALE, wanted) for view, (w, b) in ((first, early), (last, late))]
    assert _right(made.logits(test), wanted) > max(alone) + 0.01


def test_what_the_early_view_tells_is_what_both_would_say() -> None:
    inside, labels = _texts(2000, 2)
    made, _ = views.joined(*_regressions(), inside, NONE, labels, NAMES)
    test, _ = _texts(4000, 3)
    told = made.enough(views.seen(test))
    assert 0.05 < told.mean() <= views.TOLD + 0.05
    same = made.logits(test, told).argmax(axis=1) == made.logits(test).argmax(axis=1)
    assert same[~told].all()
    assert same[told].mean() > 1 - 3 * views.DIFFER


def test_texts_outside_are_seldom_told_early() -> None:
    inside, labels = _texts(2000, 2)
    outside, _ = _texts(300, 4, outside=True)
    made, _ = views.joined(*_regressions(), inside, outside, labels, NAMES)
    others, _ = _texts(3000, 5, outside=True)
    assert made.enough(views.seen(others)).mean() <= 2 * views.STRANGE
    assert made.enough(views.seen(inside)).any()


def test_a_few_validation_texts_show_nothing() -> None:
    inside, labels = _texts(100, 2)
    made, _ = views.joined(*_regressions(), inside, NONE, labels, NAMES)
    assert not made.enough(views.seen(inside)).any()


def test_who_is_told_early_belongs_whatever_the_limit() -> None:
    inside, labels = _texts(2000, 2)
    made, _ = views.joined(*_regressions(), inside, NONE, labels, NAMES)
    told = made.enough(views.seen(inside))
    strict = dataclasses.replace(made, scope_at=100.0)
    np.testing.assert_array_equal(strict.outside(inside, told), ~told)
    assert strict.outside(inside).all()


def _sealed(folder: Path, made: head.Head) -> Manifest:
    artifact.save_head(made, folder)
    return artifact.seal(
        folder, made, Facts(name="t", mode="head", precision=0.9, data_sha256="0", examples=3)
    )


def test_a_model_keeps_what_its_early_view_tells(tmp_path: Path) -> None:
    inside, labels = _texts(2000, 2)
    made, _ = views.joined(*_regressions(), inside, NONE, labels, NAMES)
    wide = np.zeros((WIDTH, 3), np.float32)
    sealed = dataclasses.replace(made, weights=wide, bands={})
    kept = _sealed(tmp_path, sealed).head(tmp_path)
    assert kept.early is not None
    assert made.early is not None
    assert (kept.early.temperature, kept.early.enough_at) == (made.early.temperature, made.early.enough_at)
    np.testing.assert_array_equal(kept.early.bias, made.early.bias)


def test_a_head_of_before_there_were_views_knows_the_late_one(tmp_path: Path) -> None:
    inside, labels = _texts(2000, 2)
    made, _ = views.joined(*_regressions(), inside, NONE, labels, NAMES)
    old = np.ones((HIDDEN, 3), np.float32)
    kept = _sealed(tmp_path, dataclasses.replace(made, weights=old, early=None)).head(tmp_path)
    assert kept.weights.shape == (WIDTH, 3)
    np.testing.assert_array_equal(kept.weights[-HIDDEN:], old)
    assert not kept.weights[:-HIDDEN].any()
    assert kept.early is None
