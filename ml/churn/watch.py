"""How the champion does by now: old scores against what came of them, today's features against training's.

FOLDER/watch.json holds the newest look. Outcomes arrive late: judged is the newest run whose whole window has
passed. Drift alone is told and trains nothing. After a promotion the model before goes on being compared, on
outcomes that were not known then.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn import champion, registry, retraining, runs
from ml.churn.errors import ModelTamperedError, ModelUnavailableError
from ml.churn.features import local
from ml.churn.features.specification import FEATURES, Aggregate, Ratio
from ml.churn.model.artifact import Facts
from ml.churn.model.ensemble import Ensemble
from ml.churn.quality import psi
from ml.churn.retraining import Policy
from ml.churn.runs import Run
from ml.churn.seen import SEEN, Finding, Look
from ml.churn.store import Loaded
from ml.churn.training import gate

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def look(data: Loaded, folder: Path, now: datetime | None = None, policy: Policy | None = None) -> Look:
    """Judge the champion and keep what was found.

    Raises:
        ModelUnavailableError, ModelTamperedError: there is no champion to judge.
    """
    model = champion.load(folder)
    facts = model.ensemble.manifest.facts
    judged = matured(folder, data.as_of, facts)
    said, labels = _outcomes(judged, data, facts) if judged else (np.empty(0), np.empty(0, np.int64))
    found = retraining.reasons(
        policy or Policy(),
        now=now or datetime.now(UTC),
        trained_at=datetime.fromisoformat(facts.created),
        promised_auc=facts.metrics.get("auc", 0.0),
        promised_error=_error(facts),
        probabilities=said,
        labels=labels,
        drift=_drift(data, facts),
    )
    digest = model.ensemble.digest
    if judged is not None and judged.model_digest == digest:
        found += _outdone(folder, judged, data, facts)
    findings = tuple(Finding(kind=one.kind, words=one.words, retrains=one.retrains) for one in found)
    seen = Look(as_of=data.as_of, model=digest, outcomes=len(labels), findings=findings)
    _keep(folder, seen)
    return seen


def _error(facts: Facts) -> float:
    """The standard error of the AUC that was promised."""
    low, high = facts.intervals.get("auc", (0.0, 0.0))
    return (high - low) / (2 * 1.96)


def matured(folder: Path, as_of: date, facts: Facts) -> Run | None:
    """The newest run whose customers' windows are over."""
    over = as_of - timedelta(days=facts.horizon_days + facts.embargo_days)
    run = runs.latest(folder)
    while run is not None and run.as_of > over:
        run = runs.previous(folder, run)
    return run


def _outcomes(run: Run, data: Loaded, facts: Facts) -> tuple[Floats, Labels]:
    """What was said [rows], and who left [rows]."""
    told = local.labels(data.frames, run.as_of, embargo=facts.embargo_days, horizon=facts.horizon_days)
    left = dict(zip(told["customer_id"].to_list(), told["churned"].to_list(), strict=True))
    pairs = [(s.probability, left[s.customer_id]) for s in run.scores() if s.customer_id in left]
    return np.array([p for p, _ in pairs], np.float64), np.array([y for _, y in pairs], np.int64)


def _outdone(folder: Path, run: Run, data: Loaded, facts: Facts) -> list[retraining.Reason]:
    """Whether the model before would surely have said it better, of what was known on the run's day."""
    place = registry.before(folder)
    if place is None:
        return []
    try:
        model = Ensemble.load(place)
        known = local.features(data.frames, run.as_of)
        columns = known.to_dict(as_series=False)
        says = model.probabilities(model.manifest.columns.matrix(columns))
    except (ModelTamperedError, ModelUnavailableError, ValueError):
        return []  # it could not serve again, either
    theirs = dict(zip(columns["customer_id"], says, strict=True))
    told = local.labels(data.frames, run.as_of, embargo=facts.embargo_days, horizon=facts.horizon_days)
    left = dict(zip(told["customer_id"].to_list(), told["churned"].to_list(), strict=True))
    rows = [(theirs[s.customer_id], s.probability, left[s.customer_id]) for s in run.scores()
            if s.customer_id in theirs and s.customer_id in left]  # fmt: skip
    one, other, labels = (np.array([row[at] for row in rows]) for at in range(3))
    chance = gate.chance_outdone(one, other, labels.astype(np.int64)) if rows else 0.0
    if chance < gate.SURE:
        return []
    words = f"{place.name} would have said it better with a chance of {chance:.1%}, on {len(rows)} outcomes."
    return [retraining.Reason("outdone", words, retrains=False)]


def _drift(data: Loaded, facts: Facts) -> Mapping[str, float]:
    """The stability index of each feature: the newest cut that was learned from against today."""
    then = local.features(data.frames, _same_weekday(date.fromisoformat(facts.cuts[-1]), data.as_of))
    today = local.features(data.frames, data.as_of)
    if not len(then) or not len(today):
        return {}
    watched = [f.name for f in FEATURES if f.name in then.columns and not _grows_by_itself(f)]
    found = {name: _index(then[name], today[name]) for name in watched}
    return {name: value for name, value in found.items() if value is not None}


def _grows_by_itself(feature: Aggregate | Ratio) -> bool:
    """Everybody is a customer for longer as time goes by: that is no shift."""
    return isinstance(feature, Aggregate) and (feature.table, feature.operation) == (
        "customers",
        "days_since",
    )


def _same_weekday(cut: date, as_of: date) -> date:
    """The day like today that is nearest before the cut: windows hold as many weekends and weekly rows."""
    return cut - timedelta(days=(cut - as_of).days % 7)


def _index(then: Any, today: Any) -> float | None:
    expected, found = then.drop_nulls().drop_nans().to_numpy(), today.drop_nulls().drop_nans().to_numpy()
    return psi(expected, found) if len(expected) and len(found) else None


def _keep(folder: Path, seen: Look) -> None:
    """Readers see the old look or the new one."""
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
        file.write(seen.model_dump_json(indent=1) + "\n")
    Path(file.name).replace(folder / SEEN)
