"""A mixed load of commands, tickets, clicks and alerts, and the account of it afterwards."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.inbox import Inbox, RunView
from bot.core.service_ledger import ServiceLedger
from tests.conftest import wait_until
from tests.e2e.product import ALICE, BOB, Product, as_text

SCENARIOS = ("checkout-errors", "disk-filling", "latency")
CHANNEL, SUPPORT = "C0DIGEST0", "C0SUPPORT"
SECONDS_BETWEEN_TICKETS = 3.0
DOUBTFUL, ITS_BUTTON = "I have a problem with my order, please help", "delivery"
"""What the tagger asks about, and the beginning of its first choice."""


class Load(threading.Thread):
    """Sends until told to stop; remembers what was acknowledged."""

    def __init__(self, product: Product, seconds_between: float = 0.1) -> None:
        super().__init__(daemon=True)
        self.product, self.pause = product, seconds_between
        self.acknowledged: list[int] = []
        self.tickets: list[str] = []
        self.doubtful: set[str] = set()
        self.clicks = 0
        self.seen: dict[str, dict[str, dict[str, Any]]] = {CHANNEL: {}, SUPPORT: {}}
        self.stopping = threading.Event()
        self.next_ticket = 0.0

    def run(self) -> None:
        number = 0
        while not self.stopping.wait(self.pause):
            # What a busy machine answered too late counts as not acknowledged; the load goes on.
            with suppress(httpx2.TimeoutException):
                self.send(number)
            number += 1

    def send(self, number: int) -> None:
        if number < len(SCENARIOS):
            self.product.page("POST", "alerts/fire", scenario=SCENARIOS[number])
        if time.monotonic() > self.next_ticket:
            # Slack takes a message a second in a channel; with more, a long run only waits at its end.
            self.next_ticket = time.monotonic() + SECONDS_BETWEEN_TICKETS
            self.file(number)
            self.choose()
        said = self.product.say(ALICE, f"/signalbox trace no-such-event-{number}", CHANNEL)
        if said["delivered"][0]["status"] == 200:
            self.acknowledged.append(number)

    def file(self, number: int) -> None:
        """A ticket: one is clear, the next one has to be asked about."""
        if len(self.tickets) % 2:
            self.tickets.append(self.product.ticket(DOUBTFUL, "Please help."))
            self.doubtful.add(self.tickets[-1])
        else:
            self.tickets.append(self.product.ticket(f"Refund, please, number {number}", "Money back."))

    def choose(self) -> None:
        """Two people answer each question that stands there, with the same button."""
        for message in self.product.messages(SUPPORT):
            for user in (BOB, ALICE):
                with suppress(StopIteration, AssertionError):  # somebody was first, and the button is gone
                    pressed = self.product.click(user, SUPPORT, message, ITS_BUTTON)
                    self.clicks += pressed["delivered"][0]["status"] == 200

    def look(self) -> None:
        """Remember what stands in the channels now: the sandbox forgets all but the newest messages."""
        for channel, known in self.seen.items():
            found = self.product.page("GET", f"slack/state?user={ALICE}&limit=5000")["messages"][channel]
            known.update({message["ts"]: message for message in found})

    def answers(self) -> list[str]:
        return [as_text(m) for m in self.seen[CHANNEL].values() if m.get("ephemeral_for") == ALICE]

    def news(self) -> list[dict[str, Any]]:
        """What was posted for everybody about tickets."""
        found = [m for m in self.seen[SUPPORT].values() if not m.get("ephemeral_for")]
        return [m for m in found if m.get("thread_ts") in {None, m["ts"]}]

    def finish(self) -> None:
        self.stopping.set()
        self.join(30)


@dataclass
class Account:
    """What became of everything; `problems` is empty when every promise was kept."""

    runs: Counter[str] = field(default_factory=Counter)
    dead: list[RunView] = field(default_factory=list)
    refused: int = 0
    problems: list[str] = field(default_factory=list)

    def demand(self, kept: object, words: str) -> None:
        if not kept:
            self.problems.append(words)


def settle(product: Product, load: Load) -> None:
    """The senders have stopped redelivering and the inbox is empty.

    A channel takes a message a second, and a ticket has one: what piled up during the faults takes its time.
    """
    for _ in range(2):
        wait_until(product.at_rest, 240 + 2 * len(load.tickets), "an empty inbox")
        load.choose()  # what was asked since the last look
    wait_until(product.at_rest, 120, "an empty inbox")


def press(product: Product) -> None:
    """Two people press the same button of each alert."""
    shown = wait_until(
        lambda: [m for m in product.top_level("C0ALERTS0") if "Silence" in str(m)], 90, "the alerts' messages"
    )
    for message in shown:
        for user in (BOB, ALICE):
            with suppress(StopIteration, AssertionError):
                product.click(user, "C0ALERTS0", message, "Silence 1h")


def account(product: Product, load: Load, database_url: str, sent: Iterable[str] = ()) -> Account:
    """`sent`: subjects of what was acknowledged beside the load."""
    made = Account()
    load.look()
    db = Database(database_url)
    try:
        _account_runs(made, db)
        _account_chain(made, db)
        kept = {event.subject for event in Inbox(db).recent(1_000_000)}
        made.demand(kept >= set(sent), f"acknowledged and not kept: {set(sent) - kept}")
        tagged = {run.subject for run in Inbox(db).runs(handler_prefix="autotag.", limit=100_000)}
    finally:
        db.close()
    _account_commands(made, load)
    _account_clicks(made, product, load, database_url)
    _account_tickets(made, product, load, tagged)
    _account_alerts(made, product)
    return made


def _account_runs(made: Account, db: Database) -> None:
    inbox = Inbox(db)
    made.runs.update(inbox.counts(datetime.min.replace(tzinfo=UTC)))
    made.dead = inbox.runs(status="dead", limit=1000)
    made.demand(not made.runs["pending"] and not made.runs["leased"], f"left behind: {made.runs}")
    made.demand(all(run.error for run in made.dead), "a dead letter without a reason")


def _account_chain(made: Account, db: Database) -> None:
    audit = Audit(db)
    report = audit.verify()
    made.demand(report.ok, f"the audit chain: {report.faults}")
    made.demand(
        not ServiceLedger(db, audit, audit.clock, "").faults(), "service records differ from the chain"
    )


def _account_commands(made: Account, load: Load) -> None:
    answers = Counter(
        int(number) for answer in load.answers() for number in set(re.findall(r"no-such-event-(\d+)", answer))
    )
    missing = [n for n in load.acknowledged if not answers[n]]
    buried = sum(run.handler == "core.trace" for run in made.dead)
    # While the database is away the person is told so at once, which is an answer too.
    refused = sum("nothing was run" in answer for answer in load.answers())
    told = buried + refused
    made.demand(len(missing) <= told, f"commands without an answer: {missing}; {told} were told why")
    made.refused = refused
    doubled = [n for n, count in answers.items() if count > 1]
    made.demand(not doubled, f"commands answered twice: {doubled}")


def _account_clicks(made: Account, product: Product, load: Load, url: str) -> None:
    """Each acknowledged click is in the inbox, unless the person was told that it was not taken."""
    db = Database(url)
    stored = Inbox(db).event_counts(datetime.min.replace(tzinfo=UTC)).get("slack.action", 0)
    db.close()
    told = (product.data / "logs" / "web.log").read_text().count("delivery.not_stored")
    made.demand(load.clicks - stored <= told, f"{load.clicks} clicks, {stored} of them kept, {told} told")


def _account_tickets(made: Account, product: Product, load: Load, tagged: set[str]) -> None:
    # A question shows similar tickets too; what a message is about stands in its text.
    news = Counter(
        key
        for message in load.news()
        for key in set(re.findall(r"[A-Z]+-\d+", message["text"]))
        if key in load.tickets
    )
    buried = {run.subject for run in made.dead}
    for key in load.tickets:
        labels = product.labels(key)
        made.demand(len(labels) <= 1, f"{key} was tagged twice: {labels}")
        if key in tagged - buried:
            doubt = "asked about and its answer" if key in load.doubtful else "delivered and"
            made.demand(len(labels) == 1, f"{key} was {doubt} never tagged")
        made.demand(news[key] <= 1, f"{key} was told {news[key]} times")


def _account_alerts(made: Account, product: Product) -> None:
    shown = [m for m in product.top_level("C0ALERTS0") if "Silence" in str(m) or "silenced" in as_text(m)]
    made.demand(len(shown) <= len(SCENARIOS), f"{len(shown)} messages for {len(SCENARIOS)} alerts")
    silences = product.page("GET", "alerts/state")["silences"]
    made.demand(len(silences) <= len(SCENARIOS), f"{len(silences)} silences for {len(SCENARIOS)} alerts")
