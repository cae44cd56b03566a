"""A head learns from reviews with its own weights as the prior: what they do not tell stays as it is.

Maximum a posteriori adaptation (Chelba and Acero, 2004). It works on embeddings, so no ticket's words are
needed again, and on any head: a review names a category, whose fine labels share its evidence as the head
believes.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits

from ml.tagging import artifact, calibration, metrics
from ml.tagging.artifact import Facts, Manifest
from ml.tagging.calibration import rolled_up, softmax
from ml.tagging.errors import DataError
from ml.tagging.head import NEVER, SCALE, Head
from ml.tagging.registry import Comparison
from ml.tagging.tagger import serving
from ml.tagging.training import card

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
NONE = -1
"""In the place of a category: people said that what was set is wrong, and not what is right."""
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
"""Of the prior, in reviews; which one does best is found on reviews left out."""
FOLDS = 3
BLOCKS = 3
FEWEST = 30
PRIOR = "prior.safetensors"
STEPS = 100
LARGEST = 60_000
"""Reviews times labels. With more, the newest reviews are taken; training from files has no such limit."""


@dataclass(frozen=True)
class Reviewed:
    """What people said, oldest first.

    `vectors` [texts, dimensions] as the encoder gives them; `wanted` [texts] places in the head's
    categories, or NONE.
    """

    vectors: Matrix
    wanted: Labels

    def __len__(self) -> int:
        return len(self.wanted)

    def rows(self, chosen: npt.NDArray[np.bool_] | slice) -> Reviewed:
        return Reviewed(self.vectors[chosen], self.wanted[chosen])


def make(
    models: Path, reviewed: Reviewed, said_at: Sequence[datetime], out: Path, now: datetime
) -> tuple[Manifest, Comparison]:
    """Adapt the model that serves, write the challenger to `out`, and compare both.

    A model that was itself adapted is not adapted again: its own prior learns from all reviews anew.

    `said_at` tells when each review was given: the model that serves is judged by those after it was made.

    Raises:
        DataError: too few reviews, or `out` holds a model.
    """
    if (out / artifact.MANIFEST).exists():
        raise DataError(f"There is a model in {out} already. Choose another folder.")
    folder = serving(models)
    manifest = artifact.read(folder)
    if manifest.several:
        raise DataError("A model that knows several categories a ticket learns from files only.")
    champion, prior = manifest.head(folder), _prior(manifest, folder)
    reviewed = reviewed.rows(slice(-(LARGEST // len(champion.labels)), None))
    made_at = datetime.fromisoformat(manifest.facts.created) if manifest.facts.created else None
    seen = sum(made_at is not None and at <= made_at for at in said_at[-len(reviewed) :])
    if len(reviewed) - seen < FEWEST:
        raise DataError(f"{len(reviewed) - seen} new reviews are too few to learn from; {FEWEST} are needed.")
    with threadpool_limits(limits=1, user_api="blas"):
        comparison = compared(champion, prior, reviewed, seen, manifest.facts.precision)
        made = adapted(prior, reviewed, manifest.facts.precision)
    return _sealed(folder, manifest, prior, made, reviewed, comparison, out, now), comparison


def compared(champion: Head, prior: Head, reviewed: Reviewed, seen: int, precision: float) -> Comparison:
    """On what the champion has not seen, a third at a time, by heads that learned from all before it."""
    edges = np.linspace(max(seen, len(reviewed) // 4), len(reviewed), BLOCKS + 1).astype(int)
    old, new = [], []
    for start, end in pairwise(edges.tolist()):
        block = reviewed.rows(slice(start, end))
        old.append(_hits(champion, block))
        new.append(_hits(adapted(prior, reviewed.rows(slice(0, start)), precision), block))
    before, after = np.concatenate(old), np.concatenate(new)
    return Comparison(float(after.mean()), float(before.mean()), *metrics.difference(after, before))


def _prior(manifest: Manifest, folder: Path) -> Head:
    """What the model that serves was adapted from, or itself."""
    head = manifest.head(folder)
    if PRIOR not in manifest.files:
        return head
    tensors = load_file(folder / PRIOR)
    temperature = float(manifest.facts.settings["prior_temperature"])
    weights = manifest.fitting(tensors["weights"])
    return replace(head, weights=weights, bias=tensors["bias"], temperature=temperature)


def adapted(head: Head, reviewed: Reviewed, precision: float, seed: int = 0) -> Head:
    """The head after the reviews, with temperature and bands from reviews that it had not seen."""
    folds = _folds(reviewed.wanted, seed)
    tried = {strength: _left_out(head, reviewed, folds, strength) for strength in STRENGTHS}
    known = reviewed.wanted != NONE
    strength = min(
        STRENGTHS, key=lambda s: _loss(head, tried[s][known], reviewed.wanted[known], head.temperature)
    )
    logits, owner = tried[strength], np.array(head.owner)
    # Any label of a category stands for it: the temperature is judged by categories.
    label_of = np.array([head.owner.index(place) for place in range(len(head.categories))])
    temperature = calibration.temperature(logits[known], label_of[reviewed.wanted[known]], owner)
    fine = softmax((logits / temperature).astype(np.float32))
    shares = rolled_up(fine, owner, len(head.categories))
    bands = calibration.bands(shares, reviewed.wanted, head.categories, precision)
    weights, bias = _fit(head, reviewed, strength)
    # What the early view tells alone has not learned from the reviews.
    early = replace(head.early, enough_at=NEVER) if head.early else None
    return replace(head, weights=weights, bias=bias, temperature=temperature, bands=bands, early=early)


def _left_out(head: Head, reviewed: Reviewed, folds: Labels, strength: float) -> Matrix:
    """Logits [texts, labels] of each text by a head that has not seen it."""
    logits = np.empty((len(reviewed), len(head.labels)), np.float32)
    for fold in range(FOLDS):
        test = folds == fold
        weights, bias = _fit(head, reviewed.rows(~test), strength)
        logits[test] = reviewed.vectors[test] * SCALE @ weights + bias
    return logits


def _fit(head: Head, reviewed: Reviewed, strength: float) -> tuple[Matrix, Matrix]:
    """Weights and bias with the least sum of loss and `strength` times their distance to the head's."""
    given = reviewed.rows(reviewed.wanted != NONE)
    prior = np.vstack([head.weights, head.bias[None, :]]).astype(np.float32)
    if not len(given):
        return head.weights, head.bias
    x = np.hstack([given.vectors * SCALE, np.ones((len(given), 1), np.float32)]).astype(np.float32)
    pull = np.float32(strength / len(given))
    # One over a bound of the gradient's Lipschitz constant: the largest step that always descends.
    curvature = 0.5 * np.linalg.norm(x, 2) ** 2 / len(x) / head.temperature**2
    rate = np.float32(1.0 / (curvature + pull))
    inside = np.array(head.owner)[None, :] == given.wanted[:, None]
    weights, ahead = prior.copy(), prior.copy()
    for step in range(STEPS):
        shares = softmax((x @ ahead / head.temperature).astype(np.float32))
        within = np.where(inside, shares, 0) + np.float32(1e-12) * inside
        wanted = within / within.sum(axis=1, keepdims=True)
        gradient = x.T @ (shares - wanted) / np.float32(len(x) * head.temperature) + pull * (ahead - prior)
        moved = ahead - rate * gradient
        ahead = moved + np.float32(step / (step + 3)) * (moved - weights)
        weights = moved
    return weights[:-1].astype(np.float32), weights[-1].astype(np.float32)


def _loss(head: Head, logits: Matrix, wanted: Labels, temperature: float) -> float:
    """Mean negative log-likelihood of the categories."""
    fine = softmax((logits / temperature).astype(np.float32))
    shares = rolled_up(fine, np.array(head.owner), len(head.categories))
    return float(-np.log(shares[np.arange(len(wanted)), wanted] + 1e-12).mean())


def _hits(head: Head, reviewed: Reviewed) -> npt.NDArray[np.bool_]:
    return metrics.right(head.probabilities(head.logits(reviewed.vectors)), reviewed.wanted)


def _folds(wanted: Labels, seed: int) -> Labels:
    """Each category is spread evenly over the folds."""
    folds, draw = np.empty(len(wanted), np.int64), np.random.default_rng(seed)
    for place in np.unique(wanted):
        rows = draw.permutation(np.flatnonzero(wanted == place))
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds


def _sealed(
    champion: Path,
    parent: Manifest,
    prior: Head,
    head: Head,
    reviewed: Reviewed,
    comparison: Comparison,
    out: Path,
    now: datetime,
) -> Manifest:
    facts = Facts(
        name=f"{now:%Y-%m-%d}",
        mode="adapted",
        precision=parent.facts.precision,
        data_sha256=hashlib.sha256(reviewed.vectors.tobytes() + reviewed.wanted.tobytes()).hexdigest(),
        examples=len(reviewed),
        languages=parent.languages,
        created=f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        base=parent.facts.base,
        settings={"parent": parent.version, "prior_temperature": prior.temperature},
        metrics={"accuracy": comparison.challenger, "parent_accuracy": comparison.champion},
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        for file in (artifact.ENCODER, artifact.LATE, artifact.WORDS, artifact.TOKENIZER):
            if file in parent.files:
                shutil.copy2(champion / file, made / file)
        artifact.save_head(head, made)
        save_file({"weights": prior.weights, "bias": prior.bias}, made / PRIOR)
        (made / artifact.CARD).write_text(card.write(facts, head), encoding="utf-8")
        manifest = artifact.seal(made, head, facts)
        made.rename(out)
    return manifest
