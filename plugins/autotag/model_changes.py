"""Letting another model serve is a change: who authorised it, on what evidence, and the way back."""

from __future__ import annotations

from bot.plugin import Change, ConfigurationItem, Context
from plugins.autotag.challengers import Challenger

TEMPLATE = "promotion-within-guardrails"


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
        items=[ConfigurationItem(type="model", name="tags", version=made.version)],
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
