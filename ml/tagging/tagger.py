"""Tags texts: clean, encode, weigh, decide."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
from filelock import FileLock

from ml.tagging import head as heads
from ml.tagging.categories import CATEGORIES, OUT_OF_SCOPE, Category
from ml.tagging.clean import clean, has_words
from ml.tagging.encoder import NAME, Encoder, sha256
from ml.tagging.head import Head

log = structlog.get_logger()
Band = Literal["apply", "suggest", "leave"]
SEED = Path(__file__).parent / "seed"
PRECISION = 0.95
CHUNK = 512
"""Texts in memory at once, however many are given."""


@dataclass(frozen=True)
class Tagging:
    """`category` is None when no category fits; `confidence` is calibrated, in [0, 1]."""

    category: str | None
    confidence: float
    band: Band
    scores: dict[str, float]
    reason: str


class Tagger:
    def __init__(self, encoder: Encoder, head: Head, version: str) -> None:
        self._encoder = encoder
        self._head = head
        self.version = version
        self.categories: tuple[Category, ...] = CATEGORIES

    @classmethod
    def load(cls, cache: Path, *, threads: int = 1) -> Tagger:
        """The tagger trained on the seed examples; built in `cache` on first use, within seconds."""
        encoder = Encoder.load(cache, threads)
        head, version = _seed_head(encoder, cache)
        return cls(encoder, head, version)

    def tag(self, texts: Sequence[str]) -> list[Tagging]:
        return [tagging for chunk in _chunks(texts, CHUNK) for tagging in self._tag(chunk)]

    def _tag(self, texts: Sequence[str]) -> Iterator[Tagging]:
        cleaned = [clean(text) for text in texts]
        probabilities = self._head.probabilities(self._encoder.encode(cleaned))
        for text, row in zip(cleaned, probabilities.tolist(), strict=True):
            scores = dict(zip(self._head.classes, row, strict=True))
            yield decide(scores, self._head) if has_words(text) else _nothing_to_read(scores)


def decide(scores: dict[str, float], head: Head) -> Tagging:
    """What to do with a text, and why in words."""
    (best, confidence), (second, runner_up) = sorted(scores.items(), key=lambda s: -s[1])[:2]
    if best == OUT_OF_SCOPE:
        return Tagging(None, confidence, "leave", scores, f"not a customer query ({confidence:.2f})")
    if confidence >= head.apply_at:
        return Tagging(best, confidence, "apply", scores, "clear match")
    band: Band = "suggest" if confidence >= head.suggest_at else "leave"
    reason = f"not sure enough: {best} {confidence:.2f}, then {second} {runner_up:.2f}"
    return Tagging(best if band == "suggest" else None, confidence, band, scores, reason)


def _nothing_to_read(scores: dict[str, float]) -> Tagging:
    return Tagging(None, 0.0, "leave", dict.fromkeys(scores, 0.0), "there is no text to read")


def examples(name: str) -> list[tuple[str, str]]:
    """(text, category) pairs of a seed file: "train" or "heldout"."""
    lines = (SEED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["text"], row["category"]) for row in rows]


def _seed_head(encoder: Encoder, cache: Path) -> tuple[Head, str]:
    """The head for these very seed examples and this training code, trained if it is not cached."""
    code = Path(heads.__file__).read_bytes()
    seed = hashlib.sha256((SEED / "train.jsonl").read_bytes() + code).hexdigest()[:12]
    folder = cache / f"head-{NAME}-{seed}"
    with FileLock(cache / "head.lock"):
        if not (folder / "head.json").exists():
            _train_seed(encoder, folder)
    version = f"{NAME}/seed-{seed}/{sha256(folder / 'head.safetensors')[:8]}"
    return Head.load(folder), version


def _train_seed(encoder: Encoder, folder: Path) -> None:
    texts, labels = zip(*examples("train"), strict=True)
    trained = heads.train(encoder.encode([clean(text) for text in texts]), labels, precision=PRECISION)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        trained.save(Path(made))
        shutil.copytree(made, folder, dirs_exist_ok=True)
    log.info("head.trained", examples=len(texts), folder=str(folder))


def _chunks(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]
