"""What a caller is told about a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.tagging import Tagging

SHORTENED = "the text is long: only its first 256 tokens were read"


def prediction(tagging: Tagging, version: str, *, whole: bool) -> dict[str, Any]:
    """`scores` has the likeliest category first."""
    ordered = sorted(tagging.scores.items(), key=lambda score: -score[1])
    return {
        "category": tagging.category,
        "also": list(tagging.also),
        "confidence": round(tagging.confidence, 4),
        "band": tagging.band,
        "reason": tagging.reason,
        "language": tagging.language or None,
        "scores": {name: round(score, 4) for name, score in ordered},
        "note": None if whole else SHORTENED,
        "model_version": version,
    }
