"""Stopping mitigations, letting them run again, letting one run by itself: changes that are recorded."""

from __future__ import annotations

from typing import Final

from bot.plugin import Change, ConfigurationItem, Context, Risk
from plugins.alert_relay.mitigation.switch import KEY, Mode

TEMPLATE: Final = "mitigation-within-guardrails"
_VERBS: dict[str, tuple[str, str]] = {
    "stop": ("Stop all mitigations", "stop"),
    "observe": ("Let mitigations only observe", "observe"),
    "run": ("Let mitigations run again", "resume"),
}


def switch(mode: Mode, why: str, ctx: Context) -> Change:
    """It can't wait, in either direction: an emergency change, to be reviewed afterwards."""
    title, _ = _VERBS[mode]
    present = ctx.documents.get(KEY)
    before = str(present.data.get("mode")) if present else "run"
    _, back = _VERBS.get(before, _VERBS["stop"])
    return ctx.changes.propose(
        "emergency",
        title,
        key=f"mitigations-switch/{ctx.event.id}",
        reason=why or "No reason was given.",
        plan=f"Set the switch to {mode!r}; every run looks at it before it acts.",
        backout_plan=f"`/signalbox mitigations {back}` or `signalbox mitigations {back}`",
        items=[ConfigurationItem(type="config", name="mitigations")],
        before={"mode": before},
        after={"mode": mode},
    )


def auto(name: str, *, on: bool, ctx: Context) -> Change:
    """Within its guardrails a mitigation may run by itself; to take that away is never refused."""
    word, back = ("on", "off") if on else ("off", "on")
    return ctx.changes.propose(
        "standard" if on else "emergency",
        f"Let the mitigation {name} run by itself" if on else f"No longer let {name} run by itself",
        key=f"mitigations-auto/{ctx.event.id}",
        template=TEMPLATE if on else "",
        reason="Asked for in the chat.",
        plan=f"Set `auto` of {name} to {word}; the next round obeys.",
        backout_plan=f"`/signalbox mitigations auto {name} {back}`",
        risk=Risk(measures="The guardrails and limits that it is declared with."),
        items=[ConfigurationItem(type="config", name=f"mitigation {name}")],
        before={"auto": not on},
        after={"auto": on},
    )
