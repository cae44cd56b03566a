"""Accuracy of the tagger from ten examples a label, alone and beside texts that nobody labelled."""

from __future__ import annotations

import dataclasses

from benchmarks.report import Progress, Section
from benchmarks.tagging_accuracy import HEADER, Job, Task, aim, banking, measured
from ml.tagging.training import data
from ml.tagging.training.data import Parts
from ml.tagging.training.run import Plan

EACH = 10
TFIDF, ALONE, BESIDE = "TF-IDF + logistic regression", "frozen encoder + head", "… beside unlabelled texts"


def run(progress: Progress, *, quick: bool = False) -> Section:
    whole = banking(quick=quick)
    labelled = Parts(data.few(whole.parts.train, 8 if quick else EACH, 0), ())
    kept = {id(example) for example in labelled.train}
    unlabelled = [example.text for example in whole.parts.train if id(example) not in kept]
    alone = Task(f"banking77, {EACH} a label", labelled, whole.test)
    beside = dataclasses.replace(alone, parts=dataclasses.replace(labelled, unlabelled=unlabelled))
    plan = Plan("few", "few-shot")
    jobs: list[Job] = [(alone, TFIDF, None), (alone, ALONE, plan), (beside, BESIDE, plan)]
    found = measured(jobs, progress)
    few, more = found[alone.name, ALONE], found[alone.name, BESIDE]
    return Section(
        "tagging_few",
        f"Tagging: accuracy from {EACH} examples a label",
        HEADER,
        [result.row(*which) for which, result in found.items()],
        (
            aim("banking77 from 10 examples a label, accuracy", few.accuracy, 0.87),
            aim("… beside unlabelled texts", more.accuracy, 0.87),
        ),
        (
            (
                f"{len(labelled.train)} labelled texts of the training part; the names of the labels are one more "
                f"example each. The unlabelled texts are {len(unlabelled):,} others of the training part, whose "
                "labels are thrown away. Temperature comes from out of fold."
            ),
            (
                "All settings were chosen on draws from the training part, with 1,000 other training texts to judge "
                "them; none on the test part."
            ),
        ),
    )
