"""What changed between two states of a group, as lines for its thread."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from plugins.alert_relay.state import GroupState, Line, LineKind

KEPT = 30
_NAMES = 3


def noted(before: GroupState | None, after: GroupState, *, event_id: str, actor: str) -> GroupState:
    """`after` with a line for each change, told by the event that brought it about: so once."""
    known = before.history if before is not None and before.episode == after.episode else ()
    seq = known[-1].seq if known else 0
    added = [line for line in after.history if line.seq > seq]
    opens = before is None or before.episode != after.episode
    found = added if opens or before is None else [*added, *_changes(before, after, actor)]
    lines = [
        line.model_copy(update={"seq": seq + n, "event_id": event_id}) for n, line in enumerate(found, 1)
    ]
    return after.model_copy(update={"history": (*known, *lines)[-KEPT:]}) if lines else after


def with_line(
    state: GroupState, kind: LineKind, *, by: str = "", text: str = "", until: datetime | None = None
) -> GroupState:
    """Add a line that no difference of states would tell; `noted` gives it its number."""
    seq = (state.history[-1].seq if state.history else 0) + 1
    line = Line(seq=seq, kind=kind, event_id="", by=by, text=text, until=until)
    return state.model_copy(update={"history": (*state.history, line)})


def _changes(before: GroupState, after: GroupState, actor: str) -> Iterator[Line]:
    if is_flapping(after):
        yield from _people(before, after, actor)
        return
    yield from _alerts(before, after)
    yield from _silence(before, after, actor)
    yield from _people(before, after, actor)
    if before.status == "firing" and after.status == "resolved":
        yield _line("resolved")


def _alerts(before: GroupState, after: GroupState) -> Iterator[Line]:
    if before.status == "resolved" and after.status == "firing":
        yield _line("fired_again")
        return
    if after.status == "resolved":
        return
    was, now = _firing(before), _firing(after)
    if was and now - was:
        yield _line("new", text=_names(after, now - was))
    if was - now and now:
        yield _line("ended", text=_names(before, was - now))


def _silence(before: GroupState, after: GroupState, actor: str) -> Iterator[Line]:
    was, now = before.silenced, after.silenced
    if now is not None and (was is None or was.id != now.id):
        yield Line(seq=0, kind="silenced", event_id="", by=now.by, text=now.comment, until=now.until)
    elif now is not None and was is not None and was.until != now.until:
        yield Line(seq=0, kind="silence_changed", event_id="", by=now.by, text=now.comment, until=now.until)
    elif was is not None and now is None and after.status == "firing":
        yield _line("silence_ended", by=actor)


def _people(before: GroupState, after: GroupState, actor: str) -> Iterator[Line]:
    if after.acked is not None and after.acked != before.acked:
        yield _line("acked", by=after.acked.by)
    if after.assignee != before.assignee and after.assignee not in {"", actor}:
        yield _line("assigned", by=actor, text=after.assignee)
    if after.ticket is not None and after.ticket != before.ticket:
        yield _line("ticket", by=actor, text=after.ticket.key)


def _line(kind: LineKind, *, by: str = "", text: str = "") -> Line:
    return Line(seq=0, kind=kind, event_id="", by=by, text=text)


def _firing(state: GroupState) -> set[str]:
    return {fingerprint for fingerprint, mark in state.marks.items() if mark.status == "firing"}


def _names(state: GroupState, fingerprints: set[str]) -> str:
    names = sorted(state.marks[fingerprint].name for fingerprint in fingerprints)
    rest = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{len(names)}: {', '.join(names[:_NAMES])}{rest}"


FLAPPING_STARTS = 4
FLAPPING_WITHIN = timedelta(hours=1)
SLOWEST = timedelta(minutes=16)
_STARTS_KEPT = 12


def is_flapping(state: GroupState) -> bool:
    """Whether it started so often in a short time that its coming and going is no news."""
    return len(state.fired) >= FLAPPING_STARTS and state.fired[-1] - state.fired[-FLAPPING_STARTS] < (
        FLAPPING_WITHIN
    )


def started(state: GroupState, at: datetime) -> tuple[datetime, ...]:
    return (*state.fired, at)[-_STARTS_KEPT:]


def pace(state: GroupState) -> timedelta:
    """How long a flapping group's message stays as it is: twice as long with each start in the last hour."""
    newest = state.fired[-1]
    recent = sum(newest - start < FLAPPING_WITHIN for start in state.fired)
    return min(SLOWEST, timedelta(minutes=2 ** (recent - FLAPPING_STARTS)))


def is_slowed(state: GroupState, now: datetime) -> bool:
    """Whether the message of a flapping group was changed too recently to be changed again."""
    shown = state.shown_at
    return shown is not None and is_flapping(state) and now < shown + pace(state)
