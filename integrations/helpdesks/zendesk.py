"""Zendesk Support (developer.zendesk.com): event webhooks in; labels are tags, which are added one by one."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import ValidationError

from bot.core.errors import BadDelivery, ConfigError, Permanent, SignalboxError
from bot.core.events import DedupeKey, Delivery, NewEvent, Payload, Ticket, TicketEvent
from bot.core.integration import Integration, Services
from bot.core.ports import Health, TicketPage, idempotent
from bot.core.settings import Settings, ZendeskSettings
from bot.core.ticket_pages import TicketPages
from bot.webhooks import signatures
from bot.webhooks.body import json_object

if TYPE_CHECKING:
    from integrations.helpdesks.api import Api

_EVENT = "zen:event-type:ticket."
_KINDS = {
    "created": "ticket.created",
    "tags_changed": "ticket.updated",
    "subject_changed": "ticket.updated",
    "description_changed": "ticket.updated",
    "status_changed": "ticket.updated",
    "priority_changed": "ticket.updated",
    "comment_added": "ticket.commented",
    "soft_deleted": "ticket.deleted",
    "permanently_deleted": "ticket.deleted",
}
PAGE = 100


def connect(services: Services) -> Integration:
    settings = services.settings

    @lru_cache(maxsize=1)
    def port() -> ZendeskTickets:
        return ZendeskTickets(settings.zendesk)

    def own_account() -> str:
        return settings.zendesk.user_id or port().user_id

    if not settings.zendesk.url:
        return Integration("zendesk")
    pages = TicketPages(settings.zendesk.url, r"/(?:agent/)?tickets/(?P<key>\d{1,19})")
    return Integration("zendesk", (ZendeskSource(settings, own_account),), "tickets", port, pages)


class ZendeskSource:
    name = "zendesk"
    max_body = 1_000_000

    def __init__(self, settings: Settings, own_account: Callable[[], str]) -> None:
        self._settings = settings
        self._own_account = own_account

    def verify(self, delivery: Delivery, now: datetime) -> None:
        secret = signatures.secret_of(self._settings.webhooks.zendesk, "SIGNALBOX_WEBHOOKS__ZENDESK")
        signatures.zendesk(delivery, secret, now)

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002  # the protocol's
        data = json_object(delivery.body)
        kind = _KINDS.get(str(data.get("type")).removeprefix(_EVENT))
        if kind is None:
            return None
        key = _key(data)
        delivery_id = str(data.get("id") or delivery.headers.get("x-zendesk-webhook-invocation-id", ""))
        dedupe = (DedupeKey(f"zendesk:{delivery_id}"[:255]),) if delivery_id else ()
        return NewEvent(self.name, kind, key, delivery.body, dedupe, f"zendesk:{key}", _actor(data))

    def parse(self, kind: str, body: bytes) -> Payload:  # noqa: ARG002  # the payload names its event itself
        data = json_object(body)
        event = data.get("event") if isinstance(data.get("event"), dict) else {}
        try:
            ticket = ticket_of({**data["detail"], "id": _key(data)}, self._settings.zendesk.url)
        except (ValidationError, BadDelivery) as exc:
            raise Permanent(f"Zendesk's payload could not be read: {exc}") from exc
        actor = _actor(data)
        return TicketEvent(
            ticket=ticket,
            actor=actor,
            by_us=bool(actor) and actor == self._own_account(),
            labels_added=_texts(event, "tags_added"),
            labels_removed=_texts(event, "tags_removed"),
        )


def _key(data: dict[str, Any]) -> str:
    detail = data.get("detail")
    key = str(detail.get("id")) if isinstance(detail, dict) else ""
    if not (key.isascii() and key.isdecimal() and len(key) < 20):
        raise BadDelivery("The payload has no ticket number in detail.id.")
    return key


def _actor(data: dict[str, Any]) -> str:
    detail = data.get("detail")
    actor = str(detail.get("actor_id") or "") if isinstance(detail, dict) else ""
    return actor if actor.isascii() and actor.isdecimal() else ""


def _texts(data: Any, name: str) -> tuple[str, ...]:
    found = data.get(name) if isinstance(data, dict) else None
    return tuple(str(each) for each in found) if isinstance(found, list) else ()


def ticket_of(found: dict[str, Any], site: str) -> Ticket:
    """A ticket as the API and the webhooks give it."""
    return Ticket(
        system="zendesk",
        key=str(found["id"]),
        summary=found.get("subject") or "",
        description=found.get("description") or "",
        labels=_texts(found, "tags"),
        status=str(found.get("status") or "").capitalize(),
        priority=str(found.get("priority") or "").capitalize(),
        reporter=str(found.get("requester_id") or ""),
        url=f"{site.rstrip('/')}/agent/tickets/{found['id']}",
        created_at=found.get("created_at"),
    )


class ZendeskTickets:
    def __init__(self, settings: ZendeskSettings) -> None:
        if settings.api_token is None:
            raise ConfigError("zendesk.url is set but zendesk.api_token is not; make a token for the bot.")
        self._settings = settings

    @cached_property
    def _api(self) -> Api:
        from integrations.helpdesks.api import Api  # noqa: PLC0415  # workers only

        token = self._settings.api_token.get_secret_value() if self._settings.api_token else ""
        pair = base64.b64encode(f"{self._settings.email}/token:{token}".encode()).decode()
        return Api(
            "Zendesk", f"{self._settings.url.rstrip('/')}/api/v2", headers={"Authorization": f"Basic {pair}"},
            fix="check zendesk.email and zendesk.api_token, and that the account is an agent.",
        )  # fmt: skip

    @property
    def user_id(self) -> str:
        return str(self._api.ask("say who the bot is", "GET", "/users/me.json")["user"]["id"])

    def get(self, key: str) -> Ticket:
        found = self._api.ask(f"read ticket {key}", "GET", f"/tickets/{_quoted(key)}.json")
        return ticket_of(found["ticket"], self._settings.url)

    def search(self, query: str, *, after: str = "") -> TicketPage:
        """Zendesk's search language, by the export search, whose cursor has no end at 1,000."""
        params = {"query": query, "filter[type]": "ticket", "page[size]": str(PAGE)}
        answer = self._api.ask(
            "search", "GET", "/search/export.json", params=params | ({"page[after]": after} if after else {})
        )
        more = answer.get("meta", {})
        found = tuple(ticket_of(each, self._settings.url) for each in answer["results"])
        return TicketPage(tickets=found, after=str(more["after_cursor"]) if more.get("has_more") else "")

    def create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket:
        """File a ticket in the group `project`, if it is given; the step's key is its external id."""
        ticket: dict[str, Any] = {
            "subject": " ".join(summary.split())[:150],
            "comment": {"body": description or summary, "public": False},
            "tags": [*labels],
            "external_id": step_key,
        }
        if project:
            ticket["group_id"] = int(project) if project.isdecimal() else project
        answer = self._api.ask("create a ticket", "POST", "/tickets.json", body={"ticket": ticket})
        return ticket_of(answer["ticket"], self._settings.url)

    def reconcile_create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket | None:
        del project, summary, description, labels
        answer = self._api.ask("look for a ticket", "GET", "/tickets.json", params={"external_id": step_key})
        found = answer["tickets"]
        return ticket_of(found[0], self._settings.url) if found else None

    @idempotent
    def add_label(self, *, key: str, label: str, step_key: str) -> None:
        del step_key
        path = f"/tickets/{_quoted(key)}/tags.json"
        self._api.ask(f"add the tag {label!r} to {key}", "PUT", path, body={"tags": [label]})

    @idempotent
    def remove_label(self, *, key: str, label: str, step_key: str) -> None:
        del step_key
        path = f"/tickets/{_quoted(key)}/tags.json"
        self._api.ask(f"remove the tag {label!r} from {key}", "DELETE", path, body={"tags": [label]})

    def comment(self, *, key: str, text: str, step_key: str) -> str:
        """An internal note; the ticket's audit keeps the step's key with it."""
        change = {"comment": {"body": text, "public": False}, "metadata": {"signalbox": step_key}}
        answer = self._api.ask(
            f"comment on {key}", "PUT", f"/tickets/{_quoted(key)}.json", body={"ticket": change}
        )
        return _comment_of(answer["audit"])

    def reconcile_comment(self, *, key: str, text: str, step_key: str) -> str | None:
        del text
        answer = self._api.ask(
            f"read the history of {key}", "GET", f"/tickets/{_quoted(key)}/audits.json",
            params={"sort_order": "desc"},
        )  # fmt: skip
        for audit in answer["audits"]:
            if audit.get("metadata", {}).get("custom", {}).get("signalbox") == step_key:
                return _comment_of(audit)
        return None

    @idempotent
    def link(self, *, key: str, url: str, title: str, step_key: str) -> None:
        """Zendesk has no links: an internal note, once an address."""
        del step_key
        if self.reconcile_comment(key=key, text="", step_key=url) is None:
            self.comment(key=key, text=f"{title}: {url}", step_key=url)

    def health(self) -> Health:
        try:
            role = self._api.ask("say who the bot is", "GET", "/users/me.json")["user"].get("role")
        except SignalboxError as exc:
            return Health(status="down", detail=str(exc))
        if role not in {"agent", "admin"}:
            return Health(status="degraded", detail="The bot's Zendesk account is no agent.")
        return Health()


def _comment_of(audit: dict[str, Any]) -> str:
    events = [event for event in audit["events"] if event.get("type") == "Comment"]
    return str(events[0]["id"] if events else audit["id"])


def _quoted(key: str) -> str:
    return quote(key, safe="")
