"""Letting another churn model serve is a change: what is proposed, wherever somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.plugin import Change, Changes, ConfigurationItem
from ml.churn.shelf import Model
from plugins.churn_digest.candidates import Offer

TEMPLATE: Final = "promotion-within-guardrails"
PROPOSER: Final = "plugin:churn-digest"


def promotion(offer: Offer, changes: Changes, *, template: str = "", again: str = "") -> Change:
    """A challenger that passed the gate and scored beside the champion; one change for each pair of them.

    Without a `template` a person has to say yes. `again` makes it another one, after the first was rejected.
    """
    new, old = offer.challenger, offer.champion
    return changes.propose(
        "standard" if template else "normal",
        f"Promote churn model {new.name}",
        key="/".join(part for part in ("churn-promote", new.name, old.name, again) if part),
        template=template,
        by=PROPOSER,
        reason=offer.verdict.words,
        plan=f"Let {new.name} serve.",
        backout_plan=f"`/signalbox churn rollback`: {old.name} serves again at once.",
        items=items(new),
        evidence={
            "challenger": offer.verdict.challenger,
            "champion": offer.verdict.champion,
            "chance_better": offer.verdict.chance,
            "chance_lasting": offer.verdict.lasting,
            "shadow": offer.beside.model_dump(mode="json"),
            "data": new.data_sha256,
        },
        before={"champion": old.name},
    )


def first(target: Model, changes: Changes, templates: Sequence[str]) -> Change:
    """Nothing served before, so there is nothing to be compared with."""
    allowed = TEMPLATE in templates
    return changes.propose(
        "standard" if allowed else "emergency",
        f"Let the first churn model {target.name} serve",
        key=f"churn-first/{target.digest[:12]}",
        template=TEMPLATE if allowed else "",
        reason="No model served yet. It passed the leak audit, and no figure is too good to be true.",
        plan=f"Let {target.name} serve.",
        backout_plan="None served before: `/signalbox plugins disable churn-digest` until another does.",
        items=items(target),
        evidence=_evidence(target),
    )


def forced(target: Model, champion: Model | None, why: str, key: str, changes: Changes) -> Change:
    """Past the gate: an emergency change, to be reviewed."""
    return changes.propose(
        "emergency",
        f"Churn model {target.name} was let serve on the command line",
        key=f"churn-forced/{key}",
        reason=why or "No reason was given.",
        plan=f"Let {target.name} serve.",
        backout_plan="`signalbox models rollback` or `/signalbox churn rollback`",
        items=items(target),
        evidence=_evidence(target),
        before={"champion": champion.name if champion else ""},
    )


def rollback(target: Model, serving: str, reason: str, key: str, changes: Changes) -> Change:
    """At once, and reviewed afterwards."""
    return changes.propose(
        "emergency",
        f"Roll churn back to {target.name}",
        key=f"churn-rollback/{key}",
        reason=reason or "No reason was given.",
        plan=f"Let {target.name} serve again.",
        backout_plan=f"The same again: {serving} serves.",
        items=items(target),
        before={"champion": serving},
    )


def items(model: Model) -> tuple[ConfigurationItem, ...]:
    return (
        ConfigurationItem(type="model", name="churn", version=model.name, digest=model.digest),
        ConfigurationItem(type="dataset", name="churn", digest=model.data_sha256),
    )


def _evidence(model: Model) -> dict[str, object]:
    """How it did on the newest cut of its day, with 95 % intervals."""
    return {
        "metrics": model.metrics,
        "intervals": model.intervals,
        "data": model.data_sha256,
        "code": model.code_version,
    }
