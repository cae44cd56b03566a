"""The audit trail is one chain however many write it, and the database itself keeps it as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command as alembic
from alembic.config import Config

from bot.core import database
from bot.core.audit import Audit
from bot.core.audit_chain import Head
from bot.core.database import Database
from bot.core.tables import audit, audit_head

pytestmark = pytest.mark.integration


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def trail(db: Database) -> Audit:
    return Audit(db)


def test_rows_are_chained_and_the_head_follows(trail: Audit) -> None:
    for number in range(5):
        trail.record("U1", "tags.apply", f"SUP-{number}", before={"labels": []}, after={"labels": ["ü", 1.5]})
    report = trail.verify()
    assert (report.rows, report.faults) == (5, [])
    assert report.head == trail.head()
    assert trail.head().position == 5


def test_what_one_event_did_is_recorded_once(trail: Audit) -> None:
    for _ in range(2):
        trail.record("U1", "tags.apply", "SUP-1", event_id="e1")
    assert trail.head().position == 1


def test_many_writers_make_one_chain(trail: Audit, database_url: str) -> None:
    others = [Audit(Database(database_url)) for _ in range(3)]

    def write(number: int) -> None:
        others[number % 3].record(f"U{number}", "alerts.ack", f"group-{number}", after={"n": number})

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(write, range(90)))
    report = trail.verify()
    assert (report.rows, report.faults) == (90, [])
    for other in others:
        other._db.close()


def test_the_database_refuses_to_change_or_delete_a_row(trail: Audit, db: Database) -> None:
    trail.record("U1", "tags.apply", "SUP-1")
    for statement in (
        sa.update(audit).values(actor="U2"),
        sa.update(audit).values(hash="0" * 64),
        sa.update(audit).values(salt=None, action="nothing"),
        sa.delete(audit),
    ):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), db.write() as tx:
            tx.execute(statement)
    assert trail.verify().ok


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        (sa.update(audit).where(audit.c.position == 2).values(actor="U9"), "says something else"),
        (sa.update(audit).where(audit.c.position == 2).values(outcome="refused"), "does not follow"),
        (sa.delete(audit).where(audit.c.position == 2), "Row 2 is missing"),
        (sa.delete(audit).where(audit.c.position == 4), "Row 4 is missing"),
        (sa.update(audit).where(audit.c.position == 3).values(salt=None, actor="erased"), "emptied"),
        (sa.update(audit_head).values(hash="f" * 64), "not the one that was noted"),
    ],
)
def test_who_gets_around_the_guards_is_found_out(
    trail: Audit, db: Database, tampering: sa.Update | sa.Delete, fault: str
) -> None:
    for number in range(4):
        trail.record("U1", "tags.apply", f"SUP-{number}")
    drop_guards(db)
    with db.write() as tx:
        tx.execute(tampering)
    [*faults] = trail.verify().faults
    assert any(fault in words for words in faults), faults


def test_a_chain_that_was_written_anew_does_not_pass_through_a_head_noted_before(
    trail: Audit, db: Database
) -> None:
    for number in range(3):
        trail.record("U1", "tags.apply", f"SUP-{number}")
    noted = trail.head()
    drop_guards(db)
    with db.write() as tx:
        tx.execute(sa.delete(audit))
        tx.execute(sa.update(audit_head).values(position=0, hash="0" * 64))
    for number in range(3):
        trail.record("U2", "tags.apply", f"SUP-{number}")
    assert trail.verify().ok
    assert not trail.verify([noted]).ok
    assert Head.parse(str(noted)) == noted


def test_erased_rows_keep_the_chain_verifiable_and_leave_nothing(trail: Audit, db: Database) -> None:
    for number in range(4):
        trail.record(f"U{number}", "tags.apply", f"SUP-{number}", after={"label": "x"})
    trail.erase([2, 3], "request 7", "cli")
    report = trail.verify()
    assert (report.erased, report.faults) == (2, [])
    rows = trail.rows()
    assert [row.actor for row in rows] == ["U0", "erased", "erased", "U3", "cli"]
    assert rows[1].after is None
    with db.read() as tx:
        assert tx.execute(sa.select(audit.c.salt).where(audit.c.position == 2)).scalar_one() is None


def test_rows_of_an_older_worker_are_sealed_afterwards(trail: Audit, db: Database) -> None:
    trail.record("U1", "tags.apply", "SUP-1")
    old = {"actor": "U2", "action": "a", "subject": "s", "outcome": "done", "before": None, "after": [1]}
    with db.write() as tx:
        tx.execute(sa.text("SELECT 1"))
        tx.execute(sa.insert(audit).values(at=trail.clock(), **old))
    assert "outside of the chain" in trail.verify().faults[0]
    trail.record("U3", "tags.apply", "SUP-3")
    assert trail.seal_strays() == 1
    report = trail.verify()
    assert (report.rows, report.faults) == (3, [])


def test_a_trail_from_before_the_chain_is_sealed_by_the_migration(database_url: str) -> None:
    db = Database(database_url)
    migrate(db, "0002")
    with db.write() as tx:
        for number in range(1500):
            tx.execute(
                sa.text(
                    "INSERT INTO audit (at, actor, action, subject, outcome, after) "
                    "VALUES (:at, 'U1', 'tags.apply', :subject, 'done', :after)"
                ),
                {"at": number, "subject": f"SUP-{number}", "after": json.dumps({"n": number})},
            )
    db.migrate()
    report = Audit(db).verify()
    assert (report.rows, report.faults) == (1500, [])
    Audit(db).record("U1", "after", "migration")
    assert Audit(db).verify().ok
    migrate(db, "0002", down=True)
    db.close()


def drop_guards(db: Database) -> None:
    """What somebody with all rights on the database can do."""
    statements = (
        ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"]
        if db.engine.dialect.name == "sqlite"
        else ["ALTER TABLE audit DISABLE TRIGGER USER"]
    )
    with db.write() as tx:
        for statement in statements:
            tx.exec_driver_sql(statement)


def migrate(db: Database, revision: str, *, down: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with db.engine.connect() as connection:
        config.attributes["connection"] = connection
        (alembic.downgrade if down else alembic.upgrade)(config, revision)
        connection.commit()
