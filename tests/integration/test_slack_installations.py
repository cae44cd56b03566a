"""Where the tokens of further workspaces are kept: sealed, one row a workspace, audited, and deniable."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import Permanent
from bot.core.installations import Installations
from bot.core.sealing import Sealer, Unreadable
from bot.core.tables import slack_installations

pytestmark = pytest.mark.integration
TOKEN = "xoxb-canary-of-the-branch-5e8a"
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
TOLD = {"name": "Branch", "bot_user": "U0BOT", "scopes": "chat:write,commands"}


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()


def store(db: Database, key: bytes = b"k" * 32, now: datetime = NOW) -> Installations:
    return Installations(db, Audit(db, lambda: now), key, lambda: now)


def test_a_token_comes_back_and_stands_nowhere_in_the_clear(db: Database) -> None:
    installations = store(db)
    installations.save("T0BRANCH0", TOKEN, "console:U1", **TOLD)
    assert installations.token("T0BRANCH0") == TOKEN
    with db.read() as tx:
        rows = str(tx.execute(sa.select(slack_installations)).all())
        trail = str(Audit(db, lambda: NOW).recent(10))
    assert "canary" not in rows
    assert "canary" not in trail
    assert "slack.install" in trail


def test_a_workspace_that_is_installed_again_keeps_one_row_with_the_new_token(db: Database) -> None:
    installations = store(db)
    installations.save("T0BRANCH0", TOKEN, "console:U1", **TOLD)
    installations.save("T0BRANCH0", "xoxb-newer", "console:U2", **TOLD | {"name": "Branch & Co"})
    [found] = installations.all()
    assert (found.name, found.installed_by, found.installed_at) == ("Branch & Co", "console:U2", NOW)
    assert installations.token("T0BRANCH0") == "xoxb-newer"


def test_another_key_gives_a_sentence_that_says_which_workspace_and_what_to_do(db: Database) -> None:
    store(db).save("T0BRANCH0", TOKEN, "cli", **TOLD)
    with pytest.raises(
        Permanent, match=r"T0BRANCH0.*another secret key.*install Signalbox there again"
    ) as told:
        store(db, b"another key").token("T0BRANCH0")
    assert TOKEN not in str(told.value)
    assert [one.team for one in store(db, b"another key").all()] == ["T0BRANCH0"]


def test_a_sealed_token_that_is_moved_to_another_workspace_does_not_open(db: Database) -> None:
    installations = store(db)
    installations.save("T0BRANCH0", TOKEN, "cli", **TOLD)
    installations.save("T0OTHER00", "xoxb-other", "cli", **TOLD)
    with db.write() as tx:
        moved = sa.update(slack_installations).where(slack_installations.c.team == "T0OTHER00")
        tx.execute(moved.values(token=installations.sealed("T0BRANCH0")))
    with pytest.raises(Permanent, match="T0OTHER00"):
        installations.token("T0OTHER00")


def test_what_is_forgotten_is_gone_and_audited(db: Database) -> None:
    installations = store(db)
    installations.save("T0BRANCH0", TOKEN, "cli", **TOLD)
    assert installations.forget("T0BRANCH0", "cli") is not None
    assert installations.forget("T0BRANCH0", "cli") is None
    assert installations.teams() == frozenset()
    with pytest.raises(Permanent, match="is not installed in the Slack workspace T0BRANCH0"):
        installations.token("T0BRANCH0")
    newest = Audit(db, lambda: NOW).recent(1)[0]
    assert (newest.actor, newest.action, newest.subject) == ("cli", "slack.forget", "T0BRANCH0")


def test_a_late_word_of_an_earlier_removal_leaves_the_new_installation_alone(db: Database) -> None:
    installations = store(db)
    installations.save("T0BRANCH0", TOKEN, "cli", **TOLD)
    assert installations.forget("T0BRANCH0", "slack", until=NOW - timedelta(seconds=5)) is None
    assert installations.teams() == {"T0BRANCH0"}
    assert installations.forget("T0BRANCH0", "slack", until=NOW) is not None


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + b"x" * 40, b"\x01" + b"x" * 40])
def test_what_was_not_sealed_by_us_is_refused(sealed: bytes) -> None:
    with pytest.raises(Unreadable):
        Sealer(b"k", "test").open(sealed, "T1")


def test_a_key_opens_nothing_of_another_purpose() -> None:
    sealed = Sealer(b"k", "one").seal("secret", "T1")
    with pytest.raises(Unreadable):
        Sealer(b"k", "two").open(sealed, "T1")
    assert Sealer(b"k", "one").seal("secret", "T1") != sealed
