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
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ml.tagging import artifact, calibration, head, metrics
from ml.tagging.artifact import Facts, Manifest, Mode
from ml.tagging.clean import clean
from ml.tagging.encoder import VIEWS, WEIGHTS_SHA256, Encoder
from ml.tagging.errors import DataError, ModelUnavailableError
from ml.tagging.head import Head
from ml.tagging.training import card, data, export, few, several, views
from ml.tagging.training.data import Example, Names, Parts
from ml.tagging.training.recipe import Recipe
from ml.tagging.training.views import Regression

if TYPE_CHECKING:
    from ml.tagging.training.finetune import Tuned  # torch

Matrix = npt.NDArray[np.float32]
Progress = Callable[[str, float], None]
FEWEST = 8
"""Examples of a category that few-shot training needs."""
L2 = 1e-4
"""For heads with hundreds of examples of a label; few examples need more."""


@dataclass(frozen=True)
class Plan:
    """`precision` is the wanted share of right tags among those applied without asking.

    `refit`: when all was judged and chosen on the validation texts, learn anew from them too. A full
    fine-tune then keeps the mean of both fits' weights.
    """

    name: str
    mode: Mode
    precision: float = 0.95
    languages: tuple[str, ...] = ("en",)
    recipe: Recipe = field(default_factory=Recipe)
    refit: bool = True

    @property
    def seed(self) -> int:
        return self.recipe.seed


@dataclass(frozen=True)
class _Learned:
    """What training gives: regressions on the views.

    `epochs`: after how many it was best; `tuned`: what a full fine-tune gave.
    """

    encoder: Encoder
    early: Regression
    late: Regression
    epochs: int = 0
    tuned: Tuned | None = None


@dataclass(frozen=True)
class _Judged:
    """A head, how good it is, and which category was taken for which: all on the validation texts.

    `ratio`: how much the early view's regression counts.
    """

    head: Head
    measured: dict[str, float]
    table: npt.NDArray[np.int64] | None = None
    ratio: float = 1.0


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
        found = _fitted(given, names, plan, made, cache, progress)
        artifact.save_head(found.head, made)
        facts = _facts(given, plan, found.measured)
        (made / artifact.CARD).write_text(card.write(facts, found.head), encoding="utf-8")
        if found.table is not None:
            artifact.save_confusion(found.table, names.categories, made)
        manifest = artifact.seal(made, found.head, facts)
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


def _fitted(given: Parts, names: Names, plan: Plan, made: Path, cache: Path, progress: Progress) -> _Judged:
    if plan.mode == "few-shot":
        return _few_shot(given, names, plan, cache, progress)
    if not plan.refit:
        return _judged(_learned(given, names, plan, made, cache, progress), given, names, plan)
    first = made.parent / "judged"
    first.mkdir()
    learned = _learned(given, names, plan, first, cache, lambda what, share: progress(what, share / 2))
    found = _judged(learned, given, names, plan)
    again = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, epochs=max(1, learned.epochs)))
    final = _learned(
        given.together(),
        names,
        again,
        made,
        cache,
        lambda what, share: progress(f"all texts: {what}", 0.5 + share / 2),
        learned.tuned,
    )
    weights, bias = views.together(final.early, final.late, found.ratio)
    early = found.head.early and dataclasses.replace(
        found.head.early, bias=final.early[1] * np.float32(found.ratio)
    )
    return dataclasses.replace(
        found, head=dataclasses.replace(found.head, weights=weights, bias=bias, early=early)
    )


def _few_shot(given: Parts, names: Names, plan: Plan, cache: Path, progress: Progress) -> _Judged:
    encoder = Encoder.load(cache)
    progress("encoding", 0.1)
    if names.several:
        return _Judged(*several.fitted(encoder, given, names, plan.precision, plan.seed))
    return _Judged(few.fitted(encoder, given, names, plan.precision, plan.seed, progress), {})


def _learned(
    given: Parts,
    names: Names,
    plan: Plan,
    made: Path,
    cache: Path,
    progress: Progress,
    earlier: Tuned | None = None,
) -> _Learned:
    """`earlier`: a fine-tune with which this one is averaged."""
    tuned: Tuned | None
    late: Regression | None
    if plan.mode == "full":
        tuned = _tuned(given, names, plan.recipe, cache, progress, earlier)
        export.write(tuned.encoder, made)
        encoder = Encoder(made / artifact.ENCODER, made / artifact.LATE, made / artifact.TOKENIZER)
        scale = np.float32(plan.recipe.scale / head.SCALE)  # the head applies its own
        late = (tuned.weights * scale).astype(np.float32), tuned.bias
    else:
        encoder, late, tuned = Encoder.load(cache), None, None
        progress("encoding", 0.1)
    vectors = _encoded(encoder, [*given.train, *given.outside])
    progress("fitting", 0.9)
    epochs = tuned.epochs if tuned else 0
    if names.several:
        weights, bias = several.fit(vectors[: len(given.train)], names.flags(given.train))
        first, last = np.split(weights, VIEWS)
        return _Learned(encoder, (first, np.zeros_like(bias)), (last, bias), epochs, tuned)

    # A text of no class ought to be anything as likely as anything else.
    share = np.full((len(given.outside), len(names.labels)), 1 / len(names.labels), np.float32)
    wanted = np.vstack([np.eye(len(names.labels), dtype=np.float32)[names.numbers(given.train)], share])

    def fit(view: Matrix) -> Regression:
        return head.fit_shares(view, wanted, L2)

    seen, meant = np.split(vectors, VIEWS, axis=1)
    return _Learned(encoder, fit(seen), late or fit(meant), epochs, tuned)


def _tuned(
    given: Parts, names: Names, recipe: Recipe, cache: Path, progress: Progress, earlier: Tuned | None
) -> Tuned:
    from ml.tagging.training import tuned  # noqa: PLC0415  # torch

    found = tuned.cached(given, names, recipe, cache, lambda what, share: progress(what, 0.9 * share))
    return found if earlier is None else tuned.mean(earlier, found)


def _judged(learned: _Learned, given: Parts, names: Names, plan: Plan) -> _Judged:
    """Temperatures, bands and scope from validation texts, by the very int8 encoder that would serve."""
    if names.several:
        weights, bias = views.together(learned.early, learned.late, 1.0)
        made, found = several.judged(learned.encoder, weights, bias, given, names, plan.precision)
        return _Judged(made, found)
    inside, outside = (_encoded(learned.encoder, part) for part in (given.valid, given.outside_valid))
    wanted, owner = names.numbers(given.valid), np.array(names.owner)
    made, ratio = views.joined(learned.early, learned.late, inside, outside, wanted, names)
    told, strange = made.enough(views.seen(inside)), made.enough(views.seen(outside))
    shares = made.probabilities(made.logits(inside, told))
    made = dataclasses.replace(
        made,
        bands=calibration.bands(shares, owner[wanted], names.categories, plan.precision),
        scope_at=calibration.scope(made.belonging(inside), made.belonging(outside)),
    )
    table = metrics.confusion(shares.argmax(axis=1), owner[wanted], len(names.categories))
    belonging = made.belonging(inside, told), made.belonging(outside, strange)
    return _Judged(made, measured(shares, owner[wanted], *belonging), table, ratio)


def _encoded(encoder: Encoder, examples: Sequence[Example]) -> Matrix:
    return encoder.encode([clean(example.text) for example in examples])


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
    settings: dict[str, float | int | str] = (
        dataclasses.asdict(plan.recipe)
        if plan.mode == "full"
        else {"l2": L2 if plan.mode == "head" else head.L2}
    )
    if given.unlabelled:
        settings["unlabelled"] = len(given.unlabelled)
    if plan.refit and plan.mode != "few-shot":
        settings["refit"] = len(given.valid)
        settings["refit_texts"] = data.fingerprint([*given.valid, *given.outside_valid])
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
