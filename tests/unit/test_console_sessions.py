"""A console session ends by itself, and a cookie that was changed is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from bot.console.sign_in import SESSION_SECONDS, Sessions
from bot.core.database import Database
from bot.core.tables import create_all

pytestmark = pytest.mark.unit


@pytest.fixture
def db() -> Iterator[Database]:
    made = Database("sqlite://")
    create_all(made.engine)
    yield made
    made.close()


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = time.time()

    def to(seconds: float) -> None:
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + seconds)

    to(0)
    return to


def test_a_session_ends_after_its_time(db: Database, pass_time: Callable[[float], None]) -> None:
    sessions = Sessions(b"k" * 32, db)
    cookie = sessions.begin("U1", by_link=False)
    pass_time(SESSION_SECONDS - 1)
    held = sessions.read(cookie)
    assert held is not None
    assert (held.user, held.by_link) == ("U1", False)
    pass_time(SESSION_SECONDS + 1)
    assert sessions.read(cookie) is None


def test_a_changed_cookie_is_none(db: Database) -> None:
    sessions = Sessions(b"k" * 32, db)
    cookie = sessions.begin("U1", by_link=False)
    for place in range(0, len(cookie), 7):
        other = "A" if cookie[place] != "A" else "B"
        assert sessions.read(cookie[:place] + other + cookie[place + 1 :]) is None
    assert sessions.read(None) is None


def test_a_form_of_another_session_is_refused(db: Database) -> None:
    sessions = Sessions(b"k" * 32, db)
    mine, other = (sessions.read(sessions.begin("U1", by_link=False)) for _ in range(2))
    assert mine is not None
    assert other is not None
    assert mine.sent(mine.form_token)
    assert not mine.sent(other.form_token)
    assert not mine.sent("")
    assert not mine.sent("schlüssel")


def test_a_session_that_was_ended_is_none_and_others_go_on(db: Database) -> None:
    sessions = Sessions(b"k" * 32, db)
    mine, other = (sessions.begin("U1", by_link=False) for _ in range(2))
    held = sessions.read(mine)
    assert held is not None
    sessions.end(held)
    assert sessions.read(mine) is None
    assert Sessions(b"k" * 32, db).read(mine) is None, "another process"
    assert sessions.read(other) is not None
