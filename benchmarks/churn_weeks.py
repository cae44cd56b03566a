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
MEMORY, JUDGED = 20, 6
"""Weeks that a challenger learns from, and weeks after them on which it is judged."""
BREAK_EVERY = 90
SEED = 31
"""A world that nothing was chosen on: the gate's margin is from others."""
FRESH = 100_000
"""Customers that nobody will see, by whom it is known which model is better."""
START = datetime(2007, 1, 1, tzinfo=UTC)
DROP = retraining.Policy().drop
BORNE = 1 + retraining.Policy().tolerance
DROP_TO_FIND = 0.05
ALARMS = 0.01
"""Of the calm weeks, at most."""


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
    level: int = 0
    level_alarms: int = 0
    calm: int = 0
    calm_drops: int = 0
    fallen: int = 0
    fallen_drops: int = 0
    outrun_by_break: int = 0
    rolled_back: int = 0
    served: list[float] = field(default_factory=list)
    ungated: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Model:
    """A champion: its weights and the AUC that it was promoted with, with that figure's standard error."""

    weights: Floats
    promised: float = 0.5
    error: float = 0.0


def run(progress: Progress, *, quick: bool = False) -> Section:
    tally = _lived(120 if quick else WEEKS, progress)
    cycles = [weeks / LATE for weeks in tally.found_after]
    worst = max(cycles, default=0.0)
    steady = tally.outrun - tally.outrun_by_break
    false = tally.calm_drops / max(1, tally.calm)
    return Section(
        "churn_weeks",
        "Churn: a thousand simulated weeks with drift",
        ("what", "figure"),
        [
            ("challengers trained, a tenth of them on spoilt labels", f"{tally.trained:,}"),
            ("promoted by the gate", f"{tally.promoted}"),
            ("promoted although worse on the weeks it was judged on", f"{tally.worse}"),
            (
                "promoted and worse by the week of the promotion, and those with a sudden change in between",
                f"{tally.outrun}, {tally.outrun_by_break}",
            ),
            ("rolled back, as the model before would have said it better", f"{tally.rolled_back}"),
            (
                "log-loss served, and if every challenger had been promoted",
                f"{np.mean(tally.served):.4f}, {np.mean(tally.ungated):.4f}",
            ),
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
                "weeks in which the expected number of leavers was right within a quarter, alarms of calibration",
                f"{tally.level}, {tally.level_alarms}",
            ),
            (
                f"weeks in which the champion's AUC had not fallen by {DROP}, alarms of degradation",
                f"{tally.calm}, {tally.calm_drops}",
            ),
            (
                "weeks in which it had fallen by 5 points and more, alarms of degradation",
                f"{tally.fallen}, {tally.fallen_drops}",
            ),
        ],
        (
            Aim("promoted though worse on the weeks judged", "0", f"{tally.worse}", not tally.worse),
            Aim("promoted and worse by the week of promotion", "0", f"{steady}", not steady),
            Aim(
                "the same, after a sudden change that no outcome showed yet", "-", f"{tally.outrun_by_break}"
            ),
            Aim("5-point drops not found", "0", f"{tally.not_found}", tally.not_found == 0),
            Aim("label cycles until a 5-point drop is found, most", "<= 2", f"{worst:.2f}", worst <= 2),
            Aim(
                "false alarms of degradation, share of calm weeks", "<= 0.01", f"{false:.4f}", false <= ALARMS
            ),
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
                "world goes on: a sudden change in it is one that no gate can know."
            ),
            (
                f"A false alarm: the AUC that {FRESH:,} fresh customers of that week show is within {DROP} of what was "
                "promised, and degradation is said all the same. After a sudden change the champion stays bad until "
                "enough outcomes of the new world are known to learn from; alarms of those weeks are right ones."
            ),
        ),
    )


def _spread(weeks: list[int]) -> str:
    return f"{np.median(weeks):.0f}, {max(weeks)}" if weeks else "-"


def _lived(weeks: int, progress: Progress) -> Tally:
    rng = np.random.default_rng(SEED)
    life = Life(rng, World(rng, rng.normal(size=COLUMNS)))
    for week in range(weeks):
        if week % 100 == 0:
            progress(f"week {week} of {weeks}")
        life.live(week)
    life.tally.open = life.broken_at is not None
    return life.tally


@dataclass
class Life:
    """The weeks one after the other, with what was drawn and what the champion of each said of it."""

    rng: np.random.Generator
    world: World
    tally: Tally = field(default_factory=Tally)
    past: list[tuple[Floats, Labels]] = field(default_factory=list)
    worlds: list[World] = field(default_factory=list)
    said: list[Floats] = field(default_factory=list)
    served_by: list[Model] = field(default_factory=list)
    champion: Model = field(default_factory=lambda: Model(np.zeros(COLUMNS + 1)))
    before: Model | None = None
    newest: Floats = field(default_factory=lambda: np.zeros(COLUMNS + 1))
    trained_at: datetime = START
    broken_at: int | None = None
    last_break: int = -WEEKS

    def live(self, week: int) -> None:
        if self.world.step(week):
            self.last_break = week
            if week > LATE + MEMORY + JUDGED:
                self.broken_at = _noted(self.world, self.champion, self.tally, week)
        self.past.append(self.world.drawn(ROWS))
        self.worlds.append(self.world.copy())
        self.said.append(_said(self.champion.weights, self.past[-1][0]))
        self.served_by.append(self.champion)
        known = week - LATE
        if known < MEMORY + JUDGED:
            return
        x, y = self.past[-1]
        self.tally.served.append(metrics.log_loss(self.said[-1], y))
        self.tally.ungated.append(metrics.log_loss(_said(self.newest, x), y))
        retrains = self._watch(week, known)
        self._look_back(known)
        if retrains:
            self._train(week, known)

    def _watch(self, week: int, known: int) -> bool:
        """Whether the product's monitor says to train."""
        found = retraining.reasons(
            retraining.Policy(), now=START + timedelta(weeks=week), trained_at=self.trained_at,
            promised_auc=self.champion.promised, promised_error=self.champion.error,
            probabilities=self.said[known], labels=self.past[known][1], drift={},
        )  # fmt: skip
        kinds = {reason.kind for reason in found}
        weights = self.served_by[known].weights
        _judge_alarms(self.tally, self.worlds[known], weights, self.champion.promised, kinds)
        # Before a label cycle is over, an alarm can't be about the change.
        if self.broken_at is not None and "degradation" in kinds and known >= self.broken_at:
            self.tally.found_after.append(week - self.broken_at)
            self.broken_at = None
        if self.broken_at is not None and week - self.broken_at > 2 * LATE:
            self.tally.not_found += 1
            self.broken_at = None
        return any(reason.retrains for reason in found)

    def _look_back(self, known: int) -> None:
        """Go back to the model before when outcomes after the promotion say that it was the better one."""
        if self.before is None or self.served_by[known] is not self.champion:
            return
        x, y = self.past[known]
        if gate.chance_outdone(_said(self.before.weights, x), self.said[known], y) >= gate.SURE:
            self.champion, self.before = self.before, self.champion
            self.tally.rolled_back += 1

    def _train(self, week: int, known: int) -> None:
        spoilt = bool(self.rng.random() < 0.1)
        used = self.past[known - JUDGED - MEMORY : known - JUDGED]
        self.newest = _challenger(used, self.rng, spoilt=spoilt)
        self.tally.trained += 1
        self.tally.bad_offered += spoilt
        judged = self.past[known - JUDGED : known]
        x, y = (np.concatenate([part[at] for part in judged]) for at in range(2))
        serving = self.champion.weights
        if not gate.judge(_said(self.newest, x), _said(serving, x), y).passed:
            return
        gained = [_gain(each, self.newest, serving) for each in self.worlds[known - JUDGED : known]]
        outrun = _gain(self.world, self.newest, serving) < 0
        self.tally.promoted += 1
        self.tally.bad_promoted += spoilt
        self.tally.gains.append(float(np.mean(gained)))
        self.tally.worse += self.tally.gains[-1] < 0
        self.tally.outrun += outrun
        self.tally.outrun_by_break += outrun and self.last_break >= known - JUDGED
        self.before = self.champion
        self.champion = Model(self.newest, *retraining.auc_with_error(_said(self.newest, x), y))
        self.trained_at = START + timedelta(weeks=week)


def _judge_alarms(tally: Tally, world: World, weights: Floats, promised: float, kinds: set[str]) -> None:
    """Whether what the monitor said is true of the customers that nobody saw."""
    x, y = world.drawn(FRESH)
    said = _said(weights, x)
    fallen = promised - metrics.auc(said, y)
    if fallen <= DROP:
        tally.calm += 1
        tally.calm_drops += "degradation" in kinds
    if fallen >= DROP_TO_FIND:
        tally.fallen += 1
        tally.fallen_drops += "degradation" in kinds
    if 1 / BORNE <= y.sum() / said.sum() <= BORNE:
        tally.level += 1
        tally.level_alarms += "calibration" in kinds


def _noted(world: World, champion: Model, tally: Tally, week: int) -> int | None:
    """The week, when the change costs the champion five points of the AUC that it was promoted with."""
    x, y = world.drawn(FRESH)
    drop = champion.promised - metrics.auc(_said(champion.weights, x), y)
    if drop < DROP_TO_FIND:
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
