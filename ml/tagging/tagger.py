"""Tags texts: clean, encode, weigh, decide."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import structlog
from filelock import FileLock
from threadpoolctl import threadpool_limits

from ml.tagging import artifact, calibration
from ml.tagging import head as heads
from ml.tagging.categories import CATEGORIES, OUT_OF_SCOPE, Category
from ml.tagging.clean import MAX_CHARACTERS, clean, has_words
from ml.tagging.encoder import MAX_TOKENS, NAME, VERSION, Encoder
from ml.tagging.head import Head
from ml.tagging.language import Languages
from ml.tagging.words import words

log = structlog.get_logger()
Band = Literal["apply", "suggest", "leave"]
SEED = Path(__file__).parent / "seed"
PRECISION = 0.95
LANGUAGES = ("en",)
"""What the seed examples, and the base encoder, are written in."""
CHAMPION = Path("tagging") / "champion"
"""Below the folder of models: where promotion puts the model that serves."""
CHUNK = 512
"""Texts in memory at once, however many are given."""


@dataclass(frozen=True)
class Tagging:
    """`category` is None when no category fits; `confidence` is calibrated, in [0, 1].

    `also`: further categories that are sure enough to apply, of a model that knows several a text.
    `language`: the code of the text's language; empty where it can't be said for sure.
    """

    category: str | None
    confidence: float
    band: Band
    scores: dict[str, float]
    reason: str
    also: tuple[str, ...] = ()
    language: str = ""


class Tagger:
    """`load` takes the model that serves, `open` any trained one, `seed` the built-in one."""

    def __init__(
        self,
        encoder: Encoder,
        head: Head,
        version: str,
        detector: Languages,
        languages: tuple[str, ...] = LANGUAGES,
        *,
        encoder_version: str = VERSION,
    ) -> None:
        self._encoder = encoder
        self.encoder_version = encoder_version
        self._head = head
        self._detector = detector
        self._languages = languages
        self.version = version
        self.categories = tuple(_category(name) for name in head.categories if name != OUT_OF_SCOPE)

    @classmethod
    def load(cls, cache: Path, *, threads: int = 1) -> Tagger:
        """The champion that lies in `cache`, or else the tagger trained on the seed examples."""
        champion = cache / CHAMPION
        return cls.open(champion, cache, threads=threads) if champion.exists() else cls.seed(cache, threads)

    @classmethod
    def seed(cls, cache: Path, threads: int = 1) -> Tagger:
        """Built in `cache` on first use, within seconds."""
        return cls.open(_seed_folder(cache), cache, threads=threads)

    @classmethod
    def open(cls, folder: Path, cache: Path, *, threads: int = 1) -> Tagger:
        """A trained model, after its files were verified.

        `cache` holds what is made of installed packages.
        """
        manifest, encoder, head = artifact.load(folder, cache, threads)
        tuned = manifest.files.get(artifact.ENCODER)
        return cls(
            encoder,
            head,
            manifest.version,
            Languages.load(cache),
            manifest.languages,
            encoder_version=tuned[:12] if tuned else VERSION,
        )

    def tag(self, texts: Sequence[str]) -> list[Tagging]:
        return [tagging for chunk in _chunks(texts, CHUNK) for tagging in self._tag(chunk)]

    def reads_whole(self, text: str) -> bool:
        """Whether the model reads a text to its end."""
        return len(text) < MAX_TOKENS or (
            len(text) <= MAX_CHARACTERS and self._encoder.reads_whole(clean(text))
        )

    def embed(self, text: str) -> list[float]:
        """The text as the encoder sees it: both views, of length 1 each, the late one last."""
        return [float(number) for number in self._encoder.encode([clean(text)])[0]]

    def words_for(self, text: str, category: str) -> tuple[str, ...]:
        """The words that spoke most for a category."""
        at = self._head.categories.index(category)

        def confidence(texts: Sequence[str]) -> list[float]:
            logits = self._head.logits(self._encoder.encode(texts))
            return [float(row[at]) for row in self._head.probabilities(logits)]

        return words(clean(text), confidence)

    def _tag(self, texts: Sequence[str]) -> Iterator[Tagging]:
        cleaned = [clean(text) for text in texts]
        vectors, told = self._encoder.encode_until(cleaned, self._head.enough)
        logits = self._head.logits(vectors, told)
        shares = self._head.probabilities(logits).tolist()
        outside = self._head.outside(vectors, told).tolist()
        spoken = self._detector.spoken(cleaned)
        for text, language, row, stranger in zip(cleaned, spoken, shares, outside, strict=True):
            scores = dict(zip(self._head.categories, row, strict=True))
            why = self._unreadable(text, language)
            said = _left(why, dict.fromkeys(scores, 0.0)) if why else decide(scores, self._head, stranger)
            yield replace(said, language=language)

    def _unreadable(self, text: str, language: str) -> str:
        """Why there is nothing that the model could judge; empty when there is."""
        if not has_words(text):
            return "there is no text to read"
        if not language or not self._languages or language in self._languages:
            return ""
        known = ", ".join(self._languages)
        return f"written in a language ({language}) that the model does not cover ({known})"


def decide(scores: dict[str, float], head: Head, stranger: bool = False) -> Tagging:  # noqa: FBT001, FBT002  # a fact of the text
    """What to do with a text, and why in words. A stranger is unlike anything trained on."""
    (best, confidence), (second, runner_up) = sorted(scores.items(), key=lambda s: -s[1])[:2]
    if stranger:
        return Tagging(None, confidence, "leave", scores, "not a customer query: unlike all known ones")
    if best == OUT_OF_SCOPE:
        return Tagging(None, confidence, "leave", scores, f"not a customer query ({confidence:.2f})")
    bands = head.bands[best]
    if confidence >= bands.apply_at:
        return Tagging(best, confidence, "apply", scores, "clear match", _also(scores, best, head))
    band: Band = "suggest" if confidence >= bands.suggest_at else "leave"
    reason = f"not sure enough: {best} {confidence:.2f}, then {second} {runner_up:.2f}"
    return Tagging(best if band == "suggest" else None, confidence, band, scores, reason)


def _also(scores: dict[str, float], best: str, head: Head) -> tuple[str, ...]:
    if not head.several:
        return ()
    sure = (name for name, score in scores.items() if score >= head.bands[name].apply_at)
    return tuple(name for name in sure if name not in {best, OUT_OF_SCOPE})


def _left(why: str, scores: dict[str, float]) -> Tagging:
    return Tagging(None, 0.0, "leave", scores, why)


def _category(slug: str) -> Category:
    known = {category.slug: category for category in CATEGORIES}
    return known.get(slug) or Category(slug, slug.replace("-", " ").replace("_", " ").capitalize(), "")


def examples(name: str) -> list[tuple[str, str]]:
    """(text, category) pairs of a seed file: "train" or "heldout"."""
    lines = (SEED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["text"], row["category"]) for row in rows]


def serving(cache: Path) -> Path:
    """The folder of the model that `Tagger.load` takes."""
    champion = cache / CHAMPION
    return champion.resolve() if champion.exists() else _seed_folder(cache)


def _seed_folder(cache: Path) -> Path:
    """The model of these very seed examples and this training code, trained if it is not cached."""
    seed = hashlib.sha256((SEED / "train.jsonl").read_bytes() + _training_code()).hexdigest()
    folder = cache / f"head-{NAME}-{seed[:12]}"
    with FileLock(cache / "head.lock"):
        if not (folder / artifact.MANIFEST).exists():
            _train_seed(Encoder.load(cache), folder, seed)
    return folder


def _training_code() -> bytes:
    return b"".join(Path(str(module.__file__)).read_bytes() for module in (heads, calibration, artifact))


def _train_seed(encoder: Encoder, folder: Path, seed: str) -> None:
    texts, labels = zip(*examples("train"), strict=True)
    embeddings = encoder.encode([clean(text) for text in texts])
    # A second thread does not speed up matrices this small; on a busy machine, waiting for it costs 20 s.
    with threadpool_limits(limits=1, user_api="blas"):
        head = heads.train(embeddings, labels, precision=PRECISION)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        artifact.save_head(head, Path(made))
        facts = artifact.Facts(
            name="seed", mode="few-shot", precision=PRECISION, data_sha256=seed, examples=len(texts)
        )
        artifact.seal(Path(made), head, facts)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    log.info("head.trained", examples=len(texts), folder=str(folder))


def _chunks(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]
