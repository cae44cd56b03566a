"""Everything that goes wrong, under load; afterwards every acknowledged delivery is accounted for.

`make test` runs each fault once; `make chaos` goes round until 1,000 processes were killed.
SIGNALBOX_CHAOS_SEED repeats a run, SIGNALBOX_CHAOS_KILLS says for how long.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.inbox import Inbox
from tests.chaos import load as loads
from tests.chaos.faults import FAULTS, ONCE, Chaos, Clock, Postgres
from tests.conftest import _postgres_bin, wait_until
from tests.e2e.product import Product

KILLS = int(os.environ.get("SIGNALBOX_CHAOS_KILLS", "0"))  # noqa: TID251  # about the test run
SEED = int(os.environ.get("SIGNALBOX_CHAOS_SEED", "7"))  # noqa: TID251
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(420 + 6 * KILLS)]
# Kills make leases run out; short ones keep the test short. The limits only have to be consistent.
FAST = {
    "SIGNALBOX_WORKERS__LEASE_SECONDS": "8",
    "SIGNALBOX_WORKERS__SOFT_TIME_LIMIT": "6",
    "SIGNALBOX_WORKERS__HARD_TIME_LIMIT": "7",
    "SIGNALBOX_WORKERS__SWEEP_SECONDS": "1",
    "SIGNALBOX_WORKERS__MAX_ATTEMPTS": "30",
    "SIGNALBOX_LIMITS__PERSON": "",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def chaos(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chaos]:
    if request.param == "postgresql" and _postgres_bin() is None:
        pytest.skip("PostgreSQL is not installed; `apt-get install postgresql` to run this test.")
    postgres = Postgres() if request.param == "postgresql" else None
    clock = Clock(tmp_path) if Clock.is_possible() else None
    env = FAST | ({"DATABASE_URL": postgres.url} if postgres else {}) | (clock.environment if clock else {})
    product = Product(tmp_path / "data", **env).start()
    product.http = httpx2.Client(timeout=30)
    product.page(
        "POST", "slack/limits", enabled=False
    )  # the stand-in's minute-long limits are another matter
    made = Chaos(product, random.Random(SEED), postgres, clock, worker_kills=40 if KILLS else 6)
    yield made
    for helper in made.helpers:
        helper.terminate()
        helper.wait(20)
    if product.process.poll() is None:
        product.stop()
    if postgres:
        postgres.remove()


def test_every_acknowledged_delivery_is_accounted_for(chaos: Chaos) -> None:
    load = loads.Load(chaos.product)
    load.start()
    rounds = 0
    try:
        while not rounds or chaos.kills < KILLS:
            faults = list(FAULTS if rounds else (*ONCE, *FAULTS))
            chaos.draw.shuffle(faults)
            for fault in faults:
                fault(chaos)
                assert load.is_alive(), f"the sandbox did not survive {fault.__name__}"
            rounds += 1
    finally:
        load.finish()
    wait_until(lambda: is_up(chaos.product), 90, "the web process")
    loads.press(chaos.product)
    loads.settle(chaos.product, load)
    url = chaos.postgres.url if chaos.postgres else f"sqlite:///{chaos.product.data / 'signalbox.db'}"
    made = loads.account(chaos.product, load, url)
    print(
        f"\n{chaos.kills} processes killed in {rounds} rounds; {len(load.acknowledged)} commands and "
        f"{len(load.tickets)} tickets, {made.refused} refused at once; runs {dict(made.runs)}; dead letters {len(made.dead)}"
    )
    assert made.problems == []
    assert len(load.acknowledged) > 50
    assert chaos.product.stop() == 0


def is_up(product: Product) -> bool:
    try:
        return product.http.get(f"{product.url}/api/health").status_code == 200
    except httpx2.TransportError:
        return False


WRITER = """
import resource, signal, sys
from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import SignalboxError
from bot.core.events import NewEvent
from bot.core.inbox import Inbox
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
db = Database(sys.argv[1])
inbox, audit = Inbox(db), Audit(db)
refused = 0
while refused < 20:
    new = NewEvent("jira", "ticket.created", "SUP-1", b"x" * 5000, runs=(("p.m", "io"),))
    try:
        inbox.put(new)
        print(new.id, flush=True)
        audit.record("U1", "a", new.id)
    except SignalboxError as exc:
        refused += 1
        assert "tried again" in str(exc), exc
"""


def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    """What was acknowledged before and between the refusals is there; afterwards everything goes on."""
    url = f"sqlite:///{tmp_path / 'signalbox.db'}"
    db = Database(url)
    db.migrate()
    wrote = subprocess.run(
        [sys.executable, "-c", WRITER, url], capture_output=True, text=True, timeout=90, check=False
    )
    assert wrote.returncode == 0, wrote.stderr[-800:]
    acknowledged = set(wrote.stdout.split())
    assert acknowledged
    inbox = Inbox(db)
    assert acknowledged <= {event.id for event in inbox.recent(10_000)}
    assert Audit(db).verify().faults == []
    Audit(db).record("U1", "a", "afterwards")
    with closing(sqlite3.connect(tmp_path / "signalbox.db")) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
