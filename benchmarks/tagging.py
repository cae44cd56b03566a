"""The tagger: texts a second and latency by batch size, and a look at its answers on held-out texts."""

from __future__ import annotations

import time
from itertools import cycle, islice

from benchmarks.processes import scratch
from benchmarks.report import Aim, Progress, Section, ms, quantile
from ml.tagging.tagger import Tagger, examples

BATCHES = (1, 8, 64)


def run(progress: Progress, *, quick: bool = False) -> Section:
    texts_each = 64 if quick else 640
    with scratch() as cache:
        progress("building the tagger")
        started = time.perf_counter()
        tagger = Tagger.load(cache)
        built = time.perf_counter() - started
        rows = []
        for size in BATCHES:
            progress(f"batches of {size}")
            rows.append(_row(tagger, size, texts_each))
        right, applied, applied_right, total = _quality(tagger)
    return Section(
        "tagging",
        "Tagging: one process, one thread",
        ("batch", "texts/s", "batch p50", "batch p95"),
        rows,
        (
            Aim("texts/s, batches of 8", "", str(rows[1][1])),
            Aim("held-out accuracy of the best guess", "", f"{right / total:.0%}"),
        ),
        (
            f"Model {tagger.version}; built from the encoder's package in {built:.1f} s on first use, then cached.",
            (
                f"A sanity figure, no claim: of {total} held-out seed texts, written for this project together with "
                f"the training texts, {right} are right at first guess; {applied} would be tagged without asking, "
                f"{applied_right} of them rightly. Real tickets are the next measure."
            ),
        ),
    )


def _row(tagger: Tagger, size: int, texts_each: int) -> tuple[str, ...]:
    texts = [text for text, _ in examples("heldout")]
    stream = cycle(texts)
    tagger.tag(texts[:size])
    waits = []
    for _ in range(texts_each // size):
        batch = list(islice(stream, size))
        started = time.perf_counter()
        tagger.tag(batch)
        waits.append(time.perf_counter() - started)
    rate = len(waits) * size / sum(waits)
    return (str(size), f"{rate:,.0f}", ms(quantile(waits, 0.5)), ms(quantile(waits, 0.95)))


def _quality(tagger: Tagger) -> tuple[int, int, int, int]:
    """Right at first guess, applied, rightly applied, all."""
    heldout = examples("heldout")
    found = tagger.tag([text for text, _ in heldout])
    pairs = [(tagging, label) for tagging, (_, label) in zip(found, heldout, strict=True)]
    right = sum(
        max(tagging.scores, key=lambda name: tagging.scores[name]) == label for tagging, label in pairs
    )
    applied = [tagging.category == label for tagging, label in pairs if tagging.band == "apply"]
    return right, len(applied), sum(applied), len(heldout)
