"""Databases into a file and back, online: SQLite by its backup API, PostgreSQL by pg_dump and pg_restore."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from bot.core.errors import ConfigError, Permanent

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_SQLITE_MAGIC = b"SQLite format 3\0"


def kind_of(url: str) -> str:
    return SQLITE if url.startswith("sqlite") else POSTGRESQL


def is_sqlite_file(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC


def dump(url: str, target: Path) -> None:
    """Write a consistent copy while others write."""
    if kind_of(url) == SQLITE:
        copy_sqlite(sqlite_path(url), target)
        return
    location, env = _postgresql(url)
    argv = ["-Fc", "--no-owner", "--no-privileges", "--file", str(target), "--dbname", location]
    _run("pg_dump", argv, env)


def restore(dumped: Path, url: str) -> None:
    """Fill an empty database from what `dump` wrote."""
    if kind_of(url) == SQLITE:
        target = sqlite_path(url)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(dumped, target)
        _check_integrity(target)
        return
    location, env = _postgresql(url)
    argv = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    _run("pg_restore", [*argv, "--dbname", location, str(dumped)], env)


def copy_sqlite(source: Path, target: Path) -> None:
    """One step under one read transaction: in WAL mode it keeps nobody from writing."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as given,
        closing(sqlite3.connect(target)) as made,
    ):
        given.backup(made)
        made.execute("PRAGMA journal_mode=DELETE")  # one file, complete in itself


def _check_integrity(file: Path) -> None:
    with closing(sqlite3.connect(file)) as opened:
        words = [row[0] for row in opened.execute("PRAGMA integrity_check")]
    if words != ["ok"]:
        raise Permanent(f"The restored {file.name} is damaged: {'; '.join(words[:3])}. Use another archive.")


def is_empty(url: str) -> bool:
    """Whether there is nothing that a restore would overwrite."""
    from sqlalchemy import inspect  # noqa: PLC0415

    from bot.core.database import Database  # noqa: PLC0415

    if kind_of(url) == SQLITE:
        return not sqlite_path(url).exists()
    db = Database(url)
    try:
        with db.read() as tx:
            return not inspect(tx).get_table_names()
    finally:
        db.close()


def refuse_when_used(url: str) -> None:
    """Who uses an SQLite file holds the lock of the data directory; PostgreSQL knows who is connected.

    Raises:
        ConfigError: somebody is.
    """
    if kind_of(url) == SQLITE:
        return
    import psycopg  # noqa: PLC0415

    location = make_url(url).set(drivername=POSTGRESQL).render_as_string(hide_password=False)
    with psycopg.connect(location) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchone()
    if found and found[0]:
        raise ConfigError(
            f"The product is running: {found[0]} connections to its database are open. Stop web, workers and "
            "beat, restore, and start them again; what senders deliver meanwhile they send again."
        )


@contextmanager
def appearing_whole(url: str) -> Iterator[str]:
    """Where to make a database, so that at the place of `url` there is nothing, or all of it.

    PostgreSQL fills the empty one in a single transaction; a file gets its name when it is ready.
    """
    if kind_of(url) != SQLITE:
        yield url
        return
    target = sqlite_path(url)
    hidden = target.with_name(f"{target.name}.part")
    hidden.unlink(missing_ok=True)
    try:
        yield f"sqlite:///{hidden}"
        with closing(sqlite3.connect(hidden)) as made:
            made.execute("PRAGMA journal_mode=DELETE")  # one file, complete in itself
        hidden.rename(target)
    finally:
        hidden.unlink(missing_ok=True)


@contextmanager
def scratch(url: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database beside the given one, gone when the block ends."""
    if kind_of(url) == SQLITE:
        yield f"sqlite:///{folder / 'signalbox.db'}"
        return
    import psycopg  # noqa: PLC0415

    name = f"signalbox_restore_{secrets.token_hex(6)}"
    location = make_url(url).set(drivername=POSTGRESQL).render_as_string(hide_password=False)
    try:
        with psycopg.connect(location, autocommit=True) as admin:
            admin.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    except psycopg.Error as exc:
        raise Permanent(
            f"No scratch database could be made to restore into: {exc}. Give the user of DATABASE_URL the "
            "right CREATEDB, or set backup.scratch_url to a server where it has it."
        ) from exc
    made = make_url(url).set(database=name)
    try:
        yield made.render_as_string(hide_password=False)
    finally:
        with psycopg.connect(location, autocommit=True) as admin:
            dropped = psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            admin.execute(dropped.format(psycopg.sql.Identifier(name)))


def sqlite_path(url: str) -> Path:
    return Path(make_url(url).database or "")


def _postgresql(url: str) -> tuple[str, dict[str, str]]:
    """Where it is, without the password, and an environment that has it: argv can be read by everybody."""
    parsed: URL = make_url(url).set(drivername=POSTGRESQL)
    env = dict(os.environ)  # noqa: TID251  # the client's own variables (PGSSLMODE and others) hold too
    if parsed.password:
        env["PGPASSWORD"] = str(parsed.password)
    bare = URL.create(
        POSTGRESQL, parsed.username, None, parsed.host, parsed.port, parsed.database, parsed.query
    )
    return bare.render_as_string(hide_password=False), env


def _run(tool: str, arguments: Sequence[str], env: dict[str, str]) -> None:
    argv = [_find(tool), *arguments]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
    if done.returncode:
        raise Permanent(f"{tool} failed: {done.stderr.strip()[-500:] or f'exit {done.returncode}'}.")


def _find(tool: str) -> str:
    """On PATH, else the newest of Debian's versioned folders."""
    found = shutil.which(tool)
    if found:
        return found
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{tool}"), key=_version)
    if not versions:
        raise Permanent(
            f"{tool} is not installed. Install PostgreSQL's client in the version of the server or newer, "
            "e.g. `apt-get install postgresql-client`."
        )
    return str(versions[-1])


def _version(tool: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in tool.parts[-3].split(".") if part.isdecimal())
