"""Erasing leaves no trace of a person, a ticket or a customer, and the audit chain still holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.core import retention, tables
from bot.core.database import Database
from bot.core.errors import ConfigError
from bot.core.events import NewEvent
from bot.core.inbox import Lease
from bot.core.kernel import Kernel
from bot.core.memory import Documents, Records
from bot.core.messages import Actions, Button, Message, Section
from bot.core.privacy import Privacy
from bot.core.registry import Registry
from bot.core.service_desk import Changes
from bot.core.service_ledger import Circumstances
from bot.core.service_models import RecordActor
from bot.core.settings import RetentionSettings, Settings
from bot.testing import Clock

pytestmark = pytest.mark.integration
TICKET, PERSON, NAME = "SUP-17", "U0ANNA", "Jürgen Müller"
BODY = '{"key": "SUP-17", "text": "I am Jürgen Müller, call me", "user": "U0ANNA"}'.encode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kernel(database_url: str, clock: Clock) -> Iterator[Kernel]:
    db = Database(database_url)
    db.migrate()
    settings = Settings.model_validate({"secret_key": "k" * 32})
    made = Kernel(settings, db, Registry(), [], clock=clock)
    yield made
    made.close()


def fill(kernel: Kernel) -> NewEvent:
    new = NewEvent("jira", "ticket.created", TICKET, BODY, actor=PERSON, serial=TICKET, runs=(("p.m", "io"),))
    near = NewEvent("jira", "ticket.created", "SUP-170", b"{}", actor="U0BEN", runs=(("p.m", "io"),))
    kernel.inbox.put_many([new, near])
    for event in (new, near):
        lease = kernel.inbox.lease(f"{event.id}-0", "w", timedelta(seconds=30))
        assert isinstance(lease, Lease)
        kernel.inbox.dead(lease, f"no such user {PERSON}") if event is new else kernel.inbox.done(lease)
    kernel.audit.record(PERSON, "tags.apply", TICKET, after={"label": "billing"}, event_id=new.id)
    kernel.audit.record("U0BEN", "tags.apply", "SUP-170")
    Records(kernel.db, "autotag", None, kernel.clock).append(
        "decision", TICKET, {"label": "billing", "summary": "I am charged twice", "by": PERSON, "score": 0.9}
    )
    Documents(kernel.db, "autotag").put(f"open:{TICKET}", {"who": NAME})
    button = Button(text="Accept", action="accept", args={"key": TICKET})
    message = Message(text=f"{TICKET}: {NAME}", blocks=(Section(text=NAME), Actions(elements=(button,))))
    registered = kernel.buttons.register(message, "autotag", f"tag:{TICKET}")
    kernel.messages.want(f"tag:{TICKET}", "C1", registered)
    by = Circumstances("autotag", RecordActor(type="user", id=PERSON, via="slack"), new.id)
    changes = Changes(kernel.ledger, by, ("t",), kernel.clock)
    change = changes.propose("emergency", "Roll back", reason="r", plan="p", backout_plan="b")
    changes.begin(change.id)
    kernel.installations.save("T0BRANCH0", "xoxb-1", f"console:{PERSON}", name="Branch")
    return new


def everything(kernel: Kernel) -> str:
    with kernel.db.read() as tx:
        found = [str(tx.execute(sa.select(table)).all()) for table in tables.metadata.sorted_tables]
    return "".join(found)


def test_nothing_names_them_any_more_and_the_chain_holds(kernel: Kernel) -> None:
    fill(kernel)
    changed = Privacy(kernel.db, kernel.audit).erase([TICKET, PERSON, NAME], "cli", "request 4")
    left = everything(kernel).replace("SUP-170", "")
    for term in (TICKET, PERSON, "Jürgen", "J\\u00fcrgen", "charged twice"):
        assert term not in left, term
    assert changed["audit"] >= 3
    assert kernel.audit.verify().faults == []
    assert kernel.ledger.faults() == []
    assert "SUP-170" in everything(kernel)
    assert Records(kernel.db, "autotag").tally("decision", "label") == {"billing": 1}
    assert kernel.audit.rows()[-1].subject == "request 4"


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("JÜRGEN MÜLLER", NAME),
        ("Ju\u0308rgen Mu\u0308ller", NAME),
        ("J\\u00FCrgen M\\u00fcller", NAME),
        ("Ann O\\u0027Hara \\u0026 Sons", "Ann O'Hara & Sons"),
        ("https:\\/\\/shop.example\\/ann", "https://shop.example/ann"),
    ],
)
def test_a_name_is_found_however_it_was_written_down(kernel: Kernel, kept: str, asked: str) -> None:
    body = f'{{"from": "{kept}", "id": "SUP-99"}}'.encode()
    kernel.inbox.put(NewEvent("github", "ticket.created", "SUP-99", body))
    assert Privacy(kernel.db, kernel.audit).erase([asked], "cli", "r") == {"events": 1}
    assert kept not in everything(kernel)


def test_no_trace_is_left_in_an_sqlite_file(kernel: Kernel, database_url: str) -> None:
    fill(kernel)
    file = database_url.removeprefix("sqlite:///")
    if file == database_url:
        assert database_url.startswith("postgresql"), "its files are the server's: docs/security.md"
        return
    Privacy(kernel.db, kernel.audit).erase([TICKET, PERSON, NAME], "cli", "r")
    left = b"".join(path.read_bytes() for path in Path(file).parent.glob(f"{Path(file).name}*"))
    assert b"SUP-170" in left
    for term in (PERSON, "Müller", "M\\u00fcller", "charged twice"):
        assert term.encode() not in left, term


def test_a_second_time_nothing_is_found(kernel: Kernel) -> None:
    fill(kernel)
    privacy = Privacy(kernel.db, kernel.audit)
    privacy.erase([TICKET, PERSON, NAME], "cli", "r")
    assert not privacy.erase([TICKET, PERSON, NAME], "cli", "r")


def test_what_is_being_worked_on_is_left_alone_and_told(kernel: Kernel) -> None:
    new = NewEvent("jira", "ticket.created", TICKET, BODY, runs=(("p.m", "io"),))
    kernel.inbox.put(new)
    changed = Privacy(kernel.db, kernel.audit).erase([TICKET], "cli", "r")
    assert changed["in work"] == 1
    assert kernel.inbox.event(new.id)[1] == BODY


@pytest.mark.parametrize("terms", [[], ["ab"], ["SUP-17", " "]])
def test_what_would_match_by_chance_is_refused(kernel: Kernel, terms: list[str]) -> None:
    with pytest.raises(ConfigError):
        Privacy(kernel.db, kernel.audit).erase(terms, "cli", "r")


@pytest.mark.parametrize("term", ["%%%", "___", ".*.", "' OR 1=1 --", "\\\\\\"])
def test_a_pattern_is_only_text(kernel: Kernel, term: str) -> None:
    fill(kernel)
    assert not Privacy(kernel.db, kernel.audit).erase([term], "cli", "r")


def test_old_events_go_and_what_waits_or_is_dead_stays(kernel: Kernel, clock: Clock) -> None:
    fill(kernel)
    kernel.inbox.put(NewEvent("jira", "ticket.created", "SUP-3", b"{}", runs=(("p.m", "io"),)))
    settings = RetentionSettings(events_days=90, dead_days=365, records_days=30)
    assert retention.prune(kernel.db, settings, clock()) == 0
    clock.advance(timedelta(days=91))
    assert retention.prune(kernel.db, settings, clock()) == 2  # the finished one, and a fact
    assert {event.subject for event in kernel.inbox.recent()} == {TICKET, "SUP-3"}
    clock.advance(timedelta(days=365))
    assert retention.prune(kernel.db, settings, clock()) == 1
    assert [event.subject for event in kernel.inbox.recent()] == ["SUP-3"]
    assert kernel.audit.verify().ok


def test_zero_keeps_for_ever(kernel: Kernel, clock: Clock) -> None:
    fill(kernel)
    clock.advance(timedelta(days=5000))
    assert retention.prune(kernel.db, RetentionSettings(events_days=0), clock()) == 0
