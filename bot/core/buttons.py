"""Buttons that count once. Their state is in the database; only an opaque id travels to the chat.

A press claims the button's group by one INSERT that only one can win. What people see is always
derived from the claims (`present`), so any later update of a message shows who acted and what came of it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.core.database import Database
from bot.core.events import utc_now
from bot.core.messages import Actions, Block, Button, Message, Note, Select, Text, md, mention
from bot.core.tables import buttons, claims


@dataclass(frozen=True, slots=True)
class StoredButton:
    id: str
    plugin: str
    action: str
    label: str
    args: dict[str, Any]
    group: str
    once: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    group: str
    event_id: str
    user_id: str
    label: str
    running: bool
    outcome: str
    at: datetime


class Buttons:
    """Args:
    key: secret from which ids are derived, so that they are stable over updates but can't be guessed.
    """

    def __init__(self, db: Database, key: bytes, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._key = key
        self._clock = clock
        self._insert: Any = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert

    def register(self, message: Message, plugin: str, base: str) -> Message:
        """Store the message's buttons and return it with their ids; `base` is the default group.

        Those that have an id stay as they are: another plugin's, in a message that this one only sends.
        """
        rows: dict[str, dict[str, Any]] = {}

        def with_id(pressable: Button | Select) -> Button | Select:
            if pressable.id:
                return pressable
            group = pressable.group or base
            row = self._row(pressable, plugin, group)
            rows[row["id"]] = row
            named = f"{plugin}:{pressable.action}"
            return pressable.model_copy(update={"id": row["id"], "group": group, "action": named})

        changed = _map_pressables(message, with_id)
        if rows:
            statement = self._insert(buttons).values(list(rows.values()))
            with self._db.write() as tx:
                tx.execute(
                    statement.on_conflict_do_update(
                        index_elements=[buttons.c.id], set_={"expires_at": statement.excluded.expires_at}
                    )
                )
        return changed

    def _row(self, pressable: Button | Select, plugin: str, group: str) -> dict[str, Any]:
        label = pressable.text if isinstance(pressable, Button) else pressable.placeholder
        identity = json.dumps([plugin, pressable.action, group, label, pressable.args], sort_keys=True)
        now = self._clock()
        return {
            "id": hmac.new(self._key, identity.encode(), hashlib.sha256).hexdigest()[:32],
            "plugin": plugin,
            "action": pressable.action,
            "label": label[:80],
            "args": pressable.args,
            "claim_group": group,
            "once": int(pressable.once),
            "created_at": now,
            "expires_at": now + pressable.expires_in,
        }

    def get(self, button_id: str) -> StoredButton | None:
        with self._db.read() as tx:
            row = tx.execute(select(buttons).where(buttons.c.id == button_id)).one_or_none()
        if row is None:
            return None
        return StoredButton(
            row.id,
            row.plugin,
            row.action,
            row.label,
            row.args,
            row.claim_group,
            bool(row.once),
            row.expires_at,
        )

    def claim(self, button: StoredButton, event_id: str, user_id: str) -> Claim:
        """Claim the button's group; the claim returned is the winner's, ours if its event is ours."""
        row = {
            "claim_group": button.group,
            "button_id": button.id,
            "event_id": event_id,
            "user_id": user_id,
            "label": button.label,
            "status": "running",
            "outcome": "",
            "claimed_at": self._clock(),
        }
        with self._db.write() as tx:
            tx.execute(self._insert(claims).values(**row).on_conflict_do_nothing())
            return _claim(tx.execute(select(claims).where(claims.c.claim_group == button.group)).one())

    def claimed_by(self, event_id: str) -> Claim | None:
        """The claim that a press made and has not finished."""
        query = select(claims).where(claims.c.event_id == event_id, claims.c.status == "running")
        with self._db.read() as tx:
            row = tx.execute(query).one_or_none()
        return _claim(row) if row else None

    def finish(self, claim: Claim, outcome: str) -> None:
        with self._db.write() as tx:
            tx.execute(update(claims).where(*_is(claim)).values(status="done", outcome=outcome[:500]))

    def release(self, claim: Claim) -> None:
        """Make the group pressable again: what was asked did not happen."""
        with self._db.write() as tx:
            tx.execute(claims.delete().where(*_is(claim)))

    def present(self, message: Message) -> Message:
        """The message as it stands now: claimed buttons give way to who claimed them and what came of it."""
        groups = {p.group for p in message.pressables() if p.once and p.group}
        if not groups:
            return message
        with self._db.read() as tx:
            rows = tx.execute(select(claims).where(claims.c.claim_group.in_(groups)))
            found = {row.claim_group: _claim(row) for row in rows}
        return _replace_claimed(message, found) if found else message

    def forget_expired(self, keep: timedelta = timedelta(days=30)) -> int:
        with self._db.write() as tx:
            return tx.execute(buttons.delete().where(buttons.c.expires_at < self._clock() - keep)).rowcount


def _is(claim: Claim) -> tuple[Any, ...]:
    return (claims.c.claim_group == claim.group, claims.c.event_id == claim.event_id)


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        row.claim_group,
        row.event_id,
        row.user_id,
        row.label,
        row.status == "running",
        row.outcome,
        row.claimed_at,
    )


def _map_pressables(message: Message, change: Callable[[Button | Select], Button | Select]) -> Message:
    def block(old: Block) -> Block:
        if not isinstance(old, Actions):
            return old
        elements = tuple(change(e) if isinstance(e, Button | Select) else e for e in old.elements)
        return Actions(elements=elements)

    return message.model_copy(update={"blocks": tuple(block(old) for old in message.blocks)})


def _replace_claimed(message: Message, found: dict[str, Claim]) -> Message:
    blocks: list[Block] = []
    shown: set[str] = set()
    for block in message.blocks:
        if not isinstance(block, Actions):
            blocks.append(block)
            continue
        claimed = [e for e in block.elements if _is_claimed(e, found)]
        left = tuple(e for e in block.elements if e not in claimed)
        taken = dict.fromkeys(e.group for e in claimed if isinstance(e, Button | Select))
        blocks.extend(Note(parts=(claim_line(found[group]),)) for group in taken if group not in shown)
        shown.update(taken)
        if left:
            blocks.append(Actions(elements=left))
    return message.model_copy(update={"blocks": tuple(blocks)})


def _is_claimed(element: Any, found: Iterable[str]) -> bool:
    return isinstance(element, Button | Select) and element.once and element.group in found


def claim_line(claim: Claim) -> Text:
    """One line for people: what was pressed, by whom, and how it stands."""
    if claim.running:
        return md(
            ":hourglass_flowing_sand: *{}* is running, asked by {}", claim.label, mention(claim.user_id)
        )
    outcome = f" · {claim.outcome}" if claim.outcome else ""
    return md(":white_check_mark: *{}* by {}{}", claim.label, mention(claim.user_id), outcome)
