"""Whether a challenger may serve, and what stands there now. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ml.churn import shadow
from ml.churn.shadow import Beside
from ml.churn.shelf import Model, Shelf, Verdict


@dataclass(frozen=True, slots=True)
class Offer:
    """A challenger that passed the gate against the champion and has scored beside it for `cycles` days."""

    challenger: Model
    champion: Model
    verdict: Verdict
    beside: Beside
    cycles: int


def offer(shelf: Shelf, verdict: Verdict | None, besides: Sequence[Beside], needed: int) -> Offer | None:
    """What may be promoted now; None also for a model that served before: going back is a rollback."""
    challenger, champion = shelf.challenger, shelf.champion
    if challenger is None or champion is None or challenger.digest == champion.digest:
        return None
    if challenger.trouble:
        return None
    passed = verdict is not None and verdict.passed and verdict.against == champion.name
    done = shadow.cycles(besides, champion.name)
    if verdict is None or not passed or done < needed or shelf.promotion(challenger.digest) is not None:
        return None
    newest = [one for one in besides if one.against == champion.name and not one.trouble][-1]
    return Offer(challenger, champion, verdict, newest, done)


def why_not(shelf: Shelf, verdict: Verdict | None, besides: Sequence[Beside], needed: int) -> str:
    """A sentence on what the challenger waits for; empty when there is none, or nothing is in its way."""
    challenger, champion = shelf.challenger, shelf.champion
    if challenger is None or champion is None or challenger.digest == champion.digest:
        return ""
    if challenger.trouble:
        return f"{challenger.name} can't serve. {challenger.trouble}. Train anew."
    if shelf.promotion(challenger.digest) is not None:
        return "It served before."
    return _what_it_lacks(champion, verdict, besides, needed)


def _what_it_lacks(champion: Model, verdict: Verdict | None, besides: Sequence[Beside], needed: int) -> str:
    if verdict is None or verdict.against != champion.name:
        return "It was not compared with this champion; the next training compares anew."
    if not verdict.passed:
        return verdict.words
    done = shadow.cycles(besides, champion.name)
    if done >= needed:
        return ""
    trouble = next((f" {one.trouble}" for one in reversed(besides) if one.trouble), "")
    return f"It passed the gate and scores beside the champion: {done} of {needed} scorings.{trouble}"


def stands(shelf: Shelf) -> str:
    """Who serves and who waits, as a sentence."""
    champion = shelf.champion.name if shelf.champion else "no model"
    waiting = shelf.challenger if shelf.challenger != shelf.champion else None
    return f"{champion} serves now" + (f", and {waiting.name} waits." if waiting else ".")
