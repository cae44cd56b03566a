"""Settings are part of the service's configuration: setting them anew is a change, and recorded as one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bot.plugin import Change, ConfigurationItem, Context, Refused

TEMPLATE = "settings-within-limits"
_KIND = "settings"


def propose(plugin: str, values: Mapping[str, Any], version: int, ctx: Context) -> Change:
    """A standard change where the operator allows it in advance; else one that waits for another person.

    Raises:
        Refused: the values do not do. Nothing is recorded then.
    """
    told = ctx.overrides.check(plugin, values, version)
    standard = TEMPLATE in ctx.settings.records.templates
    return ctx.changes.propose(
        "standard" if standard else "normal",
        f"Set {plugin} anew: {', '.join(sorted(values))}"[:200],
        key=f"{_KIND}/{ctx.event.id}",
        template=TEMPLATE if standard else "",
        reason="Asked for in the chat.",
        plan=f"Lay the values over {plugin}'s settings; every process takes them within seconds.",
        backout_plan=f"`/signalbox settings {plugin}` with the values before, or with `reset`.",
        items=[ConfigurationItem(type="config", name=f"plugin {plugin}", digest=_digest(values))],
        evidence={"plugin": plugin, "version": version},
        before=told,
        after=dict(values),
        related={"kind": _KIND},
    )


def carry_out(change: Change, by: str, ctx: Context) -> dict[str, Any]:
    """Set what was proposed; what changed. Once more, it sets nothing; it fails when somebody was faster."""
    plugin, version = str(change.evidence["plugin"]), int(change.evidence["version"])
    ctx.changes.begin(change.id)
    try:
        done = change.ended or _stands(plugin, change.after, ctx)
        changed = dict(change.after) if done else ctx.overrides.change(plugin, change.after, by, version)
    except Refused as exc:
        ctx.changes.end(change.id, "failed", outcome=str(exc))
        raise
    ctx.changes.end(change.id)
    return changed


def _stands(plugin: str, values: Mapping[str, Any], ctx: Context) -> bool:
    """Whether all is set so: by an attempt that was cut off before it could say so."""
    present = ctx.registry.plugins[plugin].config.model_dump(mode="json")
    return all(present.get(field) == value for field, value in values.items())


def waiting(ctx: Context) -> list[Change]:
    """Those that need another person's word, the newest first."""
    return [change for change in ctx.changes.find(status="assessed") if change.related.get("kind") == _KIND]


def switched(plugin: str, *, on: bool, why: str, ctx: Context) -> Change:
    """Switching a plugin off or on again can't wait: an emergency change, to be reviewed afterwards."""
    word, back = ("on", "disable") if on else ("off", "enable")
    change = ctx.changes.propose(
        "emergency",
        f"Switch the plugin {plugin} {word}",
        key=f"switch/{ctx.event.id}",
        reason=why or "No reason was given.",
        plan=f"Switch {plugin} {word}; every process obeys within seconds.",
        backout_plan=f"`/signalbox plugins {back} {plugin}`",
        items=[ConfigurationItem(type="config", name=f"plugin {plugin}")],
        after={"on": on},
    )
    return ctx.changes.begin(change.id)


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
