"""Messages that live: what each keyed message should show, and what was last sent.

Updates of one message coalesce: only the newest wanted content is kept and sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, and_, case, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.core.database import Database
from bot.core.events import new_id, utc_now
from bot.core.lease_watch import LeaseWatch, steady
from bot.core.messages import Message
from bot.core.tables import Instant, messages


@dataclass(frozen=True, slots=True)
class StoredMessage:
    key: str
    channel: str
    ts: str | None
    thread_ts: str | None
    wanted: Message
    wanted_at: datetime
    sent_hash: str | None
    dirty: bool


SENDING = timedelta(seconds=30)
POSTING = "posting"
"""Stands for the hash of what was sent while a first post is under way."""


class StoredMessages:
    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock
        self._insert: Any = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert
        self._watch = LeaseWatch(SENDING, steady(clock))

    def want(self, key: str, channel: str, message: Message, thread_ts: str | None = None) -> StoredMessage:
        """Record the newest content; a message that was posted keeps its place."""
        now = self._clock()
        newest = {"wanted": message.model_dump(mode="json"), "wanted_at": now, "dirty": 1}
        statement = self._insert(messages).values(key=key, channel=channel, thread_ts=thread_ts, **newest)
        statement = statement.on_conflict_do_update(
            index_elements=[messages.c.key], set_={**newest, "wanted_at": _after(now)}
        ).returning(*messages.c)
        with self._db.write() as tx:
            return _stored(tx.execute(statement).one())

    def sent(self, key: str, channel: str, ts: str, sent_hash: str, wanted_at: datetime) -> None:
        """Note what was sent; stays dirty when newer content was wanted meanwhile."""
        is_newest = messages.c.wanted_at <= wanted_at
        values: dict[str, Any] = {"channel": channel, "ts": ts, "sent_hash": sent_hash}
        values["dirty"] = case((is_newest, 0), else_=messages.c.dirty)
        with self._db.write() as tx:
            tx.execute(update(messages).where(messages.c.key == key).values(**values))

    def posting(self, key: str) -> None:
        """A first post is about to be made: if it is cut off, whoever is next has to look for it."""
        self._mark(key, POSTING)

    def not_posted(self, key: str) -> None:
        """The first post was surely not made."""
        self._mark(key, None)

    def _mark(self, key: str, mark: str | None) -> None:
        with self._db.write() as tx:
            first = (messages.c.key == key) & messages.c.ts.is_(None)
            tx.execute(update(messages).where(first).values(sent_hash=mark))

    def touch(self, key: str) -> None:
        """The content is the same but looks different now (a button was claimed): send it again.

        Newer than a send under way, which must not count as having shown it.
        """
        values = {"dirty": 1, "wanted_at": _after(self._clock())}
        with self._db.write() as tx:
            tx.execute(update(messages).where(messages.c.key == key).values(**values))

    def give_up(self, key: str) -> None:
        """The chat refuses this message for good: leave it until new content is wanted."""
        with self._db.write() as tx:
            tx.execute(update(messages).where(messages.c.key == key).values(dirty=0))

    @contextmanager
    def sending(self, key: str) -> Iterator[bool]:
        """Hold the right to send this message; False when another process is sending it.

        One sender at a time keeps an older content from arriving after a newer one. Whoever does
        not get it leaves the message dirty: the sender looks again before it lets go.
        """
        sender = new_id()
        mine = and_(messages.c.key == key, messages.c.sender == sender)
        taken = self._take(key, sender)
        try:
            yield taken
        finally:
            if taken:
                with self._db.write(durable=False) as tx:
                    tx.execute(update(messages).where(mine).values(sender=None, sender_until=None))

    def _take(self, key: str, sender: str) -> bool:
        """A sender that died is replaced once it was seen to hold on for too long, by whatever clock."""
        if self._claim(key, sender, messages.c.sender.is_(None)):
            return True
        stuck = self._stuck()
        return bool(stuck) and self._claim(key, sender, messages.c.sender.in_(stuck))

    def _claim(self, key: str, sender: str, free: ColumnElement[bool]) -> bool:
        values = {"sender": sender, "sender_until": self._clock() + SENDING}
        with self._db.write(durable=False) as tx:
            claim = update(messages).where(messages.c.key == key, free).values(**values)
            return tx.execute(claim).rowcount == 1

    def _stuck(self) -> list[str]:
        held = select(messages.c.sender).where(messages.c.dirty == 1, messages.c.sender.is_not(None))
        with self._db.read() as tx:
            return self._watch.over(tx.execute(held).scalars())

    def lost(self, key: str) -> None:
        """Somebody deleted the message: the next send posts it anew."""
        with self._db.write() as tx:
            tx.execute(update(messages).where(messages.c.key == key).values(ts=None, sent_hash=None, dirty=1))

    def by_key(self, key: str) -> StoredMessage | None:
        return self._one(messages.c.key == key)

    def by_ref(self, channel: str, ts: str) -> StoredMessage | None:
        return self._one((messages.c.channel == channel) & (messages.c.ts == ts))

    def dirty(self, limit: int = 100) -> list[StoredMessage]:
        query = select(messages).where(messages.c.dirty == 1).order_by(messages.c.wanted_at).limit(limit)
        with self._db.read() as tx:
            return [_stored(row) for row in tx.execute(query)]

    def _one(self, condition: Any) -> StoredMessage | None:
        with self._db.read() as tx:
            row = tx.execute(select(messages).where(condition)).one_or_none()
        return _stored(row) if row else None


def _after(now: datetime) -> Any:
    """The present, or just after the content that is there: the order stands though a clock goes back."""
    after = messages.c.wanted_at + literal(1, BigInteger)
    return case((messages.c.wanted_at < now, literal(now, Instant)), else_=after)


def _stored(row: Row[Any]) -> StoredMessage:
    return StoredMessage(
        row.key,
        row.channel,
        row.ts,
        row.thread_ts,
        Message.model_validate(row.wanted),
        row.wanted_at,
        row.sent_hash,
        bool(row.dirty),
    )
