"""Documents, records and stored messages on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot.core.database import Database
from bot.core.memory import Documents, Records
from bot.core.messages import Message
from bot.core.stored_messages import StoredMessages
from bot.core.tables import metadata

pytestmark = pytest.mark.integration


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.migrate()
    yield database
    database.close()


def test_the_migrations_make_exactly_the_declared_tables(db: Database) -> None:
    with db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_twice_changes_nothing(db: Database) -> None:
    db.migrate()


def test_of_many_writers_one_version_wins(db: Database) -> None:
    documents = Documents(db, "toy")
    assert documents.put("k", {"n": 0}, version=0)
    assert not documents.put("k", {"n": 9}, version=0)
    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(lambda n: documents.put("k", {"n": n}, version=1), range(6)))
    assert won.count(True) == 1
    found = documents.get("k")
    assert found is not None
    assert found.version == 2


def test_plugins_do_not_see_each_others_documents(db: Database) -> None:
    Documents(db, "one").put("k", {"a": 1})
    assert Documents(db, "two").get("k") is None


def test_old_documents_are_forgotten_by_prefix_the_oldest_first(db: Database) -> None:
    day = datetime(2026, 3, 2, tzinfo=UTC)
    clock = iter([day, day, day + timedelta(days=1), day + timedelta(days=9), day])
    documents = Documents(db, "toy", clock=lambda: next(clock))
    for key in ("old:a", "old:b", "old:c", "old:new", "other"):
        documents.put(key, {})
    Documents(db, "neighbour", clock=lambda: day).put("old:a", {})
    before = day + timedelta(days=5)
    assert documents.forget("old:", before, but={"old:a"}, batch=1) == 1
    assert [found.key for found in documents.having("")] == ["old:a", "old:c", "old:new", "other"]
    assert documents.forget("old:", before) == 2
    assert documents.forget("old:", before) == 0
    assert [found.key for found in documents.having("")] == ["old:new", "other"]
    assert Documents(db, "neighbour").get("old:a")


def test_records_are_found_by_kind_subject_and_time(db: Database) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    records = Records(db, "toy", clock=lambda: now)
    records.append("decision", "OPS-1", {"band": "apply"})
    records.append("decision", "OPS-2", {"band": "leave"})
    assert [r.subject for r in records.find("decision", subject="OPS-1")] == ["OPS-1"]
    assert records.count("decision", since=now) == 2
    assert records.count("decision", since=now + timedelta(seconds=1)) == 0
    assert Records(db, "other").of("toy").count("decision") == 2


def message(text: str) -> Message:
    return Message(text=text)


def test_only_the_newest_content_is_wanted_and_newer_content_stays_dirty(db: Database) -> None:
    stored = StoredMessages(db)
    first = stored.want("k", "C", message("one"))
    stored.want("k", "C", message("two"))
    stored.sent("k", "C", "1.0", "hash-one", first.wanted_at)
    [dirty] = stored.dirty()
    assert (dirty.wanted.text, dirty.ts) == ("two", "1.0")
    stored.sent("k", "C", "1.0", "hash-two", dirty.wanted_at)
    assert stored.dirty() == []
    assert stored.by_ref("C", "1.0") == stored.by_key("k")


def test_one_process_sends_a_message_at_a_time(db: Database) -> None:
    stored = StoredMessages(db)
    stored.want("k", "C", message("one"))
    with stored.sending("k") as mine, stored.sending("k") as yours:
        assert (mine, yours) == (True, False)
    with stored.sending("k") as again:
        assert again


def test_a_dead_senders_word_runs_out(db: Database) -> None:
    now = [datetime(2026, 11, 23, tzinfo=UTC)]
    stored, other = StoredMessages(db, lambda: now[0]), StoredMessages(db, lambda: now[0])
    stored.want("k", "C", message("one"))
    with stored.sending("k"):
        with other.sending("k") as taken:
            assert not taken
        now[0] += timedelta(minutes=1)
        with other.sending("k") as taken:
            assert taken


def test_what_is_written_together_counts_together(db: Database) -> None:
    def fails() -> None:
        with db.exclusive("limits") as tx:
            Documents(tx, "toy").put("a", {"n": 1})
            Records(tx, "toy").append("fact", "a", {})
            raise ValueError

    with pytest.raises(ValueError):
        fails()
    assert Documents(db, "toy").get("a") is None
    assert Records(db, "toy").count("fact") == 0


def test_a_limit_over_several_rows_holds_in_a_race(db: Database) -> None:
    def take(number: int) -> bool:
        with db.exclusive("limits") as tx:
            records = Records(tx, "toy")
            if records.count("taken") >= 3:
                return False
            records.append("taken", str(number), {})
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(24))) == 3
