"""Where the state of groups is kept between events; writers that meet try again on the newest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.plugin import Context, Transient
from plugins.alert_relay.state import GroupState

_OPEN = "open-groups"
_TRIES = 5
Change = Callable[[GroupState | None], GroupState | None]


def load(ctx: Context, key: str) -> tuple[GroupState | None, int]:
    """The state with its version, 0 when there is none yet."""
    found = ctx.documents.get(f"group:{key}")
    return (GroupState.model_validate(found.data), found.version) if found else (None, 0)


def change(ctx: Context, key: str, apply: Change) -> GroupState | None:
    """Apply a pure change to the newest state and keep it, unless there is nothing new; the state then."""
    for _ in range(_TRIES):
        before, version = load(ctx, key)
        after = apply(before)
        if after is None or after == before:
            return before
        if ctx.documents.put(f"group:{key}", after.model_dump(mode="json"), version=version):
            _track(ctx, after)
            return after
    raise Transient(f"The alert group {key} is being changed by too many workers at once.")


def open_keys(ctx: Context) -> list[str]:
    """Groups that the clock looks after: those that fire, or whose silence is to be ended."""
    found = ctx.documents.get(_OPEN)
    return list(found.data["keys"]) if found else []


def firing(ctx: Context) -> list[GroupState]:
    found = [load(ctx, key)[0] for key in open_keys(ctx)]
    return [state for state in found if state is not None and state.status == "firing"]


def _track(ctx: Context, state: GroupState) -> None:
    wanted = state.status == "firing" or state.silence_to_end
    for _ in range(_TRIES):
        found = ctx.documents.get(_OPEN)
        keys = set(found.data["keys"]) if found else set()
        if wanted == (state.key in keys):
            return
        keys ^= {state.key}
        if ctx.documents.put(_OPEN, {"keys": sorted(keys)}, version=found.version if found else 0):
            return
    raise Transient("The list of open alert groups is being changed by too many workers at once.")


def is_noted(ctx: Context, kind: str, subject: str) -> bool:
    """Whether an earlier attempt at this event recorded the fact already."""
    newest = ctx.records.find(kind, subject=subject, limit=20)
    return any(record.event_id == ctx.event.id for record in newest)


def note_once(ctx: Context, kind: str, subject: str, data: dict[str, Any]) -> None:
    if not is_noted(ctx, kind, subject):
        ctx.records.append(kind, subject, data)
