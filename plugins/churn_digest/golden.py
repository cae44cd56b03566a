"""What the churn champion says about a hundred made-up customers: the same before a backup and after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROWS, SEED = 100, 7


def golden(data_dir: Path) -> dict[str, Any] | None:
    """Version, digest and probabilities of the champion; None while no model serves."""
    import numpy as np  # noqa: PLC0415  # heavy; the backup's own process only

    from ml.churn import champion, registry  # noqa: PLC0415
    from ml.churn.errors import ModelUnavailableError  # noqa: PLC0415
    from ml.churn.model import artifact  # noqa: PLC0415

    folder = data_dir / "churn"
    try:
        place = registry.champion(folder)
    except ModelUnavailableError:
        return None
    ensemble = champion.load(folder).ensemble
    medians = np.nan_to_num(np.asarray(ensemble.manifest.medians, np.float64))
    spread = np.random.default_rng(SEED).uniform(0.5, 1.5, (ROWS, len(medians)))
    said = ensemble.probabilities(medians * spread)
    return {"version": ensemble.version, "digest": artifact.digest(place), "scores": [float(p) for p in said]}
