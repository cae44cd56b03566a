"""Why groups wait, and since when. More new groups a minute than a person can read are a storm."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from bot.core.memory import Documents
from bot.plugin import Context
from plugins.alert_relay import keysets

LOCK = "holds"
_DOCUMENT = "holds"
MINUTE = timedelta(minutes=1)
SUMMARY_EVERY = timedelta(seconds=5)
Kind = Literal["storm", "quiet"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Hold(_Value):
    """`until` is known beforehand of quiet hours, not of a storm."""

    id: str
    kind: Kind
    channel: str
    since: datetime
    until: datetime | None = None
    shown_at: datetime | None = None


class Pace(_Value):
    """The newest starts in one channel, and how many storms it has had."""

    starts: tuple[datetime, ...] = ()
    storms: int = 0


class Holds(_Value):
    """All that waits now: the paces by channel, the holds by id."""

    paces: dict[str, Pace] = {}
    holds: dict[str, Hold] = {}

    def storm_in(self, channel: str) -> Hold | None:
        return next((h for h in self.holds.values() if h.kind == "storm" and h.channel == channel), None)

    def with_hold(self, hold: Hold) -> Holds:
        return self.model_copy(update={"holds": {**self.holds, hold.id: hold}})

    def without(self, hold_id: str) -> Holds:
        return self.model_copy(update={"holds": {i: h for i, h in self.holds.items() if i != hold_id}})


class Admission(NamedTuple):
    """`hold` is what a new group has to wait for; `show` says that its summary is due."""

    hold: Hold | None
    show: bool = False


def admitted(
    known: Holds, channel: str, now: datetime, *, limit: int, quiet_until: datetime | None
) -> tuple[Holds, Admission]:
    """Count a new group in a channel, and decide whether it gets a message at once."""
    pace = known.paces.get(channel, Pace())
    starts = (*pace.starts, now)[-(limit + 1) :]
    storm = known.storm_in(channel)
    bursts = 0 < limit < len(starts) and now - starts[0] < MINUTE
    if storm is None and bursts:
        number = pace.storms + 1
        storm = Hold(id=f"storm:{channel}:{number}", kind="storm", channel=channel, since=now)
        pace = Pace(storms=number)
    paces = {**known.paces, channel: pace.model_copy(update={"starts": starts})}
    known = known.model_copy(update={"paces": paces})
    if storm is not None:
        return _shown(known, storm, now)
    if quiet_until is None:
        return known, Admission(None)
    hold_id = f"quiet:{channel}:{quiet_until:%Y%m%dT%H%M}"
    fresh = Hold(id=hold_id, kind="quiet", channel=channel, since=now, until=quiet_until)
    quiet = known.holds.get(hold_id, fresh)
    return known.with_hold(quiet), Admission(quiet)


def _shown(known: Holds, storm: Hold, now: datetime) -> tuple[Holds, Admission]:
    due = storm.shown_at is None or now - storm.shown_at >= SUMMARY_EVERY
    storm = storm.model_copy(update={"shown_at": now}) if due else storm
    return known.with_hold(storm), Admission(storm, due)


def is_over(known: Holds, hold: Hold, now: datetime, *, limit: int) -> bool:
    """A storm is over when few groups start; half of the limit keeps it from coming and going."""
    if hold.until is not None:
        return now >= hold.until
    starts = known.paces.get(hold.channel, Pace()).starts
    return sum(now - start < MINUTE for start in starts) <= limit // 2


def load(documents: Documents) -> Holds:
    found = documents.get(_DOCUMENT)
    return Holds.model_validate(found.data) if found else Holds()


def _save(documents: Documents, holds: Holds) -> None:
    documents.put(_DOCUMENT, holds.model_dump(mode="json"))


def admit(ctx: Context, channel: str, key: str, *, limit: int, quiet_until: datetime | None) -> Admission:
    """Whether a new group has to wait; if so, it is on the list of what is held."""
    with ctx.exclusive(LOCK, durable=False) as tx:
        holds, found = admitted(load(tx.documents), channel, ctx.now(), limit=limit, quiet_until=quiet_until)
        _save(tx.documents, holds)
        if found.hold is not None:
            keysets.put(tx.documents, members_of(found.hold.id), key)
    return found


def finish(ctx: Context, hold: Hold) -> None:
    """None of its groups waits any more."""
    with ctx.exclusive(LOCK, durable=False) as tx:
        _save(tx.documents, load(tx.documents).without(hold.id))


def members_of(hold_id: str) -> str:
    return f"held:{hold_id}"


def rages(ctx: Context) -> bool:
    """Whether any channel has a storm: then nobody is asked about each group."""
    return any(hold.kind == "storm" for hold in load(ctx.documents).holds.values())
