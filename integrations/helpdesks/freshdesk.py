"""Freshdesk (developers.freshdesk.com/api): its automation rules send what docs/helpdesks.md says."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.core.errors import BadDelivery, ConfigError, SignalboxError
from bot.core.events import Delivery, NewEvent, Payload, Ticket, TicketEvent
from bot.core.integration import Integration, Services
from bot.core.ports import Health, TicketPage, idempotent
from bot.core.settings import FreshdeskSettings, Settings
from bot.core.ticket_pages import TicketPages
from bot.webhooks import signatures
from bot.webhooks.body import json_object

if TYPE_CHECKING:
    from integrations.helpdesks.api import Api

_KINDS = ("ticket.created", "ticket.updated", "ticket.commented", "ticket.deleted")
_STATUS = {2: "Open", 3: "Pending", 4: "Resolved", 5: "Closed"}
_PRIORITY = {1: "Low", 2: "Medium", 3: "High", 4: "Urgent"}
_LAST_PAGE = 10
"""Freshdesk's search ends here."""
PAGE = 30


def connect(services: Services) -> Integration:
    settings = services.settings

    @lru_cache(maxsize=1)
    def port() -> FreshdeskTickets:
        return FreshdeskTickets(settings.freshdesk)

    def own_account() -> str:
        return settings.freshdesk.email or port().email

    if not settings.freshdesk.url:
        return Integration("freshdesk")
    pages = TicketPages(settings.freshdesk.url, r"/a/tickets/(?P<key>\d{1,19})")
    return Integration("freshdesk", (FreshdeskSource(settings, own_account),), "tickets", port, pages)


class FreshdeskSource:
    name = "freshdesk"
    max_body = 100_000

    def __init__(self, settings: Settings, own_account: Callable[[], str]) -> None:
        self._settings = settings
        self._own_account = own_account

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # Freshdesk signs nothing
        token = signatures.secret_of(self._settings.webhooks.freshdesk, "SIGNALBOX_WEBHOOKS__FRESHDESK")
        signatures.bearer(delivery, token)

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002  # the protocol's
        data = json_object(delivery.body)
        kind = str(data.get("event"))
        if kind not in _KINDS:
            raise BadDelivery(f"`event` is {kind[:40]!r}; expected one of {', '.join(_KINDS)}.")
        key = _key(data)
        return NewEvent(self.name, kind, key, delivery.body, (), f"freshdesk:{key}", _actor(data))

    def parse(self, kind: str, body: bytes) -> Payload:  # noqa: ARG002  # the payload names its event itself
        """Only who and which: a rule's placeholders are no safe JSON. Whoever needs the ticket reads it."""
        data = json_object(body)
        actor, key = _actor(data), _key(data)
        ticket = Ticket(system="freshdesk", key=key, url=_url(self._settings.freshdesk.url, key))
        return TicketEvent(ticket=ticket, actor=actor, by_us=bool(actor) and actor == self._own_account())


def _key(data: dict[str, Any]) -> str:
    key = str(data.get("ticket_id"))
    if not (key.isascii() and key.isdecimal() and len(key) < 20):
        raise BadDelivery("`ticket_id` is no number; the rule sends {{ticket.id_numeric}}.")
    return key


def _actor(data: dict[str, Any]) -> str:
    return str(data.get("performer") or "")[:120]


def _url(site: str, key: str) -> str:
    return f"{site.rstrip('/')}/a/tickets/{key}"


def ticket_of(found: dict[str, Any], site: str) -> Ticket:
    """A ticket as the API gives it."""
    return Ticket(
        system="freshdesk",
        key=str(found["id"]),
        summary=found.get("subject") or "",
        description=found.get("description_text") or "",
        labels=tuple(str(tag) for tag in found.get("tags") or ()),
        status=_STATUS.get(found.get("status", 0), str(found.get("status") or "")),
        priority=_PRIORITY.get(found.get("priority", 0), ""),
        reporter=str((found.get("requester") or {}).get("name") or ""),
        url=_url(site, str(found["id"])),
        created_at=found.get("created_at"),
    )


class FreshdeskTickets:
    """Freshdesk writes all of a ticket's tags at once. They are read just before, and looked at again after:
    what somebody sets in the moment between is put back.
    """

    def __init__(self, settings: FreshdeskSettings) -> None:
        if settings.api_key is None:
            raise ConfigError(
                "freshdesk.url is set but freshdesk.api_key is not; take the bot's agent's key."
            )
        self._settings = settings

    @cached_property
    def _api(self) -> Api:
        from integrations.helpdesks.api import Api  # noqa: PLC0415  # workers only

        key = self._settings.api_key.get_secret_value() if self._settings.api_key else ""
        base = f"{self._settings.url.rstrip('/')}/api/v2"
        fix = "check freshdesk.api_key, and that the agent may edit tickets."
        return Api("Freshdesk", base, auth=(key, "X"), fix=fix)

    @property
    def email(self) -> str:
        return str(self._api.ask("say who the bot is", "GET", "/agents/me")["contact"]["email"])

    def get(self, key: str) -> Ticket:
        path = f"/tickets/{quote(key, safe='')}?include=requester"
        return ticket_of(self._api.ask(f"read ticket {key}", "GET", path), self._settings.url)

    def search(self, query: str, *, after: str = "") -> TicketPage:
        """Freshdesk's filter language, such as `status:2 AND tag:'vip'`; it shows 300 tickets at most."""
        page = int(after or 1)
        params = {"query": f'"{query}"', "page": str(page)}
        answer = self._api.ask("search", "GET", "/search/tickets", params=params)
        found = tuple(ticket_of(each, self._settings.url) for each in answer["results"])
        more = page < _LAST_PAGE and page * PAGE < int(answer["total"])
        return TicketPage(tickets=found, after=str(page + 1) if more else "")

    def create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket:
        """File a ticket in the group `project` (a number) in the name of freshdesk.requester_email."""
        from integrations.helpdesks.api import reference  # noqa: PLC0415

        body: dict[str, Any] = {
            "subject": " ".join(summary.split())[:255],
            "description": _html(description or summary),
            "email": self._settings.requester_email or self.email,
            "status": 2,
            "priority": 1,
            "tags": [*labels, reference(step_key)],
        }
        if project:
            body["group_id"] = int(project) if project.isdecimal() else project
        return ticket_of(self._api.ask("create a ticket", "POST", "/tickets", body=body), self._settings.url)

    def reconcile_create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket | None:
        from integrations.helpdesks.api import reference  # noqa: PLC0415

        del project, summary, description, labels
        found = self.search(f"tag:'{reference(step_key)}'").tickets
        return found[0] if found else None

    @idempotent
    def add_label(self, *, key: str, label: str, step_key: str) -> None:
        del step_key
        self._retag(key, add=label)

    @idempotent
    def remove_label(self, *, key: str, label: str, step_key: str) -> None:
        del step_key
        self._retag(key, remove=label)

    def _retag(self, key: str, *, add: str = "", remove: str = "") -> None:
        before = self.get(key).labels
        wanted = _with(before, add, remove)
        if wanted == list(before):
            return
        self._write_tags(key, wanted)
        between = [tag for tag in self.get(key).labels if tag not in wanted and tag != remove]
        if between:
            self._write_tags(key, [*wanted, *between])

    def _write_tags(self, key: str, tags: list[str]) -> None:
        path = f"/tickets/{quote(key, safe='')}"
        self._api.ask(f"set the tags of {key}", "PUT", path, body={"tags": tags})

    def comment(self, *, key: str, text: str, step_key: str) -> str:
        """A private note; its last line is a reference by which it is found again."""
        from integrations.helpdesks.api import reference  # noqa: PLC0415

        body = {"body": f"{_html(text)}<br><small>{reference(step_key)}</small>", "private": True}
        path = f"/tickets/{quote(key, safe='')}/notes"
        return str(self._api.ask(f"comment on {key}", "POST", path, body=body)["id"])

    def reconcile_comment(self, *, key: str, text: str, step_key: str) -> str | None:
        from integrations.helpdesks.api import reference  # noqa: PLC0415

        del text
        page = 1
        while found := self._conversations(key, page):
            for note in found:
                if reference(step_key) in (note.get("body_text") or ""):
                    return str(note["id"])
            page += 1
        return None

    def _conversations(self, key: str, page: int) -> list[dict[str, Any]]:
        path = f"/tickets/{quote(key, safe='')}/conversations"
        params = {"page": str(page), "per_page": "100"}
        found: list[dict[str, Any]] = self._api.ask(f"read the notes of {key}", "GET", path, params=params)
        return found

    @idempotent
    def link(self, *, key: str, url: str, title: str, step_key: str) -> None:
        """Freshdesk has no links: a private note, once an address."""
        del step_key
        if self.reconcile_comment(key=key, text="", step_key=url) is None:
            self.comment(key=key, text=f"{title}: {url}", step_key=url)

    def health(self) -> Health:
        try:
            self._api.ask("say who the bot is", "GET", "/agents/me")
        except SignalboxError as exc:
            return Health(status="down", detail=str(exc))
        return Health()


def _with(tags: Iterable[str], add: str, remove: str) -> list[str]:
    kept = [tag for tag in tags if tag != remove or not remove]
    return kept if not add or add in kept else [*kept, add]


def _html(text: str) -> str:
    """Freshdesk's descriptions and notes are HTML; what people wrote stays text."""
    return html.escape(text).replace("\n", "<br>")
