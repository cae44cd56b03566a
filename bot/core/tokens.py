"""API tokens: made once and shown once, kept as a hash, with a scope and an end.

Two tokens of one name may be valid at a time: make the new one, hand it out, then revoke the old one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import insert, select, update

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import Permanent
from bot.core.events import new_id
from bot.core.tables import api_tokens

Scope = Literal["read", "write", "admin"]
PREFIX = "sbx_"
_NOTE_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Token:
    """All that is known of a token; the secret itself is not."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None

    def holds(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


class Tokens:
    def __init__(self, db: Database, audit: Audit, clock: Callable[[], datetime]) -> None:
        self._db = db
        self._audit = audit
        self._clock = clock

    def create(self, name: str, scope: Scope, lifetime: timedelta, by: str) -> tuple[Token, str]:
        """A new token and its secret, which nobody can be told again."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        token = Token(new_id(), name[:80], scope, now, now + lifetime, None, None)
        row = {field: getattr(token, field) for field in Token.__slots__} | {"hash": _hash(secret)}
        with self._db.write() as tx:
            tx.execute(insert(api_tokens).values(**row))
            after = {"id": token.id, "scope": scope, "expires_at": token.expires_at.isoformat()}
            self._audit.append(tx, by, "token.create", token.name, after=after)
        return token, f"{PREFIX}{token.id}_{secret}"

    def revoke(self, token_id: str, by: str) -> Token:
        """Raises:
        Permanent: there is no such token, or it was revoked before.
        """
        with self._db.write() as tx:
            changed = (
                update(api_tokens)
                .where(api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None))
                .values(revoked_at=self._clock())
                .returning(*_COLUMNS)
            )
            row = tx.execute(changed).one_or_none()
            if row is None:
                raise Permanent(f"{token_id!r} is no token that holds. `signalbox tokens list` shows them.")
            self._audit.append(tx, by, "token.revoke", row.name, after={"id": token_id})
        return Token(*row)

    def all(self) -> list[Token]:
        """Newest first, with those that no longer hold."""
        with self._db.read() as tx:
            return [Token(*row) for row in tx.execute(select(*_COLUMNS).order_by(api_tokens.c.id.desc()))]

    def check(self, given: str) -> Token | None:
        """The token that was given, if it holds now."""
        token_id, _, secret = given.removeprefix(PREFIX).partition("_")
        query = select(*_COLUMNS, api_tokens.c.hash).where(api_tokens.c.id == token_id)
        with self._db.read() as tx:
            row = tx.execute(query).one_or_none()
        # The hash of a secret with 256 random bits needs neither salt nor slowness.
        same = hmac.compare_digest(row.hash if row else "", _hash(secret))
        if row is None or not same:
            return None
        token, now = Token(*row[:-1]), self._clock()
        if not token.holds(now):
            return None
        self._note_use(token, now)
        return token

    def _note_use(self, token: Token, now: datetime) -> None:
        """Now and then, so that unused tokens can be found and a request costs no write."""
        if token.used_at is None or now - token.used_at > _NOTE_EVERY:
            with self._db.write(durable=False) as tx:
                tx.execute(update(api_tokens).where(api_tokens.c.id == token.id).values(used_at=now))


_COLUMNS = [api_tokens.c[name] for name in Token.__slots__]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
