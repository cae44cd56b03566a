"""A helpdesk in memory. Labels are only ever added; what people set stays."""

from __future__ import annotations

from typing import Any

from bot.core.errors import Permanent
from bot.core.events import Ticket
from bot.core.ports import TicketPage, idempotent
from bot.testing.faults import Faulty

_PAGE = 2


class FakeTickets(Faulty):
    def __init__(self) -> None:
        super().__init__("tickets")
        self._tickets: dict[str, Ticket] = {}
        self._comments: dict[str, tuple[str, str]] = {}
        self._created: dict[str, str] = {}
        self._links: dict[tuple[str, str], str] = {}

    def add(self, key: str, summary: str = "", description: str = "", **fields: Any) -> Ticket:
        """File a ticket, or change one, as a person would."""
        made = Ticket(
            **{
                "system": "kit",
                "key": key,
                "summary": summary,
                "description": description,
                "status": "Open",
                "project": key.partition("-")[0],
                "url": f"https://tickets.example/browse/{key}",
                **fields,
            }
        )
        self._tickets[key] = made
        return made

    def relabel(self, key: str, *labels: str) -> Ticket:
        """Set the labels, as a person does by hand."""
        self._tickets[key] = self._tickets[key].model_copy(update={"labels": labels})
        return self._tickets[key]

    def labels(self, key: str) -> tuple[str, ...]:
        return self._tickets[key].labels

    def comments(self, key: str) -> list[str]:
        return [text for ticket, text in self._comments.values() if ticket == key]

    def get(self, key: str) -> Ticket:
        with self._call("get", writes=False, key=key):
            return self._existing(key)

    def search(self, query: str, *, after: str = "") -> TicketPage:
        """All tickets whose key, summary or labels hold the query, two a page; "" finds all."""
        with self._call("search", writes=False, query=query, after=after):
            found = [
                ticket
                for key, ticket in sorted(self._tickets.items())
                if query in f"{key} {ticket.summary} {' '.join(ticket.labels)}"
            ]
            start = int(after or 0)
            more = f"{start + _PAGE}" if start + _PAGE < len(found) else ""
            return TicketPage(tickets=tuple(found[start : start + _PAGE]), after=more)

    def create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket:
        with self._call("create", project=project, summary=summary, labels=labels, step_key=step_key):
            key = f"{project}-{len(self._tickets) + 1}"
            self._created[step_key] = key
            return self.add(key, summary, description, labels=labels)

    def reconcile_create(self, *, step_key: str, **_: Any) -> Ticket | None:
        key = self._created.get(step_key)
        return self._tickets[key] if key else None

    @idempotent
    def add_label(self, *, key: str, label: str, step_key: str) -> None:
        with self._call("add_label", key=key, label=label, step_key=step_key):
            ticket = self._existing(key)
            if label not in ticket.labels:
                self._tickets[key] = ticket.model_copy(update={"labels": (*ticket.labels, label)})

    @idempotent
    def remove_label(self, *, key: str, label: str, step_key: str) -> None:
        with self._call("remove_label", key=key, label=label, step_key=step_key):
            ticket = self._existing(key)
            kept = tuple(known for known in ticket.labels if known != label)
            self._tickets[key] = ticket.model_copy(update={"labels": kept})

    def comment(self, *, key: str, text: str, step_key: str) -> str:
        with self._call("comment", key=key, text=text, step_key=step_key):
            self._existing(key)
            self._comments[step_key] = (key, text)
            return step_key

    @idempotent
    def link(self, *, key: str, url: str, title: str, step_key: str) -> None:
        with self._call("link", key=key, url=url, title=title, step_key=step_key):
            self._existing(key)
            self._links[key, url] = title

    def links(self, key: str) -> dict[str, str]:
        """Address to title of what is linked on a ticket."""
        return {url: title for (ticket, url), title in self._links.items() if ticket == key}

    def reconcile_comment(self, *, step_key: str, **_: Any) -> str | None:
        return step_key if step_key in self._comments else None

    def _existing(self, key: str) -> Ticket:
        if key not in self._tickets:
            raise Permanent(f"There is no ticket {key!r}. File it first: kit.tickets.add({key!r}, …).")
        return self._tickets[key]
