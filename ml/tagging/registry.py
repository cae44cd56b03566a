"""Which model serves. A challenger becomes champion only if it is not worse on the same fixed texts.

`models/tagging/champion` is a link to a copy of the promoted folder, so serving needs no MLflow, and the
folder that a model was trained in may go. Copies of earlier champions stay: to go back, promote one again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.tagging import artifact, metrics
from ml.tagging.cached import sha256
from ml.tagging.errors import WorseModelError
from ml.tagging.tagger import CHAMPION, Tagger

Right = tuple[str, ...]
"""The categories that a text has."""


@dataclass(frozen=True)
class Comparison:
    """Accuracy on the same texts; `gain` is the challenger's minus the champion's, with its 95 % interval."""

    challenger: float
    champion: float
    gain: float
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Surely worse: all of the interval lies below zero."""
        return self.high < 0

    def __str__(self) -> str:
        return (
            f"challenger {self.challenger:.2%}, champion {self.champion:.2%}, "
            f"difference {self.gain:+.2%} (95 % interval {self.low:+.2%} to {self.high:+.2%})"
        )


def best_guesses(tagger: Tagger, texts: Sequence[str]) -> list[str]:
    """The category with the highest score, whatever the band; empty where there was nothing to judge."""
    found = tagger.tag(texts)
    return [max(t.scores, key=t.scores.__getitem__) if any(t.scores.values()) else "" for t in found]


def hits(tagger: Tagger, texts: Sequence[str], categories: Sequence[Right]) -> npt.NDArray[np.bool_]:
    """Whether the best guess is right; where a text has several categories, any of them is."""
    pairs = zip(best_guesses(tagger, texts), categories, strict=True)
    return np.array([said in right for said, right in pairs], np.bool_)


def compare(
    challenger: Tagger, champion: Tagger, texts: Sequence[str], categories: Sequence[Right]
) -> Comparison:
    new, old = hits(challenger, texts, categories), hits(champion, texts, categories)
    return Comparison(float(new.mean()), float(old.mean()), *metrics.difference(new, old))


def gate(comparison: Comparison) -> None:
    """Raises:
    WorseModelError: the challenger is worse than the champion.
    """
    if comparison.worse:
        raise WorseModelError(
            f"The challenger is worse than the champion: {comparison}. Train a better one, or pass --force."
        )


def promote(folder: Path, models: Path) -> Path:
    """Verify the model and let it serve; the next process that loads a tagger takes it."""
    manifest = artifact.read(folder)
    home = models / CHAMPION.parent
    home.mkdir(parents=True, exist_ok=True)
    # The version names the head; the manifest's checksum also tells apart what was calibrated differently.
    kept = home / f"{manifest.facts.name}-{manifest.facts.mode}-{sha256(folder / artifact.MANIFEST)[:12]}"
    if folder.resolve() != kept.resolve() and not kept.exists():
        with tempfile.TemporaryDirectory(dir=home) as scratch:
            Path(shutil.copytree(folder, Path(scratch) / "copy")).rename(kept)
    artifact.replace_folder(kept, models / CHAMPION)
    return kept
