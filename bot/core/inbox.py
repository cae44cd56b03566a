"""The inbox: the durable table of events and of the runs that handle them.

A run is leased by one worker at a time; a lease that runs out (a dead worker) makes the run due
again, whatever the clocks say. Runs that share a `serial` key never overlap, so that events about one
subject keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    func,
    insert,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from bot.core.database import Database
from bot.core.errors import Permanent
from bot.core.events import Event, NewEvent, Receipt, utc_now
from bot.core.lease_watch import LeaseWatch, steady
from bot.core.retry import LONGEST_WAIT
from bot.core.tables import dedupe, events, runs, serials

RunStatus = Literal["pending", "leased", "done", "dead"]
MAX_ERROR = 4000
LEASE = timedelta(minutes=2)
SKEW = timedelta(minutes=1)
SHORT_WINDOW = timedelta(hours=1)
ORPHANED = timedelta(days=1)
_AFTER_HEX = "g"


@dataclass(frozen=True, slots=True)
class DueRun:
    run_id: str
    queue: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a run until it ends or the lease runs out."""

    run_id: str
    event: Event
    body: bytes
    handler: str
    queue: str
    attempt: int
    serial: str | None
    owner: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Another run holds the serial key; try again at `until` at the latest."""

    until: datetime


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as lists and traces show it."""

    id: str
    event_id: str
    source: str
    kind: str
    subject: str
    handler: str
    queue: str
    status: RunStatus
    attempts: int
    due_at: datetime
    received_at: datetime
    finished_at: datetime | None
    error: str | None


class Inbox:
    """Args:
    lease: how long a worker may hold a run.
    """

    def __init__(
        self, db: Database, clock: Callable[[], datetime] = utc_now, lease: timedelta = LEASE
    ) -> None:
        self._db = db
        self._clock = clock
        self._watch = LeaseWatch(lease, steady(clock))
        self._insert: Any = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert

    # -- coming in ---------------------------------------------------------------------------------

    def put_many(self, new: Sequence[NewEvent]) -> list[Receipt]:
        """Store events and their runs in one transaction; duplicates are recognised, not stored."""
        now = self._clock()
        with self._db.write() as tx:
            owners = self._claim_keys(tx, new, now)
            receipts = [_receipt(event, owners) for event in new]
            fresh = [e for e, receipt in zip(new, receipts, strict=True) if not receipt.duplicate]
            if fresh:
                tx.execute(insert(events), [_event_row(e, now) for e in fresh])
            rows = [row for e in fresh for row in _run_rows(e, now)]
            if rows:
                tx.execute(insert(runs), rows)
        return receipts

    def put(self, event: NewEvent) -> Receipt:
        return self.put_many([event])[0]

    def _claim_keys(self, tx: Connection, new: Sequence[NewEvent], now: datetime) -> dict[str, str]:
        """Claim each dedupe key for the first event that carries it; returns key → owning event.

        One statement, atomic against other web nodes: an unexpired key keeps its owner. Keys are
        sorted so that two nodes never wait for each other in a circle.
        """
        wanted: dict[str, dict[str, Any]] = {}
        for event in new:
            for key in event.dedupe:
                wanted.setdefault(
                    key.key,
                    {"key": key.key, "event_id": event.id, "expires_at": now + timedelta(seconds=key.window)},
                )
        if not wanted:
            return {}
        statement = self._insert(dedupe)
        statement = statement.on_conflict_do_update(
            index_elements=[dedupe.c.key],
            set_={"event_id": statement.excluded.event_id, "expires_at": statement.excluded.expires_at},
            where=or_(
                dedupe.c.expires_at < now,
                # A window of seconds that seems to last was opened before a clock went back.
                and_(
                    statement.excluded.expires_at < now + SHORT_WINDOW,
                    dedupe.c.expires_at > now + SHORT_WINDOW + SKEW,
                ),
            ),
        ).returning(dedupe.c.key, dedupe.c.event_id)
        claimed = tx.execute(statement, [wanted[key] for key in sorted(wanted)])
        owners = {row.key: row.event_id for row in claimed}
        taken = [key for key in wanted if key not in owners]
        if taken:
            known = select(dedupe.c.key, dedupe.c.event_id).where(dedupe.c.key.in_(taken))
            owners |= {row.key: row.event_id for row in tx.execute(known)}
        return owners

    # -- working -----------------------------------------------------------------------------------

    def lease(self, run_id: str, owner: str, ttl: timedelta) -> Lease | Busy | None:
        """Take a run; None when there is nothing to do (done, not due, or another worker has it)."""
        now = self._clock()
        with self._db.write(durable=False) as tx:
            row = tx.execute(_RUN.where(runs.c.id == run_id)).one_or_none()
            if row is None or not _is_due(row, now):
                return None
            # The run's own row comes first: who loses it must not have touched the serial key.
            taken = tx.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.status == "pending", runs.c.attempts == row.attempts)
                .values(status="leased", owner=owner, lease_until=now + ttl, attempts=row.attempts + 1)
            )
            if taken.rowcount != 1:
                return None
            if row.serial and (until := self._take_serial(tx, row.serial, run_id, now, ttl)):
                waits = {"status": "pending", "owner": None, "lease_until": None, "attempts": row.attempts}
                tx.execute(update(runs).where(runs.c.id == run_id).values(**waits, due_at=until))
                return Busy(until)
        return Lease(
            run_id, _event(row), row.body, row.handler, row.queue, row.attempts + 1, row.serial, owner
        )

    def _take_serial(
        self, tx: Connection, key: str, run_id: str, now: datetime, ttl: timedelta
    ) -> datetime | None:
        """Hold `key` for this run, or say until when another run is expected to hold it.

        It is given back with the lease, by whoever ends that; only one whose run is gone would stay.
        """
        statement = self._insert(serials).values(key=key, run_id=run_id, until=now + ttl)
        statement = statement.on_conflict_do_update(
            index_elements=[serials.c.key],
            set_={"run_id": run_id, "until": now + ttl},
            where=or_(serials.c.until < now - ORPHANED, serials.c.run_id == run_id),
        ).returning(serials.c.run_id)
        if tx.execute(statement).one_or_none() is not None:
            return None
        held = tx.execute(select(serials.c.until).where(serials.c.key == key))
        # Not sooner than in a moment: who came back at once would find it held for ever.
        return max(cast(datetime, held.scalar_one()), now) + timedelta(milliseconds=1)

    def done(self, lease: Lease) -> list[DueRun]:
        """Finish a run; returns runs that waited for its serial key and may start now."""
        return self._finish(lease, {"status": "done", "finished_at": self._clock(), "error": None})

    def dead(self, lease: Lease, error: str) -> list[DueRun]:
        return self._finish(
            lease, {"status": "dead", "finished_at": self._clock(), "error": error[:MAX_ERROR]}
        )

    def retry(self, lease: Lease, at: datetime, error: str, *, count_attempt: bool = True) -> list[DueRun]:
        values: dict[str, Any] = {"status": "pending", "due_at": at, "error": error[:MAX_ERROR]}
        if not count_attempt:
            values["attempts"] = lease.attempt - 1
        return self._finish(lease, values)

    def _finish(self, lease: Lease, values: Mapping[str, Any]) -> list[DueRun]:
        """End the lease, unless it ran out and another worker took over."""
        now = self._clock()
        mine = and_(
            runs.c.id == lease.run_id,
            runs.c.owner == lease.owner,
            runs.c.attempts == lease.attempt,
            runs.c.status == "leased",
        )
        with self._db.write(durable=False) as tx:
            changed = tx.execute(
                update(runs).where(mine).values(**values, owner=None, lease_until=None)
            ).rowcount
            if not changed or not lease.serial:
                return []
            return self._pass_on(tx, lease.serial, lease.run_id, now)

    def _pass_on(self, tx: Connection, serial: str, run_id: str, now: datetime) -> list[DueRun]:
        """Give a serial key back and wake who waits for it."""
        tx.execute(serials.delete().where(serials.c.key == serial, serials.c.run_id == run_id))
        waiting = tx.execute(
            select(runs.c.id, runs.c.queue)
            .where(
                runs.c.serial == serial,
                runs.c.status == literal_column("'pending'"),  # a parameter would not find the partial index
                runs.c.id != run_id,
                runs.c.attempts == 0,
            )
            .order_by(runs.c.id)
            .limit(1)
        ).one_or_none()
        if waiting is None:
            return []
        tx.execute(update(runs).where(runs.c.id == waiting.id).values(due_at=now))
        return [DueRun(waiting.id, waiting.queue)]

    # -- looking -----------------------------------------------------------------------------------

    def due(
        self,
        limit: int = 500,
        *,
        older_than: timedelta = timedelta(0),
        queues: Iterable[str] | None = None,
    ) -> list[DueRun]:
        """Runs that should be running: due and not leased. Leases of workers that died are ended first.

        `older_than` leaves those alone that were just handed to the broker; a retry never was. With `queues`
        each of them is looked at by itself, so that a million that wait in one hide nothing of another.
        """
        self._end_lost_leases()
        pending = runs.c.status == literal_column("'pending'")  # a parameter would not find the partial index
        if queues is None:
            return self._due(pending, limit, older_than)
        return [
            run
            for name in queues
            for run in self._due(and_(pending, runs.c.queue == name), limit, older_than)
        ]

    def _due(self, which: ColumnElement[bool], limit: int, older_than: timedelta) -> list[DueRun]:
        now = self._clock()
        waits_here = or_(runs.c.due_at <= now - older_than, runs.c.error.is_not(None), runs.c.attempts > 0)
        late = and_(which, runs.c.due_at <= now, waits_here)
        misplaced = and_(which, runs.c.due_at > now + LONGEST_WAIT)
        found: list[Row[Any]] = []
        with self._db.read() as tx:
            for wanted in (late, misplaced):  # one by one, so that each is read in its index's order
                query = select(runs.c.id, runs.c.queue, runs.c.due_at).where(wanted)
                found += tx.execute(query.order_by(runs.c.due_at).limit(limit))
        return [DueRun(row.id, row.queue) for row in found[:limit]]

    def _end_lost_leases(self) -> None:
        held = select(runs.c.id, runs.c.attempts).where(runs.c.status == "leased")
        with self._db.read() as tx:
            lost = self._watch.over((row.id, row.attempts) for row in tx.execute(held))
        for run_id, attempt in lost:
            self._end_lease(run_id, attempt)

    def _end_lease(self, run_id: str, attempt: int) -> None:
        """Make a dead worker's run due again; the attempt counts, for the event may be what killed it."""
        now = self._clock()
        same = and_(runs.c.id == run_id, runs.c.attempts == attempt, runs.c.status == "leased")
        free = {"status": "pending", "owner": None, "lease_until": None, "due_at": now}
        with self._db.write(durable=False) as tx:
            ended = tx.execute(update(runs).where(same).values(**free).returning(runs.c.serial)).one_or_none()
            if ended is not None and ended.serial:
                self._pass_on(tx, ended.serial, run_id, now)

    def runs(
        self,
        *,
        status: RunStatus | None = None,
        event_id: str | None = None,
        handler_prefix: str = "",
        search: str = "",
        with_clock: bool = True,
        limit: int = 100,
    ) -> list[RunView]:
        """Runs, newest first; the clock's can be left out.

        `search` looks in the event's subject and kind, and at the start of its id.
        """
        query = _RUN.order_by(runs.c.id.desc()).limit(limit)  # ids are in order of time
        if status:
            query = query.where(runs.c.status == status)
        if event_id:
            query = query.where(runs.c.event_id == event_id)
        if handler_prefix:
            query = query.where(runs.c.handler.startswith(handler_prefix, autoescape=True))
        if not with_clock:
            query = query.where(events.c.kind != "schedule.tick")
        if search:
            texts = (events.c.subject, events.c.kind)
            found = (text.icontains(search, autoescape=True) for text in texts)
            query = query.where(or_(*found, events.c.id.startswith(search, autoescape=True)))
        with self._db.read() as tx:
            return [_view(row) for row in tx.execute(query)]

    def event(self, prefix: str) -> tuple[Event, bytes]:
        """An event and its body by id, or by the beginning of an id that fits only one."""
        within = and_(events.c.id >= prefix, events.c.id < f"{prefix}{_AFTER_HEX}")  # as LIKE uses no index
        query = select(events).where(within).limit(2)
        with self._db.read() as tx:
            found = tx.execute(query).all()
        if len(found) == 1:
            return _event(found[0]), found[0].body
        problem = "fits more than one event; give more of it" if found else "is not the id of any event"
        raise Permanent(f"{prefix!r} {problem}. `signalbox inbox list` shows recent ids.")

    def recent(self, limit: int = 50) -> list[Event]:
        query = select(events).order_by(events.c.received_at.desc()).limit(limit)
        with self._db.read() as tx:
            return [_event(row) for row in tx.execute(query)]

    def replay(self, run_id: str) -> DueRun:
        """Give a dead letter a new set of attempts; steps that were recorded are not repeated."""
        with self._db.write() as tx:
            row = tx.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.status == "dead")
                .values(status="pending", attempts=0, due_at=self._clock(), finished_at=None)
                .returning(runs.c.id, runs.c.queue)
            ).one_or_none()
        if row is None:
            raise Permanent(f"Run {run_id!r} is not a dead letter, so there is nothing to replay.")
        return DueRun(row.id, row.queue)

    def open_counts(self) -> dict[str, int]:
        """Runs that wait, are worked on, or are dead letters; what is done is too many to count."""
        wanted = ("pending", "leased", "dead")
        # One by one: to group them, each row's word would be compared, which takes twice as long.
        each: list[Any] = [
            select(literal_column(f"'{status}'"), func.count()).where(runs.c.status == status)
            for status in wanted
        ]
        with self._db.read() as tx:
            return dict(tx.execute(union_all(*each)).all())

    def counts(self, since: datetime) -> dict[str, int]:
        """Runs by status; of the done ones those that ended since then."""
        done = func.count().filter(runs.c.status == "done")
        query = select(done).where(runs.c.finished_at >= since)  # that column's index is the narrow one
        with self._db.read() as tx:
            found: int = tx.execute(query).scalar_one()
        return {**self.open_counts(), "done": found}

    def event_counts(self, since: datetime, until: datetime | None = None) -> dict[str, int]:
        """Events by kind received in a span of time."""
        query = select(events.c.kind, func.count()).where(events.c.received_at >= since)
        if until:
            query = query.where(events.c.received_at < until)
        with self._db.read() as tx:
            return dict(tx.execute(query.group_by(events.c.kind)).all())

    def dead_count(self, since: datetime, until: datetime) -> int:
        """Runs that became dead letters in a span of time and still are."""
        query = select(func.count()).where(
            runs.c.status == "dead", runs.c.finished_at >= since, runs.c.finished_at < until
        )
        with self._db.read() as tx:
            return tx.execute(query).scalar_one()

    def oldest_pending_seconds(self) -> float:
        query = select(func.min(runs.c.due_at)).where(runs.c.status == "pending")
        with self._db.read() as tx:
            oldest = tx.execute(query).scalar()
        return max(0.0, (self._clock() - oldest).total_seconds()) if oldest else 0.0

    def backlog(self, most: int) -> int:
        """How many runs are due and wait; counted up to `most`."""
        due = select(runs.c.id).where(runs.c.status == "pending", runs.c.due_at <= self._clock())
        with self._db.read() as tx:
            found: int = tx.execute(select(func.count()).select_from(due.limit(most).subquery())).scalar_one()
        return found

    def forget_expired_keys(self) -> int:
        with self._db.write() as tx:
            return tx.execute(dedupe.delete().where(dedupe.c.expires_at < self._clock())).rowcount


_RUN = select(
    runs,
    events.c.source,
    events.c.kind,
    events.c.subject,
    events.c.actor,
    events.c.serial,
    events.c.body,
    events.c.received_at,
).join(events, events.c.id == runs.c.event_id)


def _is_due(row: Row[Any], now: datetime) -> bool:
    """Whether a worker may take the run.

    One that was never tried is taken whenever it is offered: the clock of who stored it may be another.
    """
    if row.status != "pending":
        return False
    untried = row.attempts == 0 and row.error is None
    return bool(untried or row.due_at <= now or row.due_at > now + LONGEST_WAIT)


def _receipt(event: NewEvent, owners: Mapping[str, str]) -> Receipt:
    for key in event.dedupe:
        if (owner := owners[key.key]) != event.id:
            return Receipt(owner, duplicate=True)
    return Receipt(event.id)


def _event_row(event: NewEvent, now: datetime) -> dict[str, Any]:
    return {
        "id": event.id,
        "source": event.source,
        "kind": event.kind,
        "subject": event.subject[:255],
        "actor": event.actor[:120],
        "serial": event.serial,
        "body": event.body,
        "received_at": now,
    }


def _run_rows(event: NewEvent, now: datetime) -> list[dict[str, Any]]:
    numbered = event.run_ids() or ([(f"{event.id}-0", ("", "io"))] if event.dead else [])
    return [
        {
            "id": run_id,
            "event_id": event.id,
            "handler": handler,
            "queue": queue,
            "status": "dead" if event.dead else "pending",
            "attempts": 0,
            "due_at": now,
            "error": event.dead[:MAX_ERROR] if event.dead else None,
            "finished_at": now if event.dead else None,
            "serial": event.serial,
        }
        for run_id, (handler, queue) in numbered
    ]


def _event(row: Row[Any]) -> Event:
    event_id = row.event_id if hasattr(row, "event_id") else row.id
    return Event(event_id, row.source, row.kind, row.subject, row.received_at, row.actor)


def _view(row: Row[Any]) -> RunView:
    return RunView(
        row.id,
        row.event_id,
        row.source,
        row.kind,
        row.subject,
        row.handler,
        row.queue,
        row.status,
        row.attempts,
        row.due_at,
        row.received_at,
        row.finished_at,
        row.error,
    )
