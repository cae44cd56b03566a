"""A training from tables to a sealed model: audit, time-honest evaluation, fit, threshold, model card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.churn.errors import LeakError
from ml.churn.model import artifact
from ml.churn.model.artifact import CARD, Costs, Facts, Manifest
from ml.churn.training import audit, metrics, profit
from ml.churn.training.card import page
from ml.churn.training.dataset import Dataset
from ml.churn.training.fit import Fitted, Progress, fit
from ml.churn.training.recipe import Recipe

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """What the recipe, fitted on the past alone, said of the newest cut."""

    test: Dataset
    probabilities: Floats
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Trained:
    folder: Path
    manifest: Manifest
    evaluation: Evaluation


def evaluate(data: Dataset, recipe: Recipe, say: Progress = lambda *_: None) -> tuple[Evaluation, Fitted]:
    """Fit on the past and judge on the newest cut, which no fold has seen."""
    past, test = data.split()
    fitted = fit(past.matrix, past.labels, past.groups, recipe, say)
    said = fitted.probabilities(test.matrix)
    found = metrics.scores(said, test.labels)
    return Evaluation(test, said, found, metrics.intervals(said, test.labels)), fitted


def train(
    data: Dataset,
    out: Path,
    *,
    name: str,
    sha256: str,
    costs: Costs,
    recipe: Recipe | None = None,
    code_version: str = "",
    say: Progress = lambda *_: None,
) -> Trained:
    """Args:
    out: an empty folder for the model.
    sha256: of the raw data.

    Raises:
        LeakError: the auditor found something that makes every figure worthless.
    """
    recipe = recipe or Recipe()
    _stop_at(audit.audit(data, seed=recipe.seed))
    found, _ = evaluate(data, recipe, _share(say, "evaluating: ", 0.0, 0.5))
    _stop_at(audit.canary(found.scores["auc"]))
    fitted = fit(data.matrix, data.labels, data.groups, recipe, _share(say, "fitting: ", 0.5, 0.45))
    values = (data.values if data.values is not None else np.ones(len(data.labels))) * costs.months
    at, per_customer = profit.threshold(fitted.held_out, data.labels, values, costs)
    facts = _facts(data, found, name, sha256, recipe, code_version, per_customer)
    fitted.members.save(out)
    (out / CARD).write_text(page(facts, costs, at), encoding="utf-8")
    manifest = Manifest(
        facts=facts,
        columns=data.columns,
        medians=fitted.members.medians,
        stack=fitted.stack,
        threshold=at,
        costs=costs,
        files={},
    )
    say("sealed", 1.0)
    return Trained(out, artifact.seal(out, manifest), found)


def _stop_at(findings: list[audit.Finding]) -> None:
    blocking = [f"{finding.check}: {finding.words}" for finding in findings if finding.blocks]
    if blocking:
        raise LeakError("The leak auditor stopped the training. " + " ".join(blocking))


def _share(say: Callable[[str, float], None], before: str, start: float, share: float) -> Progress:
    return lambda what, done: say(before + what, start + share * done)


def _facts(
    data: Dataset,
    found: Evaluation,
    name: str,
    sha256: str,
    recipe: Recipe,
    code_version: str,
    profit_each: float,
) -> Facts:
    settings: dict[str, float | int | str] = {
        key: value if isinstance(value, int | float | str) else str(value)
        for key, value in asdict(recipe).items()
    }
    return Facts(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data_sha256=hashlib.sha256(f"{sha256}{data.cuts}".encode()).hexdigest(),
        code_version=code_version,
        seed=recipe.seed,
        examples=len(data.labels),
        base_rate=float(data.labels.mean()),
        cuts=tuple(f"{cut}" for cut in data.cuts),
        horizon_days=data.horizon_days,
        embargo_days=data.embargo_days,
        metrics={**found.scores, "profit_per_customer": profit_each},
        intervals=found.intervals,
        settings=settings,
    )
