"""Where the raw tables lie: a folder of files, or a database. Both engines take the same address."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ml.churn.errors import DataError

KINDS = ("csv", "csv.gz", "parquet")
_ADDRESS = re.compile(r"^(jdbc:)?([a-z0-9]+)(\+[a-z0-9]+)?:")
_USER = re.compile(r"//([^/@:]+)(:[^/@]*)?@")


@dataclass(frozen=True, slots=True)
class Dialect:
    """`here`: how SQLAlchemy calls it, empty where it can't; `driver`: the JDBC driver's class."""

    here: str
    driver: str


DIALECTS = {
    "postgresql": Dialect("postgresql+psycopg", "org.postgresql.Driver"),
    "mysql": Dialect("mysql+pymysql", "com.mysql.cj.jdbc.Driver"),
    "mariadb": Dialect("mariadb+pymysql", "org.mariadb.jdbc.Driver"),
    "sqlite": Dialect("sqlite", "org.sqlite.JDBC"),
    "derby": Dialect("", "org.apache.derby.jdbc.EmbeddedDriver"),
}


@dataclass(frozen=True)
class Source:
    """`address`: a folder, or a database's URL as SQLAlchemy or as JDBC writes it, without a password.

    `driver` and `jars` are for JDBC only: the driver's class where it is not the usual one, and where its
    jars lie.
    """

    address: str
    user: str = ""
    password: str = field(default="", repr=False)
    driver: str = ""
    jars: tuple[str, ...] = ()

    @property
    def is_database(self) -> bool:
        return self.address.startswith("jdbc:") or "://" in self.address

    @property
    def folder(self) -> Path:
        return Path(self.address)

    @property
    def shown(self) -> str:
        """The address for messages: whoever wrote a password into it does not see it in a log."""
        return _USER.sub("//…@", self.address)

    def url(self) -> str:
        """For SQLAlchemy.

        Raises:
            DataError: it is no database that this engine can read.
        """
        kind, rest = self._parts()
        if not DIALECTS[kind].here:
            raise DataError(
                f"Polars can't read {kind}: it has no SQLAlchemy dialect. Set churn.engine to 'spark', which "
                "reads it by JDBC."
            )
        # JDBC writes the path of a file where SQLAlchemy wants //host/path, with no host.
        return f"{DIALECTS[kind].here}:{rest if rest.startswith('//') else f'///{rest}'}"

    def jdbc_url(self) -> str:
        """For Spark; the user travels beside it.

        Raises:
            DataError: nobody knows the database.
        """
        kind, rest = self._parts()
        if kind == "sqlite":
            rest = rest.removeprefix("///")
        return f"jdbc:{kind}:{_USER.sub('//', rest)}"

    def jdbc_driver(self) -> str:
        return self.driver or DIALECTS[self._parts()[0]].driver

    def _parts(self) -> tuple[str, str]:
        found = _ADDRESS.match(self.address)
        kind = found.group(2) if found else ""
        if found is None or kind not in DIALECTS:
            raise DataError(
                f"churn.source names a database of the kind {kind or '?'!r}; known are {', '.join(DIALECTS)}."
            )
        return kind, self.address[found.end() :]


def files_of(folder: Path, name: str) -> list[Path]:
    """The files of a table: NAME.csv, NAME.parquet, or a folder NAME of such files.

    Raises:
        DataError: there is none.
    """
    single = [folder / f"{name}.{kind}" for kind in KINDS if (folder / f"{name}.{kind}").is_file()]
    found = single or sorted(f for kind in KINDS for f in (folder / name).glob(f"**/*.{kind}"))
    if not found:
        raise DataError(
            f"There is no table {name!r} in {folder}. Put {name}.csv or {name}.parquet there, or a folder of "
            "such files; `signalbox churn demo` writes an example of each."
        )
    return found
