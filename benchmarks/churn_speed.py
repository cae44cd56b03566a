"""Records a minute from raw tables to scores with reasons, in both engines and beside pandas.

Each engine and size has a process of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import Aim, Progress, Section

DAY = date(2026, 11, 23)
WEEKS = 70
ROWS_A_CUSTOMER = 90
"""About: a weekly row of usage for as long as somebody is a customer, invoices, tickets."""
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
REASONS = 1_000
CUTS = 5
AIM = 1_000_000


def run(progress: Progress, *, quick: bool = False) -> Section:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        progress("training the model that scores")
        _alone("train", 30_000, model, model)
        rows, rates = [], {}
        for size in SIZES[:2] if quick else SIZES:
            for engine in ("local", "spark", "pandas"):
                progress(f"{size:,} rows, {engine}")
                told = _alone(engine, size, model, Path(folder) / f"{engine}-{size}")
                rates[engine, size] = told["records"] / told["seconds"] * 60
                rows.append(_row(engine, told, rates[engine, size]))
    largest = max(size for engine, size in rates)
    before = max(size for engine, size in rates if size < largest)
    at = rates["local", min(1_000_000, largest)]
    growths = {
        engine: rates[engine, largest] / rates[engine, before] for engine in ("local", "spark", "pandas")
    }
    return Section(
        "churn_speed",
        "Churn: records a minute, from raw tables to scores with reasons",
        (
            "engine", "records", "customers", "seconds", "reading and checks", "features", "audit", "records a minute",
            "peak memory",
        ),
        rows,
        (
            Aim("records a minute at 1 M rows (source document: 10,000)", f">= {AIM:,}", f"{at:,.0f}", at >= AIM),
            *(
                Aim(
                    f"{engine}: rate at {largest:,} rows over that at {before:,}",
                    "-" if engine == "pandas" else ">= 1 (linear)",
                    f"{growth:.2f}",
                    None if engine == "pandas" else growth >= 1,
                )
                for engine, growth in growths.items()
            ),
        ),
        notes=(
            (
                "A record is a row of the five raw tables (Parquet, simulated), not a scored customer; those stand beside it. "
                "Measured: reading, all quality checks, keeping, features, the ensemble of three (trained before with the quick "
                f"recipe), reasons of the {REASONS:,} riskiest or of all where there are fewer, the run on disk, and the leak "
                f"audit of the training set that these tables make ({CUTS} cuts). Training itself is not in it."
            ),
            (
                "Small sizes are mostly start-up, so the rate grows with the size; between the two largest, time may grow no "
                "faster than the rows. One run each: what else runs on the machine shows."
            ),
            (
                "pandas stands beside for what it would be used for: reading, the same features by groupby (equal to ours, "
                "compared at the smallest size), scores and reasons; neither checks nor audit."
            ),
            (
                "Spark reads the tables and computes the features; the checks and the audit are Polars' in both rows. Its "
                "time has the start of its JVM in it (about 6 s); its memory is that of the JVM and of Python together, each "
                "at its peak."
            ),
        ),
    )  # fmt: skip


def _row(engine: str, told: dict[str, Any], rate: float) -> tuple[str, ...]:
    return (
        engine, f"{told['records']:,}", f"{told['customers']:,}", f"{told['seconds']:.1f}", f"{told['etl']:.1f}",
        f"{told['features']:.1f}", f"{told['audit']:.1f}" if "audit" in told else "-", f"{rate:,.0f}", f"{told['memory'] / 2**20:,.0f} MiB",
    )  # fmt: skip


def _alone(what: str, size: int, model: Path, folder: Path) -> dict[str, Any]:
    argv = [sys.executable, "-m", "benchmarks.churn_speed", what, str(size), str(model), str(folder)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=1800)
    if ran.returncode:
        raise RuntimeError(f"{what} at {size:,} rows failed:\n{ran.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def main(what: str, size: int, model: Path, folder: Path) -> dict[str, Any]:
    from ml.churn import reading, registry, scoring, simulate, store  # noqa: PLC0415
    from ml.churn.features import engine  # noqa: PLC0415
    from ml.churn.training import audit, dataset  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    tables = simulate.tables(max(300, size // ROWS_A_CUSTOMER), WEEKS, DAY, seed=2)
    records = sum(len(frame) for frame in tables.values())
    reading.write(tables, folder / "raw")
    del tables
    if what == "train":
        return _train(folder)
    registry.promote(folder, registry.keep(model / "trained", folder), by="benchmark")
    if what == "pandas":
        return _pandas(folder, records, compare=size == SIZES[0])
    master = "local[2]" if what == "spark" else ""
    started = time.perf_counter()
    report = store.etl(folder / "raw", folder, DAY, master=master)
    assert report.passed, report.checks
    etl = time.perf_counter() - started
    data = store.load(folder)
    run = scoring.score(data, folder, top=REASONS, master=master)
    audited = time.perf_counter()
    findings = audit.audit(dataset.build(data.frames, data.as_of, most_cuts=CUTS))
    ended = time.perf_counter()
    assert not any(finding.blocks for finding in findings), findings
    engine.features(data, folder, master)  # once more, to see how much of the time it is
    return {
        "records": records, "customers": run.customers, "etl": etl, "seconds": ended - started,
        "audit": ended - audited, "features": time.perf_counter() - ended, "memory": _peak(),
    }  # fmt: skip


def _pandas(folder: Path, records: int, *, compare: bool) -> dict[str, Any]:
    from benchmarks import churn_pandas  # noqa: PLC0415
    from ml.churn import champion  # noqa: PLC0415

    started = time.perf_counter()
    tables = churn_pandas.read(folder / "raw")
    read = time.perf_counter()
    found = churn_pandas.features(tables, DAY)
    made = time.perf_counter()
    champion.load(folder, 2).table(churn_pandas.columns(found), len(found), REASONS)
    ended = time.perf_counter()
    if compare:
        _require_equal(folder, found)
    return {
        "records": records, "customers": len(found), "etl": read - started, "features": made - read,
        "seconds": ended - started, "memory": _peak(),
    }  # fmt: skip


def _require_equal(folder: Path, found: Any) -> None:
    """A peer that computes something else would be no peer."""
    import numpy as np  # noqa: PLC0415

    from ml.churn import store  # noqa: PLC0415
    from ml.churn.features import local  # noqa: PLC0415
    from ml.churn.features.specification import FEATURES  # noqa: PLC0415

    store.etl(folder / "raw", folder, DAY)
    ours = local.features(store.load(folder).frames, DAY)
    for feature in FEATURES:
        theirs = found[feature.name].to_numpy(float)
        np.testing.assert_allclose(theirs, ours[feature.name].to_numpy(), rtol=1e-9, err_msg=feature.name)


def _peak() -> int:
    """Of this process and, where there is one, of the JVM that it started (bytes)."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return own + sum(
        _peak_of(child.pid) for child in psutil.Process().children(recursive=True) if "java" in child.name()
    )


def _peak_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def _train(folder: Path) -> dict[str, Any]:
    from ml.churn import store  # noqa: PLC0415
    from ml.churn.model.artifact import Costs  # noqa: PLC0415
    from ml.churn.training import dataset  # noqa: PLC0415
    from ml.churn.training import train as training  # noqa: PLC0415
    from ml.churn.training.recipe import QUICK  # noqa: PLC0415

    store.etl(folder / "raw", folder, DAY)
    data = store.load(folder)
    built = dataset.build(data.frames, data.as_of, most_cuts=6)
    out = folder / "trained"
    out.mkdir()
    training.train(built, out, name="churn-benchmark", sha256="0" * 64, costs=Costs(), recipe=QUICK)
    return {}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))))
