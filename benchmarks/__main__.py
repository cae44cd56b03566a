"""`python -m benchmarks [NAME …] [--write]`: without a name, all of them."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from benchmarks import report

NAMES = (
    "front",
    "intake",
    "answer",
    "alerts",
    "incident_month",
    "mitigation",
    "startup",
    "tagging",
    "tagging_accuracy",
    "tagging_few",
    "tagging_review",
    "classify",
    "churn_accuracy",
    "churn_speed",
    "churn_weeks",
    "churn_leaks",
    "anomaly_nab",
    "anomaly_speed",
    "anomaly_live",
    "inbox_growth",
    "backlog",
    "load",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", type=_name, help=f"one or more of: {', '.join(NAMES)}"
    )
    parser.add_argument("--write", action="store_true", help="write the sections into docs/benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: does it run at all?")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"There is no benchmark {', '.join(sorted(unknown))}. Choose from: {', '.join(NAMES)}.")
    wanted = [name for name in NAMES if not given.names or name in given.names]
    for number, name in enumerate(wanted, 1):
        _run(name, f"[{number}/{len(wanted)}] {name}", quick=given.quick, write=given.write)


def _name(given: str) -> str:
    return given.replace("-", "_")


def _run(name: str, label: str, *, quick: bool, write: bool) -> None:
    started = time.monotonic()

    def progress(what: str) -> None:
        print(f"{label} {time.monotonic() - started:5.1f} s: {what}", file=sys.stderr, flush=True)

    busy = report.busy_share()
    section = importlib.import_module(f"benchmarks.{name}").run(progress, quick=quick)
    report.show(section, busy)
    if write:
        report.write(section, busy, NAMES)
        progress(f"written to {report.DOCUMENT}")


if __name__ == "__main__":
    main()
