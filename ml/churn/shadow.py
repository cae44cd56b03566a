"""A challenger scores beside the champion, without any effect, before it may serve.

FOLDER/shadow/<model>/<run>.json says how the two compared on one day's customers. A cycle is a day of data on
which both scored everybody; whatever is wrong with a challenger is noted, and the champion's run stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ml.churn.errors import ModelTamperedError, ModelUnavailableError
from ml.churn.runs import Run


class Beside(BaseModel):
    """One day's comparison. `agreement`: Spearman's rank correlation of the two; counts are of customers."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())
    model: str
    against: str
    run_id: str
    as_of: date
    customers: int = 0
    flagged: int = 0
    flagged_by_champion: int = 0
    flagged_by_both: int = 0
    agreement: float = 0.0
    trouble: str = ""


def score(
    folder: Path, run: Run, table: Mapping[str, Sequence[Any]], said: Sequence[float], threads: int = 2
) -> Beside | None:
    """Let the challenger score what the champion just scored; None when none waits.

    `table` holds feature columns [rows], `said` the champion's probabilities [rows] in the same order.
    """
    from ml.churn import registry  # noqa: PLC0415  # numpy: whoever only reads needs none of it

    waiting, serving = registry.challenger(folder), registry.champion(folder)
    if waiting is None or waiting == serving:
        return None
    told = {"model": waiting.name, "against": serving.name, "run_id": run.run_id, "as_of": run.as_of}
    try:
        found = Beside.model_validate({**told, **_compared(waiting, run.threshold, table, said, threads)})
    except (ModelTamperedError, ModelUnavailableError, ValueError) as exc:
        found = Beside.model_validate({**told, "trouble": str(exc)})
    _keep(folder, found)
    return found


def of(folder: Path, name: str) -> list[Beside]:
    """What was noted of a model, the oldest day first."""
    files = (folder / "shadow" / name).glob("*.json")
    found = (Beside.model_validate_json(file.read_text(encoding="utf-8")) for file in files)
    return sorted(found, key=lambda one: (one.as_of, one.run_id))


def cycles(found: Sequence[Beside], against: str) -> int:
    """Days on which the model scored beside this champion without trouble."""
    return len({one.as_of for one in found if one.against == against and not one.trouble})


def _compared(
    place: Path, champion_at: float, table: Mapping[str, Sequence[Any]], said: Sequence[float], threads: int
) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415

    from ml.churn.model.ensemble import Ensemble  # noqa: PLC0415

    model = Ensemble.load(place, threads)
    ours = model.probabilities(model.manifest.columns.matrix(table))
    theirs = np.asarray(said, dtype=np.float64)
    mine, his = ours >= model.manifest.threshold, theirs >= champion_at
    return {
        "customers": len(ours),
        "flagged": int(mine.sum()),
        "flagged_by_champion": int(his.sum()),
        "flagged_by_both": int((mine & his).sum()),
        "agreement": _rank_correlation(ours, theirs),
    }


def _rank_correlation(one: Any, other: Any) -> float:
    import numpy as np  # noqa: PLC0415

    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return 0.0
    first, second = (np.argsort(np.argsort(values)) for values in (one, other))
    return float(np.corrcoef(first, second)[0, 1])


def _keep(folder: Path, found: Beside) -> None:
    place = folder / "shadow" / found.model
    place.mkdir(parents=True, exist_ok=True)
    part = place / f".{found.run_id}.part"
    part.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    part.replace(place / f"{found.run_id}.json")
