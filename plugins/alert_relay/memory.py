"""Where the state of groups is kept between events; writers that meet try again on the newest.

What is written here need not survive a power cut: the event that brought it about would be handled again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bot.plugin import Context, Transient
from plugins.alert_relay import keysets
from plugins.alert_relay.state import GroupState

_OPEN, _RECEIVERS, _SOURCES = "open", "receivers", "sources"
_TRIES = 5
Change = Callable[[GroupState | None], GroupState | None]


def document_of(key: str) -> str:
    return f"group:{key}"


def load(ctx: Context, key: str) -> tuple[GroupState | None, int]:
    """The state with its version, 0 when there is none yet."""
    found = ctx.documents.get(document_of(key))
    return (GroupState.model_validate(found.data), found.version) if found else (None, 0)


def change(ctx: Context, key: str, apply: Change) -> GroupState | None:
    """Apply a pure change to the newest state and keep it, unless there is nothing new; the state then."""
    for _ in range(_TRIES):
        before, version = load(ctx, key)
        after = apply(before)
        if after is None or after == before:
            return before
        if ctx.documents.put(document_of(key), after.model_dump(mode="json"), version=version, durable=False):
            _track(ctx, after)
            return after
    raise Transient(f"The alert group {key} is being changed by too many workers at once.")


def note_place(ctx: Context, state: GroupState, version: int) -> bool:
    """Keep where its message stands, unless somebody was faster; that alone is nothing to show."""
    placed = state.model_copy(update={"placed": version + 1})
    return ctx.documents.put(
        document_of(state.key), placed.model_dump(mode="json"), version=version, durable=False
    )


def many(ctx: Context, keys: Iterable[str]) -> list[GroupState]:
    found = ctx.documents.many([document_of(key) for key in keys])
    return [GroupState.model_validate(document.data) for document in found]


def open_states(ctx: Context) -> list[GroupState]:
    """Groups that the clock looks after."""
    return many(ctx, open_keys(ctx))


def receivers(ctx: Context) -> frozenset[str]:
    """Those of Alertmanager's receivers that send to us."""
    found = ctx.documents.get(_RECEIVERS)
    return frozenset(found.data["names"]) if found else frozenset()


def note_receiver(ctx: Context, name: str) -> None:
    known = receivers(ctx)
    if name not in known:
        ctx.documents.put(_RECEIVERS, {"names": sorted(known | {name})})


def sources(ctx: Context) -> frozenset[str]:
    """Addresses by which Alertmanagers call themselves whose groups the one that we ask has listed."""
    found = ctx.documents.get(_SOURCES)
    return frozenset(found.data["urls"]) if found else frozenset()


def note_source(ctx: Context, url: str) -> None:
    known = sources(ctx)
    if url and url not in known:
        ctx.documents.put(_SOURCES, {"urls": sorted(known | {url})})


def firing(ctx: Context) -> list[GroupState]:
    return [state for state in open_states(ctx) if state.status == "firing"]


def open_keys(ctx: Context) -> list[str]:
    return keysets.members(ctx.documents, _OPEN)


def _track(ctx: Context, state: GroupState) -> None:
    keysets.put(ctx.documents, _OPEN, state.key, wanted=state.is_looked_after)


def is_noted(ctx: Context, kind: str, subject: str) -> bool:
    """Whether an earlier attempt at this event recorded the fact already."""
    newest = ctx.records.find(kind, subject=subject, limit=20)
    return any(record.event_id == ctx.event.id for record in newest)


def note_once(ctx: Context, kind: str, subject: str, data: dict[str, Any]) -> bool:
    """Write a fact down; False when an earlier attempt at this event did."""
    if is_noted(ctx, kind, subject):
        return False
    ctx.records.append(kind, subject, data, durable=False)
    return True
