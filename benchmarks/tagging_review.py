"""A month of review, simulated: what the tagger learns from people, week by week, and what it costs them.

Tickets, decisions and choice of questions go through the product's own code; only the people are played. They
know the right category, answer half of the suggestions, notice seven of ten wrong tags, and answer the questions
of the day. The test texts are used for nothing but the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.report import Aim, Progress, Section
from benchmarks.tagging_accuracy import CACHE, SETS
from ml.tagging import metrics
from ml.tagging.clean import clean
from ml.tagging.encoder import Encoder
from ml.tagging.head import Head, train
from ml.tagging.tagger import decide
from ml.tagging.training import data
from ml.tagging.training.adapt import Reviewed, adapted, compared
from plugins.autotag import asking
from plugins.autotag.policy import Decision

Asks = Literal["active", "random", "never"]
WEEKS, DAYS, TICKETS = 4, 5, 60
ASKED = 5
ANSWERED, NOTICED = 0.5, 0.7
START = 8
PRECISION = 0.95
HEADER = ("week", "questions", "accuracy on the test texts (± sd of seeds)", "tagged unasked", "of them right",
          "tickets that took a person")  # fmt: skip


@dataclass(frozen=True)
class Texts:
    vectors: npt.NDArray[np.float32]
    wanted: npt.NDArray[np.int64]


@dataclass
class Week:
    accuracy: float = 0.0
    applied: int = 0
    right: int = 0
    people: int = 0


@dataclass
class Month:
    """One month in one team. `head` serves; `lessons` are (vector, category) as people said them."""

    prior: Head
    stream: Texts
    test: Texts
    asks: Asks
    draw: np.random.Generator
    head: Head = field(init=False)
    seen: int = 0
    lessons: list[tuple[npt.NDArray[np.float32], int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.head = self.prior

    def weeks(self) -> list[Week]:
        found = [replace(Week(), accuracy=self._accuracy())]
        for week in range(WEEKS):
            said = Week()
            for day in range(DAYS):
                start = (week * DAYS + day) * TICKETS
                self._day(np.arange(start, start + TICKETS), said)
            if self.asks != "never":
                self._learn()
            said.accuracy = self._accuracy()
            found.append(said)
        return found

    def _accuracy(self) -> float:
        shares = self.head.probabilities(self.head.logits(self.test.vectors))
        return float(metrics.right(shares, self.test.wanted).mean())

    def _day(self, rows: npt.NDArray[np.int64], said: Week) -> None:
        decisions = self._decided(rows)
        for row, decision in zip(rows, decisions, strict=True):
            right = decision.category == self.head.categories[self.stream.wanted[row]]
            if decision.band == "apply":
                said.applied, said.right = said.applied + 1, said.right + right
                if not right and self.draw.random() < NOTICED:
                    self._said(int(row), said)
                else:  # nobody objected: the plugin takes that as a word, too, right or wrong
                    self.lessons.append((self.stream.vectors[row], self._place(decision)))
            elif decision.band == "suggest" and self.draw.random() < ANSWERED:
                self._said(int(row), said)
        for ticket in self._questions(decisions, rows):
            self._said(ticket, said)

    def _decided(self, rows: npt.NDArray[np.int64]) -> list[Decision]:
        vectors = self.stream.vectors[rows]
        shares, outside = self.head.probabilities(self.head.logits(vectors)), self.head.outside(vectors)
        found = []
        for row, scores, stranger in zip(rows, shares.tolist(), outside.tolist(), strict=True):
            by_name = dict(zip(self.head.categories, scores, strict=True))
            tagging = decide(by_name, self.head, stranger)
            found.append(
                Decision(
                    ticket=str(row), band=tagging.band, reason=tagging.reason, text_hash="",
                    category=tagging.category, confidence=tagging.confidence, scores=tagging.scores,
                )
            )  # fmt: skip
        return found

    def _questions(self, decisions: Sequence[Decision], rows: npt.NDArray[np.int64]) -> list[int]:
        left = [decision for decision in decisions if decision.band == "leave"]
        if self.asks == "active":
            known = {str(row): self.stream.vectors[row] for row in rows}
            return [int(decision.ticket) for decision in asking.chosen(left, known, ASKED)]
        if self.asks == "random" and left:
            chosen = self.draw.choice(len(left), min(ASKED, len(left)), replace=False)
            return [int(left[place].ticket) for place in chosen]
        return []

    def _said(self, row: int, said: Week) -> None:
        said.people += 1
        self.lessons.append((self.stream.vectors[row], int(self.stream.wanted[row])))

    def _place(self, decision: Decision) -> int:
        return self.head.categories.index(str(decision.category))

    def _learn(self) -> None:
        """As the plugin does: all reviews, the first model as the prior, and only what is not worse serves."""
        vectors = np.stack([vector for vector, _ in self.lessons])
        reviewed = Reviewed(vectors, np.array([category for _, category in self.lessons], np.int64))
        if compared(self.head, self.prior, reviewed, self.seen, PRECISION).gain > 0:
            self.head, self.seen = adapted(self.prior, reviewed, PRECISION), len(reviewed)


def run(progress: Progress, *, quick: bool = False) -> Section:
    texts = data.read(SETS / "clinc150" / "train.jsonl.gz")
    test = data.read(SETS / "clinc150" / "test.jsonl.gz")
    categories = sorted({example.category for example in texts})
    CACHE.mkdir(parents=True, exist_ok=True)
    encoder = Encoder.load(CACHE, threads=2)
    progress("encoding")
    pool, judged = (_encoded(encoder, rows, categories) for rows in (texts, test))
    seeds = range(2 if quick else 10)
    arms: tuple[Asks, ...] = ("never", "random", "active")
    found: dict[Asks, list[list[Week]]] = {arm: [] for arm in arms}
    for seed in seeds:
        for arm in arms:
            progress(f"team {seed + 1} of {len(seeds)}, questions: {arm}")
            found[arm].append(_month(pool, judged, categories, arm, seed))
    rows = [
        _row(week, arm, [months[week] for months in found[arm]]) for arm in arms for week in range(WEEKS + 1)
    ]
    gains = _last(found["active"]) - _last(found["random"])
    learned = _last(found["active"]) - _last(found["never"])
    return Section(
        "tagging_review",
        "Tagging: a simulated month of review",
        HEADER,
        rows,
        (
            Aim("accuracy after a month, chosen questions", "", f"{_last(found['active']).mean():.4f}"),
            Aim("… more than without learning", "> 0 (95 % interval)", _interval(learned), _low(learned) > 0),
            Aim("… more than with random questions", "", _interval(gains)),
        ),
        (
            (
                f"CLINC150's ten domains. The model starts from {START} examples a category; {TICKETS} tickets come "
                f"on each of {DAYS} days a week. People answer {ANSWERED:.0%} of the suggestions, notice "
                f"{NOTICED:.0%} of the wrong tags, and answer {ASKED} questions a day about tickets that were left; "
                "the model learns at the end of each week, from what people said and from tags that nobody objected to, "
                "three of ten wrong ones among them. Week 0 is the start."
            ),
            (
                f"{len(seeds)} seeds draw start, tickets and answers anew; intervals are of the mean of paired "
                "differences over seeds. Beside `never`, nothing is learned and no question is asked."
            ),
        ),
    )  # fmt: skip


def _encoded(encoder: Encoder, rows: Sequence[data.Example], categories: Sequence[str]) -> Texts:
    wanted = np.array([categories.index(example.category) for example in rows], np.int64)
    return Texts(encoder.encode([clean(example.text) for example in rows]), wanted)


def _month(pool: Texts, judged: Texts, categories: Sequence[str], arm: Asks, seed: int) -> list[Week]:
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(pool.wanted))
    start = np.concatenate([order[pool.wanted[order] == place][:START] for place in range(len(categories))])
    stream = np.setdiff1d(order, start, assume_unique=True)
    stream = draw.permutation(stream)[: WEEKS * DAYS * TICKETS]
    prior = train(
        pool.vectors[start], [categories[place] for place in pool.wanted[start]], precision=PRECISION
    )
    return Month(prior, Texts(pool.vectors[stream], pool.wanted[stream]), judged, arm, draw).weeks()


def _row(week: int, arm: Asks, found: Sequence[Week]) -> tuple[str, ...]:
    accuracy = np.array([one.accuracy for one in found])
    said = f"{accuracy.mean():.4f} ± {accuracy.std():.4f}"
    if week == 0:
        return (str(week), arm, said, "-", "-", "-")
    applied, right = sum(one.applied for one in found), sum(one.right for one in found)
    came = len(found) * DAYS * TICKETS
    share = f"{right / applied:.1%}" if applied else "-"
    return (
        str(week),
        arm,
        said,
        f"{applied / came:.1%}",
        share,
        f"{sum(one.people for one in found) / came:.1%}",
    )


def _last(months: Sequence[Sequence[Week]]) -> npt.NDArray[np.float64]:
    return np.array([weeks[-1].accuracy for weeks in months])


def _margin(gains: npt.NDArray[np.float64]) -> float:
    return float(1.96 * gains.std(ddof=1) / np.sqrt(len(gains)))


def _low(gains: npt.NDArray[np.float64]) -> float:
    return float(gains.mean()) - _margin(gains)


def _interval(gains: npt.NDArray[np.float64]) -> str:
    return f"{gains.mean():+.4f} ({_low(gains):+.4f} to {gains.mean() + _margin(gains):+.4f})"
