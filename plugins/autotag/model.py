"""The tagger of this worker process, loaded on the first ticket and then kept."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from bot.plugin import Permanent, Transient

_loaded: dict[Path, Tagger] = {}
_lock = threading.Lock()
Band = Literal["apply", "suggest", "leave"]


class Tagging(Protocol):
    """What the model says about one text."""

    @property
    def category(self) -> str | None: ...
    @property
    def confidence(self) -> float: ...
    @property
    def band(self) -> Band: ...
    @property
    def scores(self) -> Mapping[str, float]: ...
    @property
    def reason(self) -> str: ...


class Tagger(Protocol):
    version: str

    def tag(self, texts: Sequence[str]) -> Sequence[Tagging]: ...


def load(cache: Path) -> Tagger:
    """The tagger of this process. The import is here so that the web process never pays for it."""
    with _lock:
        if cache not in _loaded:
            _loaded[cache] = _load(cache)
        return _loaded[cache]


def _load(cache: Path) -> Tagger:
    from ml import tagging  # noqa: PLC0415  # heavy; worker processes only

    cache.mkdir(parents=True, exist_ok=True)
    try:
        return tagging.Tagger.load(cache)
    except tagging.ModelUnavailableError as exc:
        raise Transient(f"The tagging model can't be loaded: {exc}") from exc
    except tagging.ModelTamperedError as exc:
        raise Permanent(f"The tagging model was refused: {exc}") from exc


def slugs() -> tuple[str, ...]:
    """The categories, which are the labels without their prefix."""
    from ml.tagging import CATEGORIES  # noqa: PLC0415  # see `load`

    return tuple(category.slug for category in CATEGORIES)


def is_loaded(cache: Path) -> bool:
    return cache in _loaded
