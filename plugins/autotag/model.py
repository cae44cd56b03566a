"""The tagger of this worker process, loaded on the first ticket and then kept."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

from bot.plugin import Permanent, Refused, Transient

_loaded: dict[Path, tuple[Path, Tagger]] = {}
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
    @property
    def also(self) -> tuple[str, ...]: ...
    @property
    def language(self) -> str: ...


class Tagger(Protocol):
    version: str
    encoder_version: str

    def tag(self, texts: Sequence[str]) -> Sequence[Tagging]: ...

    def embed(self, text: str) -> list[float]:
        """A vector whose late view tells what the text means."""
        ...

    def words_for(self, text: str, category: str) -> tuple[str, ...]: ...


def load(models: Path) -> Tagger:
    """The tagger of this process, loaded again when another model was promoted."""
    serving = _champion(models)
    with _lock:
        held = _loaded.get(models)
        if held is None or held[0] != serving:
            held = (serving, _load(models))
            _loaded[models] = held
        return held[1]


def _champion(models: Path) -> Path:
    """Where the link to the model that serves leads; promotion makes it lead elsewhere."""
    from ml.tagging.tagger import CHAMPION  # noqa: PLC0415  # heavy; worker processes only

    return (models / CHAMPION).resolve()


def open_challenger(folder: Path, models: Path) -> Tagger:
    """A trained model that does not serve, loaded once in this process."""
    with _lock:
        held = _loaded.get(folder)
        if held is None:
            held = (folder, _opened(folder, models))
            _loaded[folder] = held
        return held[1]


def _opened(folder: Path, models: Path) -> Tagger:
    from ml import tagging  # noqa: PLC0415  # heavy; worker processes only

    try:
        return tagging.Tagger.open(folder, models)
    except (tagging.ModelUnavailableError, tagging.ModelTamperedError) as exc:
        raise Permanent(f"The challenger was refused: {exc}") from exc


def _load(models: Path) -> Tagger:
    from ml import tagging  # noqa: PLC0415  # heavy; worker processes only

    models.mkdir(parents=True, exist_ok=True)
    try:
        return tagging.Tagger.load(models)
    except tagging.ModelUnavailableError as exc:
        raise Transient(f"The tagging model can't be loaded: {exc}") from exc
    except tagging.ModelTamperedError as exc:
        raise Permanent(f"The tagging model was refused: {exc}") from exc


def precision(models: Path) -> float:
    """The share of right tags, of those set without asking, that the model which serves stands for."""
    from ml.tagging import artifact  # noqa: PLC0415  # see `load`
    from ml.tagging.tagger import serving  # noqa: PLC0415

    return artifact.read(serving(models)).facts.precision


def scored(models: Path) -> tuple[str, ...]:
    """What the model that serves gives scores to, in its own order; "out-of-scope" may be among it."""
    from ml.tagging import artifact  # noqa: PLC0415  # see `load`
    from ml.tagging.tagger import serving  # noqa: PLC0415

    return artifact.read(serving(models)).categories


def promote(folder: Path, models: Path) -> None:
    """Let a model serve, here and in every process that shares the folder."""
    from ml.tagging import ModelTamperedError, ModelUnavailableError, registry  # noqa: PLC0415  # see `load`

    try:
        registry.promote(folder, models)
    except (ModelTamperedError, ModelUnavailableError) as exc:
        raise Refused(f"{exc} Nothing was changed.", check="model") from exc


def slugs(models: Path) -> tuple[str, ...]:
    """The categories of the model that serves, which are the labels without their prefix."""
    from ml.tagging import CATEGORIES  # noqa: PLC0415  # see `load`
    from ml.tagging.tagger import CHAMPION  # noqa: PLC0415

    champion = models / CHAMPION
    if champion.exists():
        return _categories(champion.resolve())
    return tuple(category.slug for category in CATEGORIES)


@cache
def _categories(folder: Path) -> tuple[str, ...]:
    """A promoted folder never changes; promotion points to another one."""
    from ml.tagging import ModelTamperedError, ModelUnavailableError, artifact  # noqa: PLC0415

    try:
        found = artifact.read(folder).categories
    except (ModelTamperedError, ModelUnavailableError) as exc:
        raise Permanent(f"The tagging model was refused: {exc}") from exc
    return tuple(name for name in found if name != "out-of-scope")
