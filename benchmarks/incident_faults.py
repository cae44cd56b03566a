"""The faults of a simulated month: what causes them, which lever mends them, how long people take by hand."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from typing import Literal, NamedTuple

Lever = Literal["rollback", "scale", "restart"]
LEVERS: tuple[Lever, ...] = ("rollback", "scale", "restart")
"""In the order in which they are tried: by how many faults each mends."""
HOLD_SECONDS, GROUP_WAIT = 30.0, 10.0
NEVER = 12 * 3600.0
_APART = 2 * 3600.0
"""The next fault comes when this one is over."""
_LOOK_MINUTES, _LOOK_SIGMA = {"day": 2.0, "night": 6.0}, 0.6
_HAND_SIGMA, _SECOND_MINUTES, _SECOND_SIGMA = 0.5, 1.0, 0.5
DETECT_MEAN = 7.5 + 8 + 7.5 + HOLD_SECONDS + GROUP_WAIT + 0.1
QUICK_MINUTES, DEEP_MINUTES = 8.0, 35.0
"""Medians by hand, of what a lever mends and of what none does; `pace` of a scenario shortens both."""
INNOCENT = 1 - math.exp(-2 / 24)
"""Two rollouts a day and service: how often one lies within the last hour and is not to blame."""


class Cause(NamedTuple):
    name: str
    share: float
    lever: Lever | None
    passing: bool = False
    """It passes by itself in 3 to 10 minutes."""
    is_change: bool = False
    """Something was rolled out before, whether a rollback mends it or not."""


class Scenario(NamedTuple):
    name: str
    causes: tuple[Cause, ...]
    faults: int
    """In 30 days."""
    services: tuple[str, ...]
    levers: tuple[Lever, ...]
    pace: float = 1.0
    is_drawn: bool = False
    """Whether times and causes are drawn one by one; otherwise it is a typical month."""


class Fault(NamedTuple):
    """Seconds: `at` since the start of the month, all others how long something takes."""

    at: float
    cause: Cause
    service: str
    detect: float
    look: float
    """From the message until somebody looks."""
    by_hand: float
    """From looking until it is mended without a lever."""
    second: float
    """Until the second person agrees."""
    passes: float
    is_deployed: bool
    """Whether something was rolled out within the last hour, to blame or not."""


# What the source document says of a month fits together in one way only: 6.5 h at 8.7 min each are 45 faults,
# which took 10 h or 13.4 min each before, and 6.5 h are 0.3 % of the hours of three services.
DOCUMENT_FAULTS = 45
DOCUMENT_HOURS = 10.0
_THREE = ("checkout", "search", "payments")
_REVERSED = 0.8
"""Of bad changes, those that a rollback mends; an assumption, the others have changed data, say."""


def _paced(name: str, causes: tuple[Cause, ...]) -> Scenario:
    """With people as quick as the document's: the mean by hand is what its own figures give."""
    hand = DOCUMENT_HOURS * 60 / DOCUMENT_FAULTS - DETECT_MEAN / 60 - _look_mean()
    unpaced = sum(c.share * (DEEP_MINUTES if c.lever is None else QUICK_MINUTES) for c in causes)
    return Scenario(
        name, causes, DOCUMENT_FAULTS, _THREE, LEVERS, pace=hand / (unpaced * _mean_of(_HAND_SIGMA))
    )


def _look_mean() -> float:
    return _mean_of(_LOOK_SIGMA) * sum(_LOOK_MINUTES.values()) / len(_LOOK_MINUTES)


def _mean_of(sigma: float) -> float:
    """A log-normal's mean, with a median of one."""
    return math.exp(sigma**2 / 2)


GOOGLE = _paced(
    "causes as at Google",
    (
        Cause("bad change, undone by a rollback", 0.68 * _REVERSED, "rollback", is_change=True),
        Cause("bad change, not undone by one", 0.68 * (1 - _REVERSED), None, is_change=True),
        Cause("load (users, capacity)", 0.14, "scale"),
        Cause("decay", 0.05, "restart"),
        Cause("pipeline, provider, hardware", 0.13, None),
    ),
)
MICROSOFT = _paced(
    "levers as used at Microsoft Teams",
    (
        Cause("mended by a rollback", 0.224, "rollback", is_change=True),
        Cause("mended by more or other machines", 0.211, "scale"),
        Cause("mended otherwise", 0.565, None),
    ),
)
RESTART_ONLY = Scenario(
    "one service, a restart only",
    (
        Cause("wedged", 0.65, "restart"),
        Cause("passing", 0.15, "restart", passing=True),
        Cause("deep", 0.20, None),
    ),
    33,
    ("checkout",),
    ("restart",),
    is_drawn=True,
)


def draw(scenario: Scenario, seed: int, days: float) -> list[Fault]:
    dice = random.Random(seed)  # noqa: S311  # a simulation
    return _one_by_one(dice, scenario, days) if scenario.is_drawn else _typical(dice, scenario, days)


def _one_by_one(dice: random.Random, scenario: Scenario, days: float) -> list[Fault]:
    shares = [cause.share for cause in scenario.causes]
    found, at = [], 0.0
    while (at := at + dice.expovariate(scenario.faults / 30 / 86400)) < days * 86400:
        cause = dice.choices(scenario.causes, shares)[0]
        detect = _detect(dice)
        levels = [dice.normalvariate(0, 1) for _ in range(3)]
        found.append(_fault(dice, scenario, at, cause, detect, levels))
        at += _APART
    return found


def _typical(dice: random.Random, scenario: Scenario, days: float) -> list[Fault]:
    """As many faults of each cause as its share says, and people's times spread evenly over their quantiles.

    So that one month shows what is expected, and not how the dice fell.
    """
    number = max(1, round(scenario.faults * days / 30))
    counts = _quotas([cause.share for cause in scenario.causes], number)
    made = [
        (cause, level)
        for cause, count in zip(scenario.causes, counts, strict=True)
        for level in _levels(dice, count)
    ]
    dice.shuffle(made)
    looks, seconds = _levels(dice, number), _levels(dice, number)
    others = [n for n, (cause, _) in enumerate(made) if not cause.is_change]
    innocent = set(dice.sample(others, round(INNOCENT * len(others))))
    part = days * 86400 / number
    return [
        _fault(
            dice,
            scenario,
            part * n + dice.uniform(0, part - _APART),
            cause,
            _detect(dice),
            (looks[n], level, seconds[n]),
            is_deployed=cause.is_change or n in innocent,
        )
        for n, (cause, level) in enumerate(made)
    ]


def _levels(dice: random.Random, number: int) -> list[float]:
    """Standard deviations from the median, one from each of so many equal parts of a normal distribution."""
    found = [statistics.NormalDist().inv_cdf((n + 0.5) / number) for n in range(number)]
    dice.shuffle(found)
    return found


def _detect(dice: random.Random) -> float:
    return dice.uniform(0, 15) + 8 + dice.uniform(0, 15) + HOLD_SECONDS + GROUP_WAIT + 0.1


def _quotas(shares: Sequence[float], number: int) -> list[int]:
    """Whole numbers in proportion, by largest remainders."""
    exact = [share * number for share in shares]
    counts = [math.floor(value) for value in exact]
    rest = sorted(range(len(shares)), key=lambda n: counts[n] - exact[n])
    for n in rest[: number - sum(counts)]:
        counts[n] += 1
    return counts


def _fault(
    dice: random.Random,
    scenario: Scenario,
    at: float,
    cause: Cause,
    detect: float,
    levels: Sequence[float],
    *,
    is_deployed: bool = False,
) -> Fault:
    """`levels`: how far looking, mending by hand and agreeing lie from their medians."""
    is_day = 8 <= (at / 3600) % 24 < 20
    hand = scenario.pace * (DEEP_MINUTES if cause.lever is None else QUICK_MINUTES)
    looking, mending, agreeing = levels
    return Fault(
        at,
        cause,
        scenario.services[0] if len(scenario.services) == 1 else dice.choice(scenario.services),
        detect=detect,
        look=_log_normal(_LOOK_MINUTES["day" if is_day else "night"], _LOOK_SIGMA, looking),
        by_hand=_log_normal(hand, _HAND_SIGMA, mending),
        second=_log_normal(_SECOND_MINUTES, _SECOND_SIGMA, agreeing),
        passes=dice.uniform(180, 600) if cause.passing else NEVER,
        is_deployed=is_deployed,
    )


def _log_normal(median_minutes: float, sigma: float, level: float) -> float:
    return 60 * median_minutes * math.exp(sigma * level)
