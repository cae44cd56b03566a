"""A thousand simulated weeks with drift: does the gate promote a worse model, and is a worse world found in time?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from benchmarks.report import Aim, Progress, Section
from ml.churn import retraining
from ml.churn.training import gate, metrics

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
WEEKS, ROWS, COLUMNS = 1_000, 2_000, 8
LATE = 14
"""Weeks until a week's outcomes are known: a window of 90 days and a week of embargo. One label cycle."""
MEMORY, JUDGED = 20, 3
"""Weeks that a challenger learns from, and weeks after them on which it is judged."""
BREAK_EVERY = 90
FRESH = 100_000
"""Customers that nobody will see, by whom it is known which model is better."""
START = datetime(2007, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """Log-odds are linear in the columns; the weights wander, and now and then some of them turn round."""

    rng: np.random.Generator
    weights: Floats
    base: float = -1.8

    def step(self, week: int) -> bool:
        self.weights = 0.999 * self.weights + 0.01 * self.rng.normal(size=COLUMNS)
        self.base = -1.8 + 0.25 * np.sin(2 * np.pi * week / 52)
        broken = week % BREAK_EVERY == BREAK_EVERY - 1
        if broken:
            turned = self.rng.permutation(COLUMNS)[: COLUMNS // 2]
            self.weights[turned] = -self.weights[turned]
        return broken

    def copy(self) -> World:
        return replace(self, weights=self.weights.copy())

    def drawn(self, rows: int) -> tuple[Floats, Labels]:
        x = self.rng.normal(size=(rows, COLUMNS))
        p = 1 / (1 + np.exp(-(x @ self.weights + self.base)))
        return x, (self.rng.random(rows) < p).astype(np.int64)


@dataclass
class Tally:
    trained: int = 0
    promoted: int = 0
    worse: int = 0
    outrun: int = 0
    bad_offered: int = 0
    bad_promoted: int = 0
    gains: list[float] = field(default_factory=list)
    drops: list[float] = field(default_factory=list)
    found_after: list[int] = field(default_factory=list)
    not_found: int = 0
    open: int = 0
    calm: int = 0
    calm_alarms: int = 0
    calm_drops: int = 0


def run(progress: Progress, *, quick: bool = False) -> Section:
    tally = _lived(120 if quick else WEEKS, progress)
    cycles = [weeks / LATE for weeks in tally.found_after]
    worst = max(cycles, default=0.0)
    return Section(
        "churn_weeks",
        "Churn: a thousand simulated weeks with drift",
        ("what", "figure"),
        [
            ("challengers trained, a tenth of them on spoilt labels", f"{tally.trained:,}"),
            ("promoted by the gate", f"{tally.promoted}"),
            ("promoted although worse on the weeks it was judged on", f"{tally.worse}"),
            ("promoted and worse by the week of the promotion", f"{tally.outrun}"),
            (
                "spoilt challengers, and how many of them were promoted",
                f"{tally.bad_offered}, {tally.bad_promoted}",
            ),
            ("log-loss gained by a promotion, median", f"{np.median(tally.gains or [0]):.4f}"),
            ("sudden changes that cost the champion 5 points of AUC or more", f"{len(tally.drops)}"),
            (
                "found by the monitor, and too late in the run to be found",
                f"{len(tally.found_after)}, {tally.open:d}",
            ),
            ("weeks until found, median and most", _spread(tally.found_after)),
            (
                "weeks without such a change in which calibration alarmed",
                f"{tally.calm_alarms} of {tally.calm}",
            ),
            (
                "weeks without such a change in which degradation alarmed",
                f"{tally.calm_drops} of {tally.calm}",
            ),
        ],
        (
            Aim("promoted though worse on the weeks judged", "0", f"{tally.worse}", not tally.worse),
            Aim("promoted and worse by the week of promotion", "0", f"{tally.outrun}", not tally.outrun),
            Aim("5-point drops not found", "0", f"{tally.not_found}", tally.not_found == 0),
            Aim("label cycles until a 5-point drop is found, most", "<= 2", f"{worst:.2f}", worst <= 2),
        ),
        notes=(
            (
                f"{ROWS:,} customers a week, {COLUMNS} columns, outcomes {LATE} weeks late (one label cycle). The "
                "gate and the monitor are the product's (`ml.churn.training.gate`, `ml.churn.retraining`); the "
                "models are logistic regressions, which are right for this world, so that it takes minutes."
            ),
            (
                f"Worse: a higher log-loss on {FRESH:,} fresh customers, once of the weeks that the challenger was "
                "judged on, once of the week of its promotion. Between the two lies the label cycle, in which the "
                "world goes on, its season too: no gate can know that."
            ),
        ),
    )


def _spread(weeks: list[int]) -> str:
    return f"{np.median(weeks):.0f}, {max(weeks)}" if weeks else "-"


def _lived(weeks: int, progress: Progress) -> Tally:
    rng = np.random.default_rng(11)
    world, tally = World(rng, rng.normal(size=COLUMNS)), Tally()
    past: list[tuple[Floats, Labels]] = []
    worlds: list[World] = []
    said: list[Floats] = []
    champion, promised, trained_at = np.zeros(COLUMNS + 1), 0.5, START
    broken_at: int | None = None
    for week in range(weeks):
        if week % 100 == 0:
            progress(f"week {week} of {weeks}")
        if world.step(week) and week > LATE + MEMORY + JUDGED:
            broken_at = _noted(world, champion, promised, tally, week)
        past.append(world.drawn(ROWS))
        worlds.append(world.copy())
        said.append(_said(champion, past[-1][0]))
        known = week - LATE
        if known < MEMORY + JUDGED:
            continue
        now = START + timedelta(weeks=week)
        found = retraining.reasons(
            retraining.Policy(), now=now, trained_at=trained_at, promised_auc=promised,
            probabilities=said[known], labels=past[known][1], drift={},
        )  # fmt: skip
        # Before a label cycle is over, an alarm can't be about the change.
        kinds = {reason.kind for reason in found}
        told = "degradation" in kinds
        tally.calm += broken_at is None
        tally.calm_alarms += broken_at is None and "calibration" in kinds
        tally.calm_drops += broken_at is None and told
        if broken_at is not None and told and known >= broken_at:
            tally.found_after.append(week - broken_at)
            broken_at = None
        if broken_at is not None and week - broken_at > 2 * LATE:
            tally.not_found += 1
            broken_at = None
        if not any(reason.retrains for reason in found):
            continue
        spoilt = rng.random() < 0.1
        challenger = _challenger(past[known - JUDGED - MEMORY : known - JUDGED], rng, spoilt=spoilt)
        tally.trained += 1
        tally.bad_offered += spoilt
        x, y = (np.concatenate([part[at] for part in past[known - JUDGED : known]]) for at in range(2))
        if not gate.judge(_said(challenger, x), _said(champion, x), y).passed:
            continue
        tally.promoted += 1
        tally.bad_promoted += spoilt
        tally.gains.append(
            np.mean([_gain(each, challenger, champion) for each in worlds[known - JUDGED : known]])
        )
        tally.worse += tally.gains[-1] < 0
        tally.outrun += _gain(world, challenger, champion) < 0
        champion, trained_at = challenger, now
        promised = metrics.auc(_said(champion, x), y)
    tally.open = broken_at is not None
    return tally


def _noted(world: World, champion: Floats, promised: float, tally: Tally, week: int) -> int | None:
    """The week, when the change costs the champion five points of the AUC that it was promoted with."""
    x, y = world.drawn(FRESH)
    drop = promised - metrics.auc(_said(champion, x), y)
    if drop < 0.05:
        return None
    tally.drops.append(drop)
    return week


def _said(weights: Floats, x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(x @ weights[:-1] + weights[-1]))), dtype=np.float64)


def _challenger(parts: list[tuple[Floats, Labels]], rng: np.random.Generator, *, spoilt: bool) -> Floats:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    x, y = (np.concatenate([part[at] for part in parts]) for at in range(2))
    if spoilt:
        turned = rng.random(len(y)) < 0.3
        y = np.where(turned, 1 - y, y)
    fitted = LogisticRegression(C=1.0, max_iter=200).fit(x, y)
    return np.append(fitted.coef_[0], fitted.intercept_[0])


def _gain(world: World, challenger: Floats, champion: Floats) -> float:
    x, y = world.drawn(FRESH)
    return metrics.log_loss(_said(champion, x), y) - metrics.log_loss(_said(challenger, x), y)
