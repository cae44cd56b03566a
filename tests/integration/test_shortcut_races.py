"""One message, many people at the same moment, on both databases: one ticket, one entry in the timeline."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from bot.core.events import Payload
from bot.core.runner import Runner
from bot.plugin import ChatMessage, ReplyTo, Shortcut, Submission, User
from bot.testing import Kit
from plugins.alert_relay import AlertRelay
from plugins.alert_relay.incidents.incident import Incident
from plugins.alert_relay.incidents.ledger import document_of
from plugins.autotag import AutoTag

pytestmark = pytest.mark.integration
WORKERS = 6


def race(kit: Kit, kind: str, handler: str, payload_of: Callable[[str], Payload]) -> None:
    """Deliver one event a person, and let as many workers take them at once."""
    runs, ready = [], Barrier(WORKERS)
    for number in range(WORKERS):
        user = f"U{number}"
        kit.grant(user, "*")
        event = kit._world.source.event(
            kind, payload_of(user), subject=handler, actor=user, runs=((handler, "interactive"),)
        )
        kit.kernel.inbox.put(event)
        runs += [run_id for run_id, _ in event.run_ids()]

    def work(run_id: str) -> str:
        runner = Runner(kit.kernel, f"worker-{run_id}")
        ready.wait(30)
        return runner.run(run_id).outcome

    with ThreadPoolExecutor(WORKERS) as pool:
        assert list(pool.map(work, runs)) == ["done"] * WORKERS


def test_a_message_that_many_file_at_once_is_one_ticket(database_url: str) -> None:
    def chosen(user: str) -> Shortcut:
        said = ChatMessage(text="I was charged twice", user=User(id="UEVE"), channel="C1", ts="5.1")
        to = ReplyTo(channel="C1", user=user)
        return Shortcut(name="file", message=said, user=User(id=user), reply_to=to)

    with Kit(AutoTag, config={"ticket_project": "SUP"}, database_url=database_url) as kit:
        race(kit, "slack.shortcut", "autotag.file", chosen)
        assert [effect.method for effect in kit.tickets.effects] == ["create"]
        assert [row.action for row in kit.audit] == ["tags.file"]
        answers = sorted(reply.text for reply in kit.replies)
        assert len(answers) == WORKERS
        assert sum("is filed" in answer for answer in answers) == 1
        assert sum("already" in answer for answer in answers) == WORKERS - 1


def test_a_message_that_many_add_at_once_stands_in_the_timeline_once(database_url: str) -> None:
    quote = {"ts": "5.1", "author": "UEVE", "text": "Rolled back", "said_at": "2026-11-24T09:00:00+00:00"}
    private: dict[str, Any] = {"channel": "C1", "ts": "5.1", "response_url": ""}

    def sent(user: str) -> Submission:
        to = ReplyTo(channel=user, user=user)
        values = {"incident": "INC-1"}
        return Submission(view="timeline", private=private, values=values, user=User(id=user), reply_to=to)

    with Kit(AlertRelay, database_url=database_url) as kit:
        known = Incident(id="INC-1", labels={"service": "checkout"}, opened_at=kit.clock())
        documents = kit._context("kit.race").documents
        documents.put(document_of("INC-1"), known.model_dump(mode="json"))
        documents.put("quoted:C1:5.1", quote)
        race(kit, "slack.view", "alert-relay.add_to_incident", sent)
        assert len(kit.records("marked", "INC-1")) == 1
        assert [row.action for row in kit.audit] == ["incident.note"]
        answers = [reply.text for reply in kit.replies]
        assert sum(answer.startswith("Added to") for answer in answers) == 1
        assert sum("stands already" in answer for answer in answers) == WORKERS - 1
