"""Where cases and digests are kept; writers that meet try again on the newest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel

from bot.plugin import Context, Transient
from plugins.churn_digest.state import Candidate, Case, Digest

M = TypeVar("M", bound=BaseModel)
_TRIES = 8
_CASE, _DIGEST, _CANDIDATE = "case:", "digest:", "candidate:"


def case(ctx: Context, customer_id: str) -> Case | None:
    return _load(ctx, Case, _case_key(customer_id))[0]


def cases(ctx: Context) -> dict[str, Case]:
    """All cases by customer."""
    found = (Case.model_validate(document.data) for document in ctx.documents.having(_CASE))
    return {case.customer_id: case for case in found}


def cases_of(ctx: Context, customers: Iterable[str]) -> dict[str, Case]:
    found = ctx.documents.many([_case_key(customer) for customer in customers])
    return {case.customer_id: case for case in (Case.model_validate(document.data) for document in found)}


def change_case(ctx: Context, customer_id: str, apply: Callable[[Case | None], Case | None]) -> Case | None:
    """Apply a pure change to the newest case and keep it, unless there is nothing new; the case then."""
    return _change(ctx, Case, _case_key(customer_id), apply)


def open_case(ctx: Context, made: Case) -> Case:
    """Keep a new case; the one that stands, if there is one."""
    return change_case(ctx, made.customer_id, lambda known: known or made) or made


def digest(ctx: Context, week: str) -> Digest:
    return _load(ctx, Digest, _DIGEST + week)[0] or Digest(week=week)


def newest_digest(ctx: Context) -> Digest | None:
    """Weeks sort by their names."""
    found = ctx.documents.having(_DIGEST)
    return Digest.model_validate(found[-1].data) if found else None


def change_digest(ctx: Context, week: str, apply: Callable[[Digest], Digest]) -> Digest:
    changed = _change(ctx, Digest, _DIGEST + week, lambda known: apply(known or Digest(week=week)))
    return changed or Digest(week=week)


def candidates(ctx: Context) -> list[Candidate]:
    """Challengers that were offered, in the order of their names."""
    return [Candidate.model_validate(document.data) for document in ctx.documents.having(_CANDIDATE)]


def candidate(ctx: Context, name: str) -> Candidate | None:
    return _load(ctx, Candidate, _CANDIDATE + name)[0]


def change_candidate(
    ctx: Context, name: str, apply: Callable[[Candidate | None], Candidate | None]
) -> Candidate | None:
    """Apply a pure change to the newest state of a challenger and keep it; the state then."""
    return _change(ctx, Candidate, _CANDIDATE + name, apply)


def once(ctx: Context, key: str, data: dict[str, Any] | None = None) -> bool:
    """Whether this event is the one that does it: the first that asks, and its own retries."""
    ctx.documents.put(f"once:{key}", {**(data or {}), "event": ctx.event.id}, version=0)
    held = ctx.documents.get(f"once:{key}")
    return held is not None and held.data["event"] == ctx.event.id


def note_once(ctx: Context, kind: str, subject: str, data: dict[str, Any]) -> None:
    """Record a fact, unless an earlier attempt at this event did."""
    newest = ctx.records.find(kind, subject=subject, limit=20)
    if all(record.event_id != ctx.event.id for record in newest):
        ctx.records.append(kind, subject, data)


def _case_key(customer_id: str) -> str:
    return f"{_CASE}{customer_id}"[:255]


def _load(ctx: Context, model: type[M], key: str) -> tuple[M | None, int]:
    found = ctx.documents.get(key)
    return (model.model_validate(found.data), found.version) if found else (None, 0)


def _change(ctx: Context, model: type[M], key: str, apply: Callable[[M | None], M | None]) -> M | None:
    for _ in range(_TRIES):
        before, version = _load(ctx, model, key)
        after = apply(before)
        if after is None or after == before:
            return before
        if ctx.documents.put(key, after.model_dump(mode="json"), version=version):
            return after
    raise Transient(f"{key} is being changed by too many workers at once.")
