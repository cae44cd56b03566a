"""The model of this process: loaded in a thread while the server starts, so that it can say how it is."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from plugins.autotag.serving.answer import prediction

log = structlog.get_logger()


@dataclass(frozen=True)
class Model:
    """`tag` gives one prediction a text, in their order; several threads may call it.

    `folder` is where it was loaded from.
    """

    version: str
    tag: Callable[[Sequence[str]], list[dict[str, Any]]]
    folder: Path = Path()


def loading(cache: Path) -> Future[Model]:
    """The model to be; the future's exception says in a sentence why there is none."""
    future: Future[Model] = Future()

    def work() -> None:
        try:
            future.set_result(load(cache))
        except Exception as exc:  # noqa: BLE001  # told by /health and in the log; the process stays up to tell it
            log.error("model.not_loaded", error=str(exc))
            future.set_exception(exc)

    threading.Thread(target=work, name="loading", daemon=True).start()
    return future


def load(cache: Path) -> Model:
    # Imported here, in a thread of its own: the server's imports go on meanwhile.
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    from ml.tagging import Tagger  # noqa: PLC0415
    from ml.tagging.tagger import serving  # noqa: PLC0415

    # Each core computes a batch of its own; threads that share one batch's head would take the others' cores.
    threadpool_limits(limits=1, user_api="blas")
    cache.mkdir(parents=True, exist_ok=True)
    folder = serving(cache)
    tagger = Tagger.load(cache)  # one core a batch; the engine computes several batches at a time

    def tag(texts: Sequence[str]) -> list[dict[str, Any]]:
        found = zip(texts, tagger.tag(texts), strict=True)
        return [
            prediction(tagging, tagger.version, whole=tagger.reads_whole(text)) for text, tagging in found
        ]

    tag(["The first text takes longer than the others."])
    _give_back()
    return Model(tagger.version, tag, folder)


def newer(cache: Path, than: Path) -> Model | None:
    """The model that was promoted since the one in the folder `than` was loaded."""
    from ml.tagging.tagger import serving  # noqa: PLC0415

    return load(cache) if serving(cache) != than else None


def _give_back() -> None:
    """Memory that only loading needed; glibc would keep some 10 MB of it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
