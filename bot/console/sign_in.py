"""Signing in: with a link that works once or with Slack, then a signed cookie.

Whoever may run commands on the machine may make a link, so its session has every right. Who signs in with
Slack has the rights that the roles give, asked anew each time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from itsdangerous import BadSignature, URLSafeTimedSerializer

from bot.core.database import Database
from bot.core.events import utc_now
from bot.core.memory import Document, Documents

COOKIE = "signalbox_session"
SESSION_SECONDS = 12 * 3600
LINK_LIFETIME = timedelta(minutes=10)
_SIGN_IN = "signalbox.console"  # owns its documents; no plugin's name has a dot
_ENDED = "signalbox.console.ended"


@dataclass(frozen=True, slots=True)
class Session:
    """`form_token` stands in every form, so that no other site can send one."""

    user: str
    form_token: str
    by_link: bool

    def sent(self, token: str) -> bool:
        return hmac.compare_digest(self.form_token.encode(), token.encode())


class Links:
    """Links that work once and not for long; only their digests are stored.

    One that was made for a purpose is good for no other.
    """

    def __init__(
        self, db: Database, clock: Callable[[], datetime] = utc_now, purpose: str = _SIGN_IN
    ) -> None:
        self._documents = Documents(db, purpose, clock)
        self._clock = clock

    def make(self, user: str = "admin") -> str:
        """A code for the address /sign-in?code=CODE."""
        code = secrets.token_urlsafe(32)
        until = self._clock() + LINK_LIFETIME
        self._documents.put(_digest(code), {"user": user, "until": until.isoformat()}, version=0)
        return code

    def holds(self, code: str) -> bool:
        """Whether it may still be used. Chats and mail programs look at links before people do."""
        return self._held(code) is not None

    def use(self, code: str) -> str | None:
        """The user that the code is for, once; None when it is unknown, used or too old."""
        found = self._held(code)
        if found is None:
            return None
        first = self._documents.put(found.key, {"used": True}, version=found.version)
        return str(found.data["user"]) if first else None

    def _held(self, code: str) -> Document | None:
        found = self._documents.get(_digest(code))
        if found is None or "until" not in found.data:
            return None
        return found if self._clock() <= datetime.fromisoformat(found.data["until"]) else None


class Sessions:
    """Args:
    db: remembers which sessions were ended before their time.
    """

    def __init__(self, key: bytes, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._ended = Documents(db, _ENDED, clock)
        self._clock = clock
        self._serializer = URLSafeTimedSerializer(key, salt="signalbox.console.session.2")

    def begin(self, user: str, *, by_link: bool) -> str:
        """The cookie's value."""
        held = {"user": user, "form": secrets.token_urlsafe(16), "by_link": by_link}
        return self._serializer.dumps(held)

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie that is ours, not older than SESSION_SECONDS, and not ended since."""
        try:
            held = self._serializer.loads(cookie or "", max_age=SESSION_SECONDS)
        except BadSignature:  # an expired one is a BadSignature too
            return None
        found = Session(held["user"], held["form"], held["by_link"])
        return None if self._ended.get(_digest(found.form_token)) else found

    def end(self, session: Session) -> None:
        """From now on its cookie is worth nothing, whoever has a copy."""
        self._ended.forget("", self._clock() - timedelta(seconds=SESSION_SECONDS))
        self._ended.put(_digest(session.form_token), {})


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
