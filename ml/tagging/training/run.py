"""From examples to a sealed model folder."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.tagging import artifact, calibration, head, metrics
from ml.tagging.artifact import Facts, Manifest, Mode
from ml.tagging.clean import clean
from ml.tagging.encoder import WEIGHTS_SHA256, Encoder
from ml.tagging.errors import DataError, ModelUnavailableError
from ml.tagging.head import Head
from ml.tagging.training import card, data, export, few, several
from ml.tagging.training.data import Example, Names, Parts
from ml.tagging.training.recipe import Recipe

Matrix = npt.NDArray[np.float32]
Progress = Callable[[str, float], None]
FEWEST = 8
"""Examples of a category that few-shot training needs."""
L2 = 1e-4
"""For heads with hundreds of examples of a label; few examples need more."""


@dataclass(frozen=True)
class Plan:
    """`precision` is the wanted share of right tags among those applied without asking."""

    name: str
    mode: Mode
    precision: float = 0.95
    languages: tuple[str, ...] = ("en",)
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def seed(self) -> int:
        return self.recipe.seed


def parts(
    examples: Sequence[Example], valid: Sequence[Example], plan: Plan, unlabelled: Sequence[str] = ()
) -> Parts:
    """Validation examples are split off where none are given; few-shot validates out of fold instead."""
    if not valid:
        valid = [] if plan.mode == "few-shot" else data.split(examples, 0.1, plan.seed)[1]
        held = {id(example) for example in valid}
        examples = [example for example in examples if id(example) not in held]
    return Parts(
        [e for e in examples if not e.outside],
        [e for e in valid if not e.outside],
        [e for e in examples if e.outside],
        [e for e in valid if e.outside],
        unlabelled,
    )


def train(given: Parts, plan: Plan, out: Path, cache: Path, progress: Progress) -> Manifest:
    """Write the model to `out`. `cache` holds the base encoder.

    Raises:
        DataError: the examples do not do.
        ModelUnavailableError: the mode needs what is not installed.
    """
    if (out / artifact.MANIFEST).exists():
        raise DataError(f"There is a model in {out} already. Choose another folder with --out.")
    names = data.names(given.train)
    _check(given, names, plan)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        fitted, measured = _fitted(given, names, plan, made, cache, progress)
        artifact.save_head(fitted, made)
        facts = _facts(given, plan, measured)
        (made / artifact.CARD).write_text(card.write(facts, fitted), encoding="utf-8")
        manifest = artifact.seal(made, fitted, facts)
        shutil.copytree(made, out, dirs_exist_ok=True)
    return manifest


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _check(given: Parts, names: Names, plan: Plan) -> None:
    if plan.mode == "full" and not installed("torch"):
        raise ModelUnavailableError(
            "A full fine-tune needs torch, which is not installed. Run: make train-deps, or use --mode head."
        )
    if given.unlabelled and (plan.mode != "few-shot" or names.several):
        raise DataError(
            "Unlabelled texts help only few-shot training, with one category a text. "
            "Add --mode few-shot, or leave out --unlabelled."
        )
    for place, category in enumerate(names.categories):
        own = {label for label, owner in zip(names.labels, names.owner, strict=True) if owner == place}
        count = sum(not own.isdisjoint({example.label, *example.also}) for example in given.train)
        if count < FEWEST:
            raise DataError(
                f"{category} has {count} examples; at least {FEWEST} are needed. Add some, or leave it out."
            )


def _fitted(
    given: Parts, names: Names, plan: Plan, made: Path, cache: Path, progress: Progress
) -> tuple[Head, dict[str, float]]:
    if names.several:
        encoder = (
            _tuned(given, names, plan, made, cache, progress)[0]
            if plan.mode == "full"
            else Encoder.load(cache)
        )
        progress("fitting", 0.9)
        return several.fitted(encoder, given, names, plan.precision, plan.seed)
    if plan.mode == "few-shot":
        encoder = Encoder.load(cache)
        progress("encoding", 0.1)
        return few.fitted(encoder, given, names, plan.precision, plan.seed, progress), {}
    if plan.mode == "full":
        encoder, weights, bias = _tuned(given, names, plan, made, cache, progress)
    else:
        encoder = Encoder.load(cache)
        progress("encoding", 0.1)
        vectors = encoder.encode([clean(example.text) for example in given.train])
        progress("fitting", 0.5)
        weights, bias = head.fit(vectors, names.numbers(given.train), len(names.labels), L2)
    progress("calibrating", 0.95)
    return calibrated(encoder, weights, bias, given, names, plan)


def _tuned(
    given: Parts, names: Names, plan: Plan, made: Path, cache: Path, progress: Progress
) -> tuple[Encoder, Matrix, Matrix]:
    from ml.tagging.training import tuned  # noqa: PLC0415  # torch

    found = tuned.cached(given, names, plan.recipe, cache, lambda what, share: progress(what, 0.9 * share))
    export.write(found.encoder, made)
    scale = np.float32(plan.recipe.scale / head.SCALE)  # the head applies its own
    encoder = Encoder(made / artifact.ENCODER, made / artifact.TOKENIZER)
    return encoder, (found.weights * scale).astype(np.float32), found.bias


def calibrated(
    encoder: Encoder, weights: Matrix, bias: Matrix, given: Parts, names: Names, plan: Plan
) -> tuple[Head, dict[str, float]]:
    """Temperature, bands and scope from validation texts, by the very int8 encoder that will serve."""

    def logits(examples: Sequence[Example]) -> Matrix:
        vectors = encoder.encode([clean(example.text) for example in examples])
        found: Matrix = (vectors * head.SCALE @ weights + bias).astype(np.float32)
        return found

    owner = np.array(names.owner)
    inside, wanted = logits(given.valid), names.numbers(given.valid)
    outside = (
        calibration.energy(logits(given.outside_valid)) if given.outside_valid else np.empty(0, np.float32)
    )
    temperature = calibration.temperature(inside, wanted, owner)
    fine = calibration.softmax((inside / temperature).astype(np.float32))
    shares = calibration.rolled_up(fine, owner, len(names.categories))
    bands = calibration.bands(shares, owner[wanted], names.categories, plan.precision)
    scope_at = calibration.scope(calibration.energy(inside), outside)
    made = Head(names.labels, names.categories, names.owner, weights, bias, temperature, bands, scope_at)
    return made, measured(shares, owner[wanted], calibration.energy(inside), outside)


def measured(
    shares: Matrix, labels: npt.NDArray[np.int64], inside: Matrix, outside: Matrix
) -> dict[str, float]:
    found = {
        "accuracy": float(metrics.right(shares, labels).mean()),
        "ece": metrics.ece(shares, labels),
        "coverage_at_95": metrics.coverage(shares, labels, 0.95),
        "coverage_at_98": metrics.coverage(shares, labels, 0.98),
    }
    return {**found, "oos_auroc": metrics.auroc(inside, outside)} if len(outside) else found


def _facts(given: Parts, plan: Plan, measured: dict[str, float]) -> Facts:
    settings = (
        dataclasses.asdict(plan.recipe)
        if plan.mode == "full"
        else {"l2": L2 if plan.mode == "head" else head.L2}
    )
    if given.unlabelled:
        settings["unlabelled"] = len(given.unlabelled)
    return Facts(
        name=plan.name,
        mode=plan.mode,
        precision=plan.precision,
        data_sha256=given.sha256(),
        examples=len(given.train),
        languages=plan.languages,
        seed=plan.seed,
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        base=WEIGHTS_SHA256,
        settings=settings,
        metrics=measured,
    )
