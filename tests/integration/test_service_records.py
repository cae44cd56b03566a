"""Changes, incidents and events: who may move them where, and that the chain tells the same story."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import Permanent, Refused
from bot.core.service_desk import Changes, ServiceRecords, as_model
from bot.core.service_ledger import Circumstances, ServiceLedger
from bot.core.service_models import Change, ConfigurationItem, RecordActor
from bot.core.service_report import report
from bot.core.tables import service_records
from bot.testing import Clock

pytestmark = pytest.mark.integration
WHAT = {"reason": "Better on fresh labels.", "plan": "Move the alias.", "backout_plan": "Move it back to 3."}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database_url: str, clock: Clock) -> Iterator[ServiceLedger]:
    db = Database(database_url)
    db.migrate()
    yield ServiceLedger(db, Audit(db, clock), clock, "production")
    db.close()


@pytest.fixture
def changes(ledger: ServiceLedger, clock: Clock) -> Callable[[str], Changes]:
    def of(person: str) -> Changes:
        return Changes(ledger, circumstances(person), ("promotion-within-guardrails",), clock)

    return of


def circumstances(person: str, event: str = "e1") -> Circumstances:
    actor = (
        RecordActor(type="user", id=person, via="slack")
        if person
        else RecordActor(type="scheduler", id="plugin:churn", via="cron")
    )
    return Circumstances("churn", actor, event)


def statuses(ledger: ServiceLedger) -> list[str]:
    return [version["body"]["status"] for version in ledger.history()]


def test_a_standard_change_is_authorised_by_its_template_and_closes_itself(
    changes: Callable[[str], Changes], ledger: ServiceLedger
) -> None:
    clockwork = changes("")
    items = (ConfigurationItem(type="model", name="churn", version="4", digest="ab" * 32),)
    change = clockwork.propose(
        "standard", "Promote churn 4", template="promotion-within-guardrails", items=items, **WHAT
    )
    assert change.authorisation[0].authority == "template promotion-within-guardrails"
    clockwork.begin(change.id)
    done = clockwork.end(change.id, after={"champion": 4})
    assert (done.status, done.ended_as) == ("closed", "implemented")
    assert statuses(ledger) == ["authorised", "implementing", "implemented", "reviewed", "closed"]
    assert ledger.faults() == []


def test_a_template_that_nobody_authorised_is_refused(changes: Callable[[str], Changes]) -> None:
    with pytest.raises(Refused, match=r"records\.templates"):
        changes("").propose("standard", "New data source", template="anything-goes", **WHAT)


def test_a_normal_change_needs_somebody_elses_word(changes: Callable[[str], Changes]) -> None:
    author, other, nobody = changes("U1"), changes("U2"), changes("")
    change = author.propose("normal", "New model family", **WHAT)
    for who in (author, nobody):
        with pytest.raises(Refused, match="other than U1"):
            who.authorise(change.id)
    with pytest.raises(Refused, match="once it is authorised"):
        author.begin(change.id)
    assert other.authorise(change.id, rationale="Measured well.").authorisation[0].authority == "U2"
    author.begin(change.id)
    ended = author.end(change.id, "failed", outcome="The model did not load.")
    assert ended.status == "failed"
    closed = other.review(change.id, successful=False, lessons="Check the digest first.")
    assert (closed.status, closed.review is not None and closed.review.by) == ("closed", "U2")


def test_a_rejected_change_is_over(changes: Callable[[str], Changes]) -> None:
    change = changes("U1").propose("normal", "New model family", **WHAT)
    assert changes("U2").authorise(change.id, approve=False, rationale="Not now.").status == "closed"
    with pytest.raises(Permanent, match="can't become"):
        changes("U2").authorise(change.id)


def test_an_emergency_begins_at_once_and_stays_open_until_it_is_reviewed(
    changes: Callable[[str], Changes], ledger: ServiceLedger, clock: Clock
) -> None:
    responder = changes("U1")
    change = responder.propose("emergency", "Roll back churn", **WHAT)
    responder.begin(change.id)
    assert responder.end(change.id).status == "implemented"
    clock.advance(timedelta(days=8))
    assert report(ledger.find(), clock(), 7).reviews_due == 1
    assert responder.review(change.id, successful=True).status == "closed"
    figures = report(ledger.find(), clock(), 7)
    assert (figures.emergency_share, figures.success_share, figures.reviews_due) == (1.0, 1.0, 0)


def test_every_call_may_be_repeated(changes: Callable[[str], Changes], ledger: ServiceLedger) -> None:
    author = changes("U1")
    for _ in range(2):
        change = author.propose("emergency", "Roll back churn", **WHAT)
        author.begin(change.id)
        author.end(change.id)
        author.review(change.id, successful=True)
    assert len(ledger.find()) == 1
    assert statuses(ledger) == ["authorised", "implementing", "implemented", "reviewed", "closed"]


def test_one_of_many_proposals_with_the_same_key_is_made(
    changes: Callable[[str], Changes], ledger: ServiceLedger
) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(
            pool.map(lambda n: changes(f"U{n}").propose("normal", "Same", key="week-47", **WHAT), range(12))
        )
    assert len({change.id for change in made}) == 1
    assert len(statuses(ledger)) == 1


def test_a_move_that_is_not_allowed_is_refused_with_words(
    changes: Callable[[str], Changes], ledger: ServiceLedger
) -> None:
    change = changes("U1").propose("normal", "New model family", **WHAT)
    with pytest.raises(Permanent, match="can't become 'implemented'"):
        ledger.move(change.id, "implemented", {}, circumstances("U1"))
    with pytest.raises(Permanent, match="no record"):
        ledger.move("nothing", "closed", {}, circumstances("U1"))


def test_an_incident_is_worked_on_resolved_and_closed(ledger: ServiceLedger, clock: Clock) -> None:
    desk = ServiceRecords(ledger, circumstances("U1"), clock)
    incident = desk.incident("Digest failed", category="churn", impact="high", urgency="medium", key="d47")
    assert incident.priority == 2
    assert desk.incident("Digest failed", category="churn", key="d47").id == incident.id
    desk.move_incident(incident.id, "in_progress", assignee="U2")
    resolved = desk.move_incident(incident.id, "resolved", resolution="The table is back.")
    assert resolved.resolved_at == clock()
    assert desk.move_incident(incident.id, "closed").status == "closed"
    assert ledger.faults() == []


def test_events_and_requests_are_noted_once(ledger: ServiceLedger, clock: Clock) -> None:
    desk = ServiceRecords(ledger, circumstances(""), clock)
    for _ in range(2):
        desk.event("warning", "drift.found", "Logins drifted", value=0.31, threshold=0.25)
        desk.request("Score account 7", answer="0.4")
    assert sorted(record.type for record in ledger.find()) == ["event", "service_request"]
    asked = desk.request("Score account 8")
    assert desk.fulfil(asked.id, "0.9").status == "fulfilled"


def test_a_record_changed_behind_the_chains_back_is_found(
    changes: Callable[[str], Changes], ledger: ServiceLedger
) -> None:
    change = changes("U1").propose("normal", "New model family", **WHAT)
    with ledger._db.write() as tx:
        tx.execute(sa.update(service_records).values(status="authorised"))
    assert any(change.id in fault for fault in ledger.faults())
    with ledger._db.write() as tx:
        tx.execute(sa.delete(service_records))
    assert "missing from the table" in ledger.faults()[0]


def test_stored_records_come_back_as_values(changes: Callable[[str], Changes], ledger: ServiceLedger) -> None:
    change = changes("U1").propose("normal", "New model family", **WHAT)
    [stored] = ledger.find(event_id="e1")
    assert as_model(stored) == change
    assert isinstance(as_model(stored), Change)
