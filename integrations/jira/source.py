"""Jira's webhooks as a source (developer.atlassian.com, "Webhooks")."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from bot.core.errors import BadDelivery, Permanent
from bot.core.events import DedupeKey, Delivery, NewEvent, Payload, Ticket, TicketEvent
from bot.core.settings import JiraSettings
from bot.webhooks import signatures
from bot.webhooks.body import json_object
from integrations.jira import adf

KINDS = {
    "jira:issue_created": "ticket.created",
    "jira:issue_updated": "ticket.updated",
    "jira:issue_deleted": "ticket.deleted",
    "comment_created": "ticket.commented",
}


class JiraSource:
    name = "jira"
    max_body = 1_000_000

    def __init__(self, settings: JiraSettings) -> None:
        self._settings = settings

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # Jira sends no timestamp header
        secret = signatures.secret_of(self._settings.webhook_secret, "JIRA_WEBHOOK_SECRET")
        signatures.hmac_sha256(delivery, secret, "X-Hub-Signature")

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002
        data = json_object(delivery.body)
        kind = KINDS.get(str(data.get("webhookEvent")))
        if kind is None:
            return None
        key = _object(data, "issue").get("key")
        if not isinstance(key, str) or not key:
            raise BadDelivery(f"The {data['webhookEvent']} payload has no issue.key.")
        delivery_id = delivery.headers.get("x-atlassian-webhook-identifier") or _derived_id(data)
        return NewEvent(
            self.name,
            kind,
            key[:255],
            delivery.body,
            (DedupeKey(f"jira:{delivery_id}"[:255]),),
            f"jira:{key}"[:255],
            _actor(data),
        )

    def parse(self, kind: str, body: bytes) -> Payload:  # noqa: ARG002  # the payload names its event itself
        try:
            data = json_object(body)
            actor = _actor(data)
            added, removed = _label_changes(data)
            return TicketEvent(
                ticket=ticket_of(_object(data, "issue"), self._settings.url),
                actor=actor,
                by_us=bool(actor) and actor == self._settings.account_id,
                labels_added=added,
                labels_removed=removed,
            )
        except (ValidationError, BadDelivery) as exc:
            raise Permanent(f"Jira's payload could not be read: {exc}") from exc


def ticket_of(issue: dict[str, Any], site: str) -> Ticket:
    """An issue as webhooks, REST v2 and REST v3 give it."""
    fields = _object(issue, "fields")
    return Ticket(
        system="jira",
        key=issue["key"],
        summary=fields.get("summary") or "",
        description=adf.to_text(fields.get("description")),
        labels=tuple(fields.get("labels") or ()),
        status=_name(fields, "status"),
        priority=_name(fields, "priority"),
        project=_object(fields, "project").get("key") or "",
        reporter=_object(fields, "reporter").get("displayName") or "",
        url=f"{site.rstrip('/')}/browse/{issue['key']}",
        created_at=fields.get("created"),
    )


def _object(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _name(fields: dict[str, Any], name: str) -> str:
    return str(_object(fields, name).get("name") or "")


def _actor(data: dict[str, Any]) -> str:
    user = _object(data, "user") or _object(_object(data, "comment"), "author")
    return str(user.get("accountId") or user.get("name") or "")


def _derived_id(data: dict[str, Any]) -> str:
    """Data Center sends no identifier: issue, event, time and changelog make one."""
    issue = _object(data, "issue").get("id", "")
    change = _object(data, "changelog").get("id", "")
    return f"{data.get('webhookEvent')}:{issue}:{change}:{data.get('timestamp', '')}"


def _label_changes(data: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    items = _object(data, "changelog").get("items") or ()
    changes = [item for item in items if isinstance(item, dict) and item.get("field") == "labels"]
    before = {label for item in changes for label in str(item.get("fromString") or "").split()}
    after = {label for item in changes for label in str(item.get("toString") or "").split()}
    return tuple(sorted(after - before)), tuple(sorted(before - after))
