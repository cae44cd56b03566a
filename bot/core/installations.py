"""Workspaces that the chat app was installed in, each with its own token, which is kept sealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import Permanent
from bot.core.tables import slack_installations

if TYPE_CHECKING:
    from bot.core.sealing import Sealer

_PURPOSE = "slack installations"
AGAIN = "install Signalbox there again (`signalbox slack install-link` prints the address)"


@dataclass(frozen=True, slots=True)
class Installation:
    """All that may be shown of one; its token is asked for on its own."""

    team: str
    name: str
    enterprise: str
    bot_user: str
    scopes: str
    installed_by: str
    installed_at: datetime


class Installations:
    """Args:
    key: what the sealing key is derived from; the same on every node.
    """

    def __init__(self, db: Database, audit: Audit, key: bytes, clock: Callable[[], datetime]) -> None:
        self._db = db
        self._audit = audit
        self._key = key
        self._clock = clock
        self._insert: Any = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert

    def save(self, team: str, token: str, by: str, **told: str) -> Installation:
        """Keep an installation in place of an earlier one of the same workspace.

        `told` is what Slack says of it: name, enterprise, bot_user, scopes.
        """
        made = Installation(
            team=team,
            name=told.get("name", "")[:120],
            enterprise=told.get("enterprise", "")[:40],
            bot_user=told.get("bot_user", "")[:40],
            scopes=told.get("scopes", ""),
            installed_by=by[:120],
            installed_at=self._clock(),
        )
        row = _fields(made) | {"token": self._sealer().seal(token, team)}
        newest = {name: value for name, value in row.items() if name != "team"}
        statement = self._insert(slack_installations).values(**row)
        statement = statement.on_conflict_do_update(index_elements=[slack_installations.c.team], set_=newest)
        with self._db.write() as tx:
            tx.execute(statement)
            after = {"name": made.name, "bot_user": made.bot_user, "scopes": made.scopes}
            self._audit.append(tx, by, "slack.install", team, after=after)
        return made

    def forget(self, team: str, by: str, *, until: datetime | None = None) -> Installation | None:
        """Delete an installation with its token; None when there is none.

        With `until` one that was made later stays: a late word of Slack's says nothing of it.
        """
        wanted = slack_installations.c.team == team
        if until is not None:
            wanted &= slack_installations.c.installed_at <= until
        with self._db.write() as tx:
            row = tx.execute(delete(slack_installations).where(wanted).returning(*_COLUMNS)).one_or_none()
            if row is None:
                return None
            self._audit.append(tx, by, "slack.forget", team, before={"name": row.name})
        return Installation(*row)

    def all(self) -> list[Installation]:
        """By name."""
        order = (slack_installations.c.name, slack_installations.c.team)
        with self._db.read() as tx:
            return [Installation(*row) for row in tx.execute(select(*_COLUMNS).order_by(*order))]

    def teams(self) -> frozenset[str]:
        with self._db.read() as tx:
            return frozenset(tx.execute(select(slack_installations.c.team)).scalars())

    def sealed(self, team: str) -> bytes:
        """What `token` opens; it differs from installation to installation.

        Raises:
            Permanent: the app is not installed there.
        """
        query = select(slack_installations.c.token).where(slack_installations.c.team == team)
        with self._db.read() as tx:
            found = tx.execute(query).scalar_one_or_none()
        if found is None:
            raise Permanent(
                f"Signalbox is not installed in the Slack workspace {team}, or was removed from it: {AGAIN}."
            )
        return bytes(found)

    def token(self, team: str, sealed: bytes | None = None) -> str:
        """The bot token of a workspace.

        Raises:
            Permanent: the app is not installed there, or the token was sealed with another key.
        """
        from bot.core.sealing import Unreadable  # noqa: PLC0415  # see _sealer

        try:
            return self._sealer().open(self.sealed(team) if sealed is None else sealed, team)
        except Unreadable as exc:
            raise Permanent(
                f"The token of the Slack workspace {team} was stored with another secret key, or was changed "
                f"since ({exc}). Give SIGNALBOX_SECRET_KEY its former value, or {AGAIN}."
            ) from exc

    def _sealer(self) -> Sealer:
        from bot.core.sealing import Sealer  # noqa: PLC0415  # who has one workspace needs no cipher

        return Sealer(self._key, _PURPOSE)


def _fields(made: Installation) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Installation.__slots__}


_COLUMNS = [slack_installations.c[name] for name in Installation.__slots__]
