"""Anomaly detection on NAB v1.1, beside what people use: NAB's own threshold, and one chosen on other folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.anomaly_peers import PEERS, libraries
from benchmarks.report import Aim, Progress, Section
from ml.anomaly import LINE, nab
from ml.anomaly.labelled import Floats, Labelled, read_folder
from ml.anomaly.measures import ByRow, Events, by_row, events, vus_pr
from ml.anomaly.replay import Replayed, replay

DATA = Path(__file__).parents[2] / "shared" / "data" / "nab"
OURS = "Signalbox"
CALM, RECALL = 0.05, 0.7
_STEP = 0.005
_HIGHER = (0.6, 0.7, 0.8)
_GRID = np.arange(0.4, 0.95, _STEP)
HEAD = (
    "detector", "standard", "low FP", "low FN", "standard, threshold of other folders", "VUS-PR",
    "event precision / recall / F1", "false alerts a series-day", "median delay",
)  # fmt: skip


def run(progress: Progress, *, quick: bool = False) -> Section:
    files = read_folder(DATA)
    files = [file for file in files if len(file.at) < 5000] if quick else files
    progress("ours")
    replayed = replay(files)
    rows, ours = [], None
    for name, (scores, alerts) in _all(files, replayed, progress).items():
        standard = nab.scored(files, alerts, nab.STANDARD)
        left = nab.left_out(files, alerts, nab.STANDARD)
        found = _left_out_events(files, alerts, left)
        volume = float(np.mean([vus_pr(file, scores[file.name]) for file in files if file.windows]))
        others = [nab.scored(files, alerts, profile).score for profile in nab.PROFILES[1:]]
        rows.append(_row(name, [standard.score, *others, left.score], volume, found))
        if name == OURS:
            ours = (standard.score, left.score, _calm(files, alerts, replayed), *_by_row(files, alerts, left))
        progress(f"{name}: {standard.score:.1f}")
    assert ours is not None
    return _section(rows, *ours)


def _all(
    files: Sequence[Labelled], replayed: Mapping[str, Replayed], progress: Progress
) -> Mapping[str, tuple[Mapping[str, Floats], Mapping[str, Floats]]]:
    made = {OURS: ({n: r.score for n, r in replayed.items()}, {n: r.news for n, r in replayed.items()})}
    for name, detector in PEERS.items():
        progress(name)
        both = {file.name: detector(file) for file in files}
        made[name] = ({n: b[0] for n, b in both.items()}, {n: b[1] for n, b in both.items()})
    return made | libraries(files, progress)


def _left_out_events(files: Sequence[Labelled], alerts: Mapping[str, Floats], left: nab.Result) -> Events:
    """Each folder's events at the threshold of the others, together."""
    groups = sorted({file.group for file in files})
    parts = [
        events([f for f in files if f.group == group], alerts, threshold)
        for group, threshold in zip(groups, left.thresholds, strict=True)
    ]
    return _together(parts)


def _by_row(files: Sequence[Labelled], alerts: Mapping[str, Floats], left: nab.Result) -> tuple[ByRow, ByRow]:
    """Alerts at the thresholds of other folders, and no alert at all."""
    groups = sorted({file.group for file in files})
    lines = dict(zip(groups, left.thresholds, strict=True))
    told = {file.name: alerts[file.name] >= lines[file.group] for file in files}
    return by_row(files, told), by_row(files, {name: np.zeros_like(found) for name, found in told.items()})


@dataclass(frozen=True)
class Calm:
    """False alerts and recall.

    Attributes:
        ours, first: each folder at a line that is chosen on the other folders, together: by our rule, and by the one
            that was used first.
        chosen: the line that our rule chooses on all folders.
        shipped, fired: with the line that ships: what is news, and what begins to fire.
        above: the same by higher lines.
    """

    ours: Events
    first: Events
    chosen: float
    shipped: Events
    fired: Events
    above: Mapping[float, Events]


def _calm(files: Sequence[Labelled], alerts: Mapping[str, Floats], replayed: Mapping[str, Replayed]) -> Calm:
    ours, first = [], []
    for group in sorted({file.group for file in files}):
        middle, lowest = _lines([file for file in files if file.group != group], alerts)
        own = [file for file in files if file.group == group]
        ours.append(events(own, alerts, middle))
        first.append(events(own, alerts, lowest))
    begins = {name: np.diff(each.firing.astype(np.float64), prepend=0) for name, each in replayed.items()}
    chosen, _ = _lines(files, alerts)
    shipped, fired = events(files, alerts, LINE), events(files, begins, 1.0)
    above = {line: events(files, alerts, line) for line in _HIGHER}
    return Calm(_together(ours), _together(first), chosen, shipped, fired, above)


def _lines(files: Sequence[Labelled], alerts: Mapping[str, Floats]) -> tuple[float, float]:
    """The line by our rule, and by the first one.

    Ours: the middle of those that meet both aims on these files; without one that meets both, the lowest that meets
    the aim about false alerts. The first rule took that lowest one always.
    """
    by = {float(line): events(files, alerts, float(line)) for line in _GRID}
    calm = [line for line, there in by.items() if there.false_a_day < CALM]
    both = [line for line in calm if by[line].recall >= RECALL]
    return (min(both) + max(both)) / 2 if both else min(calm), min(calm)


def _together(parts: Sequence[Events]) -> Events:
    delays = [part.delay for part in parts for _ in range(part.found)]
    sums = [sum(getattr(part, field) for part in parts) for field in ("windows", "found", "alerts", "false")]
    return Events(
        *sums, sum(part.days for part in parts), float(np.median(delays)) if delays else float("nan")
    )


def _calm_aim(figure: str, found: Events, aim: str = "") -> Aim:
    held = found.false_a_day < CALM and found.recall >= RECALL
    return Aim(figure, aim, _calm_words(found), held) if aim else Aim(figure, aim, _calm_words(found))


def _calm_words(found: Events) -> str:
    return f"{found.false_a_day:.3f} at recall {found.recall:.2f}"


def _row(name: str, scores: Sequence[float], volume: float, found: Events) -> tuple[str, ...]:
    event = f"{found.precision:.2f} / {found.recall:.2f} / {found.f1:.2f}"
    return (
        name, *(f"{score:.1f}" for score in scores), f"{volume:.3f}", event,
        f"{found.false_a_day:.3f}", f"{found.delay:.0f} rows",
    )  # fmt: skip


def _section(
    rows: Sequence[Sequence[str]],
    standard: float,
    left: float,
    calm: Calm,
    said: ByRow,
    silent: ByRow,
) -> Section:
    return Section(
        "anomaly_nab",
        "Anomalies: the Numenta Anomaly Benchmark",
        HEAD,
        rows,
        (
            Aim("NAB standard, its own threshold", "> 75", f"{standard:.1f}", standard > 75),
            Aim("NAB standard, threshold of other folders", "> 65", f"{left:.1f}", left > 65),
            _calm_aim("false alerts a series-day at event recall ≥ 0.7", calm.ours, f"< {CALM}"),
            _calm_aim("the same by the rule that was used first", calm.first),
            _calm_aim("the same with the line as it ships, all folders", calm.shipped, f"< {CALM}"),
            _calm_aim("the same by what begins to fire", calm.fired, f"< {CALM}"),
            Aim(
                "the line as it ships is what that rule chooses on all folders",
                f"{LINE}",
                f"{calm.chosen:.2f}",
                abs(calm.chosen - LINE) < _STEP,
            ),
            Aim(
                "false-positive rate by rows",
                "< 5 %",
                f"{said.false_positive_rate:.3%}",
                said.false_positive_rate < 0.05,
            ),
            Aim("accuracy by rows", "", f"{said.accuracy:.1%}, and {silent.accuracy:.1%} by saying nothing"),
        ),
        (
            (
                "Published, in NAB's way (standard / low FP / low FN): ARTime 74.9 / 65.2 / 80.4, Numenta HTM 70.1 / "
                "63.1 / 74.3, contextOSE 69.9 / 67.0 / 73.2, random cut forest 51.7 / 38.4 / 59.8. From their published "
                "scores the threshold of other folders gives 73.1, 69.3, 68.8 and 37.7."
            ),
            (
                "One configuration for all files, sample by sample. Its lines were chosen by looking at these files: "
                "only the threshold, not the lines, is held out by folder. Events and false alerts are at the "
                "held-out thresholds; for the aim about false alerts a day, at the middle of those that meet it on "
                "the other folders. The rule used first, the lowest that keeps the other folders below the aim, was "
                "changed after these files had been seen. The line that ships is chosen by the same rule on all "
                "folders, so its figures are of the files that it was chosen on. NAB has 116 windows and labels that people dispute (Wu and Keogh, 2020)."
            ),
            (
                "What a score says, on these files, in false alerts a series-day: "
                + ", ".join(f"from {line} on {_calm_words(found)}" for line, found in calm.above.items())
                + "."
            ),
            (
                "VUS-PR is over the 52 files with windows, buffers of 0 to 100 rows, on scores before the alert logic. "
                "Delay is from a window's first row, which NAB puts well before the anomaly itself. Point-adjusted "
                "F1 is left out: random scores do well by it (Kim et al., 2022)."
            ),
            (
                "By rows: an alert is one row and a window hundreds, so its accuracy is close to that of a detector "
                "that says nothing. It is for the record only."
            ),
            (
                "Peers without a re-alert rule get a pause of 144 rows, without which they score far lower. The libraries "
                "run in virtual environments of their own, as many at once as there are processors, with the settings of "
                "their documentation; one that takes more than an hour is left out. Isolation Forest, "
                "half-space trees, LODA and ECOD get the same four features; the left discord is that of two hours. ECOD "
                "is fitted to the last 200 rows, every 50. A file's first rows, which are not counted, give LODA its "
                "scale, PersistAD its fit, and merlion's and KNN-CAD what they know at first; ZMS is fitted anew every 288 rows, "
                "the forest and KNN-CAD go on learning. PersistAD's score is the factor up to which it would stay silent."
            ),
        ),
    )
