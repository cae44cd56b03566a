"""Everything that goes wrong, under load; afterwards every acknowledged delivery is accounted for.

`make test` runs each fault once; `make chaos` goes round until 1,000 processes were killed.
SIGNALBOX_CHAOS_SEED repeats a run, SIGNALBOX_CHAOS_KILLS says for how long.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.inbox import Inbox
from tests.chaos import load as loads
from tests.chaos.conftest import KILLS
from tests.chaos.faults import FAULTS, ONCE, Chaos
from tests.conftest import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(420 + 6 * KILLS)]


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
            load.look()
            rounds += 1
    finally:
        load.finish()
    wait_until(chaos.is_up, 90, "the web process")
    loads.press(chaos.product)
    loads.settle(chaos.product, load)
    made = loads.account(chaos.product, load, chaos.database_url, chaos.acknowledged)
    print(
        f"\n{chaos.kills} processes killed in {rounds} rounds; {len(load.acknowledged)} commands, "
        f"{len(chaos.acknowledged)} deliveries under way, "
        f"{load.clicks} clicks and {len(load.tickets)} tickets, {made.refused} refused at once; runs {dict(made.runs)}; dead letters {len(made.dead)}"
    )
    reasons = {
        f"- {run.handler}: {re.sub(r'MID-[0-9]+', 'MID-…', run.error or '')}"[:200] for run in made.dead
    }
    print(*sorted(reasons), sep="\n")
    print(*made.problems, sep="\n")
    assert made.problems == []
    assert len(load.acknowledged) > 50
    assert chaos.product.stop() == 0


WRITER = """
import resource, signal, sys
from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import SignalboxError
from bot.core.events import NewEvent
from bot.core.inbox import Inbox
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
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
    room = sum(file.stat().st_size for file in tmp_path.iterdir()) + 100_000
    wrote = subprocess.run(
        [sys.executable, "-c", WRITER, url, str(room)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
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
