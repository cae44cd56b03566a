"""Letting another model serve is a change: who authorised it, on what evidence, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.plugin import Change, Changes, ConfigurationItem, Context
from plugins.autotag.challengers import Challenger

TEMPLATE: Final = "promotion-within-guardrails"


def in_advance(ctx: Context) -> bool:
    """Whether the operator lets the policy promote; else a person has to press."""
    return TEMPLATE in ctx.settings.records.templates


def begun(made: Challenger, ctx: Context, *, policy: bool) -> Change:
    """The change, authorised by the template or by whoever pressed, and begun."""
    change = ctx.changes.propose(
        "standard" if policy else "normal",
        f"Promote tag model {made.version}",
        key=f"tags-promote/{made.id}",
        template=TEMPLATE if policy else "",
        by="plugin:autotag",
        reason=made.why,
        plan=f"Let {made.version} serve.",
        backout_plan=f"`signalbox tags promote` of {made.against}, whose folder is kept.",
        items=_items(made.version, made.digest, made.data),
        evidence={
            "accuracy": made.accuracy,
            "before": made.before,
            "difference": [made.low, made.high],
            "learned": made.learned,
        },
        before={"champion": made.against},
    )
    if change.status == "assessed":
        ctx.changes.authorise(change.id)
    return ctx.changes.begin(change.id)


def by_command(
    version: str,
    against: str,
    changes: Changes,
    key: str,
    *,
    template: str,
    why: str,
    digest: str,
    data: str,
    evidence: Mapping[str, Any],
) -> Change:
    """What `signalbox tags promote` does: standard where the gate let it pass and the operator allows that in
    advance; else an emergency, to be reviewed. Whoever types it can't be the second person, too.
    """
    return changes.propose(
        "standard" if template else "emergency",
        f"Promote tag model {version}",
        key=f"tags-promote-command/{key}",
        template=template,
        reason=why,
        plan=f"Let {version} serve.",
        backout_plan=f"`signalbox tags promote` of {against}, whose folder is kept.",
        items=_items(version, digest, data),
        evidence=evidence,
        before={"champion": against},
    )


def _items(version: str, digest: str, data: str) -> Sequence[ConfigurationItem]:
    model = ConfigurationItem(type="model", name="tags", version=version, digest=digest)
    return [model, ConfigurationItem(type="dataset", name="tags", digest=data)]
