"""Migrations only add: what the version before reads and writes is there afterwards, so that its processes go on."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from bot.core import database
from bot.core.database import Database, newest_revision

pytestmark = pytest.mark.integration
MIGRATIONS = Path(database.__file__).parent / "migrations"
REVISIONS = sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).touch()
    yield made
    made.close()


def upgrade(db: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with db.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


def columns(db: Database) -> dict[tuple[str, str], Any]:
    with db.read() as connection:
        seen = inspect(connection)
        tables = [name for name in seen.get_table_names() if name != "alembic_version"]
        return {(table, column["name"]): column for table in tables for column in seen.get_columns(table)}


def unique(db: Database) -> set[tuple[str, str]]:
    with db.read() as connection:
        seen = inspect(connection)
        return {
            (table, str(index["name"]))
            for table in seen.get_table_names()
            for index in seen.get_indexes(table)
            if index["unique"]
        }


def test_each_migration_only_adds(db: Database) -> None:
    upgrade(db, REVISIONS[0])
    for revision in REVISIONS[1:]:
        before, was_unique = columns(db), unique(db)
        upgrade(db, revision)
        after = columns(db)
        assert before.keys() <= after.keys(), f"{revision} takes away what the version before reads"
        for place, column in before.items():
            now = after[place]
            assert str(now["type"]) == str(column["type"]), f"{revision} changes the type of {place}"
            assert now["nullable"] or not column["nullable"], f"{revision} demands {place}"
        known = {table for table, _ in before}
        for (table, name), column in after.items():
            added = table in known and (table, name) not in before
            demanded = not column["nullable"] and column["default"] is None
            assert not (added and demanded), (
                f"the version before writes no {table}.{name}, {revision} demands it"
            )
        new_columns = {place for place in after if place not in before}
        for table, index in unique(db) - was_unique:
            assert table not in known or any(t == table and c in index for t, c in new_columns), (
                f"{revision}: {index} may refuse what the version before writes"
            )


def test_revisions_are_one_line_of_numbers() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert [r.revision for r in script.walk_revisions()][::-1] == REVISIONS
    assert newest_revision() == REVISIONS[-1]


def test_a_process_of_this_version_starts_on_the_schema_of_the_next(db: Database) -> None:
    db.migrate()
    with db.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    db.migrate()
    assert not db.is_newest()


def test_nodes_that_start_together_migrate_one_after_the_other(postgres_server: str) -> None:
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        nodes = [Database(f"{postgres_server}/{name}") for _ in range(4)]
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(Database.migrate, nodes))
        assert all(node.is_newest() for node in nodes)
        for node in nodes:
            node.close()
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
