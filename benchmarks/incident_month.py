"""A simulated month of faults on one service: by hand, with one click, and by itself. Same faults, same people.

The engine is the real one (inbox, guardrails, verification, records) on a clock that is moved; faults, people
and the service are drawn. What is assumed about them stands in the section's notes.
"""

from __future__ import annotations

import logging
import random
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import structlog

from benchmarks.report import Aim, Progress, Section
from bot.core.memory import Documents, Records
from bot.plugin import Alert, AlertGroup, Rule
from bot.testing import Kit
from plugins.alert_relay import AlertRelay
from plugins.alert_relay.stats import gather
from plugins.alert_relay.stats.figures import Figures

Kind = Literal["wedged", "passing", "deep"]
Arm = Literal["by hand", "one click", "by itself"]
ARMS: tuple[Arm, ...] = ("by hand", "one click", "by itself")
SEED, DAYS, FAULTS_A_DAY = 20261123, 30, 1.1
START = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = "errors"
LABELS = {"alertname": "HighErrorRate", "service": "checkout", "severity": "critical"}
TICK = 10.0
RESTART_SECONDS, RECOVERY_SECONDS, PRESS_SECONDS = 20.0, 25.0, 30.0
HOLD_SECONDS, GROUP_WAIT = 30.0, 10.0
_LONGEST = 12 * 3600.0
SHARES: tuple[tuple[Kind, float], ...] = (("wedged", 0.65), ("passing", 0.15), ("deep", 0.20))
MITIGATION: dict[str, Any] = {
    "name": "restart",
    "title": "Restart checkout",
    "match": {"alertname": "HighErrorRate"},
    "executor": "fake",
    "parameters": {"target": "{{ labels.service }}"},
    "approvals": 1,
    "verify": {"query": QUERY, "threshold": 0.05, "settle": 20, "window": 120, "hold": 30, "step": 10},
}


class Fault(NamedTuple):
    """Seconds: `at` since the start of the month, all others how long something takes."""

    at: float
    kind: Kind
    detect: float
    look: float
    """From the message until somebody looks."""
    by_hand: float
    """From looking until it is mended without a lever."""
    second: float
    """Until the second person agrees."""
    passes: float


class Course(NamedTuple):
    """What became of a fault, in seconds after it began."""

    kind: Kind
    told: float
    healed: float


class Month(NamedTuple):
    courses: list[Course]
    figures: Figures
    runs: int


def run(progress: Progress, *, quick: bool = False) -> Section:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    faults = draw(SEED, 5 if quick else DAYS)
    months = {arm: _month(arm, faults, progress) for arm in ARMS}
    days = 5 if quick else DAYS
    hand, click, auto = (_downtime(months[arm]) for arm in ARMS)
    best = months["by itself"]
    found = statistics.mean(c.told for c in best.courses) / 60
    healed = {arm: statistics.mean(c.healed for c in month.courses) / 60 for arm, month in months.items()}
    up = {arm: 100 * (1 - _downtime(month) / (days * 24)) for arm, month in months.items()}
    return Section(
        "incident_month",
        "A simulated month of faults, with and without mitigation",
        ("", *ARMS),
        _rows(months, healed, up),
        (
            Aim("mean time to detect", "< 2.3 min", f"{found:.2f} min", found < 2.3),
            *(
                Aim(f"mean time to resolve, {arm}", "< 8.7 min", f"{healed[arm]:.1f} min", healed[arm] < 8.7)
                for arm in ARMS[1:]
            ),
            Aim(
                "less downtime, one click", "> 35 %", f"{100 * (1 - click / hand):.0f} %", click < 0.65 * hand
            ),
            Aim("less downtime, by itself", "> 35 %", f"{100 * (1 - auto / hand):.0f} %", auto < 0.65 * hand),
            *(
                Aim(f"availability, {arm}", "> 99.7 %", f"{up[arm]:.2f} %", up[arm] > 99.7)
                for arm in ARMS[1:]
            ),
        ),
        (*_notes(faults), _ceiling(months)),
    )


def _rows(months: dict[Arm, Month], healed: dict[Arm, float], up: dict[Arm, float]) -> list[Sequence[object]]:
    def row(what: str, values: Sequence[object]) -> tuple[object, ...]:
        return (what, *values)

    found = list(months.values())
    return [
        row("faults", [len(m.courses) for m in found]),
        row(
            "mean time to detect (fault to message)",
            [f"{_mean([c.told for c in m.courses])} min" for m in found],
        ),
        row("mean time to resolve (fault to well)", [f"{minutes:.1f} min" for minutes in healed.values()]),
        row(
            "median time to resolve",
            [f"{statistics.median(c.healed for c in m.courses) / 60:.1f} min" for m in found],
        ),
        *(
            row(
                f"mean time to resolve, {kind}",
                [f"{_mean([c.healed for c in m.courses if c.kind == kind])} min" for m in found],
            )
            for kind, _ in SHARES
        ),
        row("downtime of the month", [f"{_downtime(m):.1f} h" for m in found]),
        row("of it by deep faults, which no restart helps", [f"{_deep(m):.1f} h" for m in found]),
        row("availability", [f"{share:.2f} %" for share in up.values()]),
        row("mitigations run", [m.runs for m in found]),
        row("by our own records: mean time to resolve", [_spread(m.figures.resolve.mean) for m in found]),
        row("by our own records: mitigations that worked", [_worked(m.figures) for m in found]),
    ]


def _notes(faults: Sequence[Fault]) -> tuple[str, ...]:
    counts = {kind: sum(fault.kind == kind for fault in faults) for kind, _ in SHARES}
    return (
        (
            f"Seed {SEED}. {len(faults)} faults, Poisson at {FAULTS_A_DAY:g} a day: {counts['wedged']} are mended by a "
            f"restart (wedged), {counts['passing']} pass by themselves in 3 to 10 min, {counts['deep']} are not helped "
            "by a restart (deep). All draws are the same for the three columns. The rate was chosen so that the "
            "month by hand has about the 10 h of downtime of the document whose figures are to be beaten."
        ),
        (
            "Detection: scrape and rule every 15 s (uniform), 8 s until a one-minute rate of a 40 % error rate crosses "
            f"5 %, `for` {HOLD_SECONDS:.0f} s, group_wait {GROUP_WAIT:.0f} s, 0.1 s to the message."
        ),
        (
            "People (log-normal): somebody looks after a median of 2 min by day (8 to 20 h UTC) and 6 min by night; by "
            "hand, a wedged service takes a median of 8 min more, a deep fault 35 min; a second person agrees after a "
            f"median of 1 min. A restart takes {RESTART_SECONDS:.0f} s. These are assumptions, not measurements: only "
            "the engine's part is real."
        ),
        (
            "One click: somebody presses 30 s after looking and a second person agrees. By itself: `auto` after 30 s, "
            "at any hour, no approval; its limits (failures a day, cooldown) are the defaults and hold it back as "
            "they would in production. In all three, people are called as ever and work by hand meanwhile (pressing "
            "costs them its 30 s): a lever that does not help delays nobody."
        ),
    )


def _ceiling(months: dict[Arm, Month]) -> str:
    """What the best lever there could be would reach under the same assumptions."""
    hand, auto = months["by hand"], months["by itself"]
    could, did = _downtime(hand) - _deep(hand), _downtime(hand) - _downtime(auto)
    rest = 60 * _deep(hand) / len(hand.courses)
    return (
        f"The ceiling: a restart that mended everything it can mend at the moment of the fault would take "
        f"{could / _downtime(hand):.0%} off the downtime, and {rest:.1f} min would be left of the mean time to resolve. "
        f"By itself it takes off {did / could:.0%} of that. Anything beyond takes levers for what is deep here."
    )


# -- what is drawn -----------------------------------------------------------------------------------


def draw(seed: int, days: int) -> list[Fault]:
    dice = random.Random(seed)  # noqa: S311  # a simulation
    found, at = [], 0.0
    while (at := at + dice.expovariate(FAULTS_A_DAY / 86400)) < days * 86400:
        found.append(_fault(dice, at))
        at += 2 * 3600  # the next one comes when this one is over
    return found


def _fault(dice: random.Random, at: float) -> Fault:
    kind = dice.choices([k for k, _ in SHARES], [share for _, share in SHARES])[0]
    is_day = 8 <= (at / 3600) % 24 < 20
    return Fault(
        at,
        kind,
        detect=dice.uniform(0, 15) + 8 + dice.uniform(0, 15) + HOLD_SECONDS + GROUP_WAIT + 0.1,
        look=_log_normal(dice, 2 if is_day else 6, 0.6),
        by_hand=_log_normal(dice, 35 if kind == "deep" else 8, 0.5),
        second=_log_normal(dice, 1, 0.5),
        passes=dice.uniform(180, 600) if kind == "passing" else _LONGEST,
    )


def _log_normal(dice: random.Random, median_minutes: float, sigma: float) -> float:
    return 60 * median_minutes * dice.lognormvariate(0, sigma)


# -- a month -----------------------------------------------------------------------------------------


def _month(arm: Arm, faults: Sequence[Fault], progress: Progress) -> Month:
    declared = dict(MITIGATION)
    if arm == "by itself":
        declared |= {"approvals": 0, "auto": {"after": 30, "hours": None}}
    with Kit(AlertRelay, config={"mitigations": [declared]}) as kit:
        for user in ("UANN", "UBOB"):
            kit.grant(user, "alerts.*", "mitigation.*")
        kit.executors.fake.reversible = False  # a restart can't be undone
        kit.clock.set(START)
        kit.metrics.set(QUERY, 0.01)
        kit.metrics.add_rule(Rule(name=LABELS["alertname"], expression=f"{QUERY} > 0.05", hold=HOLD_SECONDS))
        if arm == "by itself":
            kit.command("/signalbox mitigations auto restart on", user="UANN")
        courses = []
        for number, fault in enumerate(faults):
            if number % 20 == 0:
                progress(f"{arm}: fault {number + 1} of {len(faults)}")
            courses.append(Play(kit, arm, fault, number).play())
        return Month(courses, _figures(kit), len(kit.executors.fake.ran))


def _figures(kit: Kit) -> Figures:
    plugin, db = kit.plugin, kit.kernel.db
    documents, records = Documents(db, plugin.name, kit.clock), Records(db, plugin.name, None, kit.clock)
    return gather.gather(plugin.config, documents, records, now=kit.clock(), days=DAYS + 2)


class Play:
    """One fault from its beginning until nothing is open any more."""

    def __init__(self, kit: Kit, arm: Arm, fault: Fault, number: int) -> None:
        self.kit = kit
        self.arm = arm
        self.fault = fault
        self.began = START + timedelta(seconds=fault.at)
        self.alert = f"fp-{number}"
        self.runs_before = len(kit.executors.fake.ran)
        self.looks = fault.detect + fault.look
        self.pressed = self.approved = False
        self.agrees = _LONGEST
        self.ran: float | None = None
        self.mended = self.looks + fault.by_hand + (PRESS_SECONDS if arm == "one click" else 0)

    def play(self) -> Course:
        self._at(0)
        self.kit.metrics.set(QUERY, 0.4)
        now = self.fault.detect
        self._at(now)
        self._notify("firing")
        while self._healed() > now:
            now += TICK
            self._at(now)
            self._tick(now)
        self.kit.metrics.set(QUERY, 0.01, at=self.began + timedelta(seconds=self._healed()))
        self._end(now)
        return Course(self.fault.kind, self.fault.detect, self._healed())

    def _healed(self) -> float:
        """When it is well again, by what is known so far."""
        by_lever = _LONGEST
        if self.ran is not None and self.fault.kind != "deep":
            by_lever = self.ran + RESTART_SECONDS
        return min(by_lever, self.mended, self.fault.passes)

    def _tick(self, now: float) -> None:
        if self.arm != "by hand":
            self.kit.tick("look_after_mitigations")
        if self.arm == "one click":
            self._people(now)
        if self.ran is None and len(self.kit.executors.fake.ran) > self.runs_before:
            self.ran = now

    def _people(self, now: float) -> None:
        if not self.pressed and now >= self.looks + PRESS_SECONDS:
            self.pressed = True
            if not self.kit.click("Restart checkout", user="UANN").refused:
                self.kit.submit({}, user="UANN")
                self.agrees = now + self.fault.second
        if not self.approved and now >= self.agrees:
            self.approved = True
            self.kit.click("Approve", user="UBOB")

    def _end(self, now: float) -> None:
        """Prometheus sees it a little later; the engine comes to its verdict."""
        self._at(max(now, self._healed() + RECOVERY_SECONDS))
        self._notify("resolved")
        for n in range(40):
            self._at(now + RECOVERY_SECONDS + TICK * (n + 1))
            self.kit.tick("look_after_mitigations")
            if not self._is_open():
                return

    def _is_open(self) -> bool:
        found = self.kit.records("mitigation")
        return bool(found) and found[-1].data["status"] in {"requested", "approved", "running", "verifying"}

    def _notify(self, status: str) -> None:
        now = self.kit.clock()
        alert = Alert(
            fingerprint=self.alert,
            status=status,
            labels=LABELS,
            annotations={"summary": "checkout fails"},
            starts_at=self.began + timedelta(seconds=self.fault.detect - GROUP_WAIT),
            ends_at=now if status == "resolved" else None,
        )
        group = AlertGroup(
            key="checkout",
            receiver="signalbox",
            status=status,
            group_labels={"alertname": LABELS["alertname"], "service": LABELS["service"]},
            common_labels=LABELS,
            alerts=(alert,),
        )
        self.kit.alerts.set([group] if status == "firing" else [])
        self.kit.event("alertmanager.group", group, subject=group.key)
        self.kit.tick("reconcile")

    def _at(self, seconds: float) -> None:
        self.kit.clock.set(max(self.kit.clock(), self.began + timedelta(seconds=seconds)))
        self.kit.work()


def _downtime(month: Month) -> float:
    """Hours."""
    return sum(course.healed for course in month.courses) / 3600


def _deep(month: Month) -> float:
    """Hours of downtime by faults that the lever does not help."""
    return sum(course.healed for course in month.courses if course.kind == "deep") / 3600


def _mean(seconds: Sequence[float]) -> str:
    return f"{statistics.mean(seconds) / 60:.2f}" if seconds else "no"


def _spread(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:.1f} min"


def _worked(figures: Figures) -> str:
    return ", ".join(f"{s.succeeded} of {s.succeeded + s.failed}" for s in figures.mitigations) or ""
