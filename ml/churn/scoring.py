"""Scores every customer on a day and leaves a run behind."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

from ml.churn import champion, runs, shadow
from ml.churn.features import engine
from ml.churn.runs import Run
from ml.churn.store import Loaded

REASONS_FOR = 1000


def score(data: Loaded, folder: Path, *, top: int = REASONS_FOR, threads: int = 2, master: str = "") -> Run:
    """Score with the champion; the run appears at once and whole, most money at risk first.

    The features come from Spark where it has a `master`, else from Polars on this machine. A challenger that
    waits scores beside the champion, without any effect.

    Raises:
        ModelUnavailableError, ModelTamperedError: the last good run stays.
    """
    model = champion.load(folder, threads)
    manifest = model.ensemble.manifest
    table = engine.features(data, folder, master)
    columns = table.to_dict(as_series=False)
    scored = model.table(columns, len(table), top)
    ordered = sorted(scored, key=lambda customer: -customer.value_at_risk)
    currencies = table["currency"].drop_nulls().unique().to_list()
    run = Run(
        run_id=f"{data.as_of}-{secrets.token_hex(4)}",
        as_of=data.as_of,
        created_at=datetime.now(UTC),
        engine=engine.SPARK if master else engine.LOCAL,
        model_version=model.version,
        model_digest=model.ensemble.digest,
        data_hash=data.sha256,
        base_rate=manifest.facts.base_rate,
        threshold=manifest.threshold,
        currency=currencies[0] if currencies else "",
        customers=len(ordered),
        quality="passed",
        notes=_notes(manifest.facts.name, data),
    )
    written = runs.write(folder, run, ordered)
    shadow.score(folder, written, columns, [customer.probability for customer in scored], threads)
    return written


def _notes(name: str, data: Loaded) -> tuple[str, ...]:
    simulated = data.frames["customers"]["name"].str.starts_with("Simulated ").all()
    notes = (f"Scored by {name} on facts before {data.as_of}.",)
    return (*notes, "SIMULATED customers.") if simulated else notes
