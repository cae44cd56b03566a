"""Incidents and holds when several workers meet, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bot.core.context import Context
from bot.core.database import Database
from bot.core.events import Event, Payload
from bot.core.memory import Documents
from bot.testing import START, Kit
from plugins.alert_relay import AlertRelay, keysets
from plugins.alert_relay.holding import holds
from plugins.alert_relay.incidents import ledger
from plugins.alert_relay.incidents.ledger import Ledger
from plugins.alert_relay.state import Card, GroupState

pytestmark = pytest.mark.integration
WORKERS = 6


@pytest.fixture
def kit(database_url: str) -> Iterator[Kit]:
    with Kit(AlertRelay, database_url=database_url) as made:
        yield made


def context(kit: Kit) -> Context:
    handler = next(kit.plugin.handlers())
    return Context(kit.kernel, Event("kit", "kit", "kit", "kit", kit.clock()), handler, Payload())


def state(number: int, incident: str = "") -> GroupState:
    return GroupState(
        key=f"{number:02d}",
        channel="#alerts",
        labels={"alertname": f"A{number}", "service": "checkout"},
        card=Card(title=f"A{number}", severity="critical", firing=1),
        status="firing",
        started_at=START - timedelta(minutes=1),
        incident=incident,
    )


def test_groups_that_come_at_once_open_one_incident(kit: Kit) -> None:
    ctx = context(kit)
    with ThreadPoolExecutor(WORKERS) as pool:
        joined = list(pool.map(lambda n: ledger.follow(ctx, state(n), kit.plugin.config)[0].id, range(12)))
    assert set(joined) == {"INC-1"}
    [known] = Ledger(ctx.documents).all()
    assert len(known.members) == 12


def test_one_of_them_is_the_line(kit: Kit) -> None:
    ctx = context(kit)
    for number in range(WORKERS):
        ledger.follow(ctx, state(number), kit.plugin.config)
    with ThreadPoolExecutor(WORKERS) as pool:
        places = list(pool.map(lambda n: ledger.place(ctx, state(n, "INC-1")), range(WORKERS)))
    assert sum(place is not None and place.is_mine for place in places) == 1


def test_a_storm_counts_every_group(kit: Kit) -> None:
    ctx = context(kit)

    def admit(number: int) -> holds.Admission:
        return holds.admit(ctx, "#alerts", f"{number:03d}", limit=10, quiet_until=None)

    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(admit, range(60)))
    held = [admission.hold for admission in found if admission.hold is not None]
    assert len(held) == 50
    assert len(keysets.members(ctx.documents, holds.members_of(held[0].id))) == 50


def test_keys_of_many_writers_are_all_kept(database_url: str) -> None:
    db = Database(database_url)
    db.migrate()
    documents = Documents(db, "toy")
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda n: keysets.put(documents, "open", f"{n:04d}"), range(80)))
    assert len(keysets.members(documents, "open")) == 80
    keysets.put(documents, "open", "0007", wanted=False)
    assert "0007" not in keysets.members(documents, "open")
    assert [found.key for found in documents.many(["open/00", "nothing"])] == ["open/00"]
    db.close()
