"""What the tagging champion says about a few fixed texts: the same before a backup and after its restore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEXTS = (
    "I was charged twice for the same order, please refund one of them.",
    "The app closes as soon as I open the settings.",
    "Where is my parcel? It should have been here on Monday.",
    "I forgot my password and the reset link does not work.",
    "Ich möchte mein Abonnement kündigen.",
    "",
)


def golden(data_dir: Path) -> dict[str, Any] | None:
    """Version and scores of the champion; None while the built-in tagger serves, which is no file of ours."""
    from ml.tagging.tagger import CHAMPION, Tagger  # noqa: PLC0415  # heavy; the backup's own process only

    models = data_dir / "models"
    if not (models / CHAMPION).exists():
        return None
    tagger = Tagger.load(models)
    scores = [dict(sorted(tagging.scores.items())) for tagging in tagger.tag(TEXTS)]
    return {"version": tagger.version, "scores": scores}
