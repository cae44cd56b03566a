"""Runs of the churn pipeline, small and made up, as the pipeline leaves them in the data directory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from ml.churn import runs
from ml.churn.runs import Reason, Run, Scored

AS_OF = date(2026, 1, 5)
OWNERS = ("ann@example.com", "bob@example.com", "cy@example.com")


def reason(text: str = "logins fell 62% against their 8-week mean") -> Reason:
    return Reason(feature="logins_trend", text=text, direction="raises", impact=0.4, value=-0.62, median=0.01)


def scored(number: int, probability: float = 0.7, **fields: Any) -> Scored:
    monthly = float(fields.pop("monthly_value", 1000 - number))
    return Scored(
        **{
            "customer_id": f"C-{number:04}",
            "name": f"Customer {number}",
            "segment": "mid-market",
            "owner": OWNERS[number % 3],
            "probability": probability,
            "band": "high" if probability >= 0.5 else "low",
            "monthly_value": monthly,
            "remaining_months": 12.0,
            "value_at_risk": probability * monthly * 12,
            "renewal": date(2026, 9, 1),
            "reasons": (reason(), reason("invoices paid 12 days later than usual"), reason("3 open tickets")),
            **fields,
        }
    )


def write(data: Path, scores: Iterable[Scored], as_of: date = AS_OF, **fields: Any) -> Run:
    """Leave a run in the data directory."""
    found = sorted(scores, key=lambda score: -score.value_at_risk)
    run = Run(
        **{
            "run_id": f"{as_of}-{abs(hash((as_of, len(found)))) % 16**8:08x}",
            "as_of": as_of,
            "created_at": datetime.combine(as_of, time(6), UTC),
            "engine": "local",
            "model_version": "3",
            "model_digest": "ab" * 32,
            "data_hash": "cd" * 32,
            "base_rate": 0.12,
            "threshold": 0.5,
            "currency": "EUR",
            "customers": len(found),
            "quality": "passed",
            "notes": (),
            **fields,
        }
    )
    runs.write(data / "churn", run, found)
    return run
