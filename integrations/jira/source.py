"""Jira's webhooks as a source (developer.atlassian.com, "Webhooks")."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
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
KEY = r"[A-Za-z][A-Za-z0-9_]*-[0-9]{1,19}"  # it becomes part of URLs and of a text column
_ACCOUNT = re.compile(r"[\w:.@ -]{1,120}")


class JiraSource:
    """Args:
    own_account: the bot's account id, asked for only in workers; empty when it is not known.
    """

    name = "jira"
    max_body = 1_000_000

    def __init__(self, settings: JiraSettings, own_account: Callable[[], str]) -> None:
        self._settings = settings
        self._own_account = own_account

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # Jira sends no timestamp header
        secret = signatures.secret_of(self._settings.webhook_secret, "JIRA_WEBHOOK_SECRET")
        signatures.hmac_sha256(delivery, secret, "X-Hub-Signature")

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002
        data = json_object(delivery.body)
        kind = KINDS.get(str(data.get("webhookEvent")))
        if kind is None:
            return None
        key = _key(data)
        delivery_id = delivery.headers.get("x-atlassian-webhook-identifier") or _derived_id(data)
        dedupe = DedupeKey(f"jira:{delivery_id}"[:255])
        return NewEvent(self.name, kind, key, delivery.body, (dedupe,), f"jira:{key}", _actor(data))

    def parse(self, kind: str, body: bytes) -> Payload:  # noqa: ARG002  # the payload names its event itself
        try:
            data = json_object(body)
            _key(data)
            ticket = ticket_of(_object(data, "issue"), self._settings.url)
        except (ValidationError, BadDelivery) as exc:
            raise Permanent(f"Jira's payload could not be read: {exc}") from exc
        actor = _actor(data)
        added, removed = _label_changes(data)
        return TicketEvent(
            ticket=ticket,
            actor=actor,
            by_us=bool(actor) and actor == self._own_account(),
            labels_added=added,
            labels_removed=removed,
        )


def ticket_of(issue: dict[str, Any], site: str) -> Ticket:
    """An issue as webhooks, REST v2 and REST v3 give it."""
    fields = _object(issue, "fields")
    return Ticket(
        system="jira",
        key=issue["key"],
        summary=fields.get("summary") or "",
        description=adf.to_text(fields.get("description")),
        labels=tuple(_list(fields, "labels")),
        status=_name(fields, "status"),
        priority=_name(fields, "priority"),
        project=_object(fields, "project").get("key") or "",
        reporter=_object(fields, "reporter").get("displayName") or "",
        url=f"{site.rstrip('/')}/browse/{issue['key']}",
        created_at=fields.get("created"),
        restricted=bool(fields.get("security")),
    )


def _key(data: dict[str, Any]) -> str:
    key = _object(data, "issue").get("key")
    if not (isinstance(key, str) and re.fullmatch(KEY, key)):
        raise BadDelivery(f"The {data.get('webhookEvent')} payload has no issue.key like SUP-12.")
    return key


def _object(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _list(data: dict[str, Any], name: str) -> list[Any]:
    found = data.get(name)
    return found if isinstance(found, list) else []


def _name(fields: dict[str, Any], name: str) -> str:
    return str(_object(fields, name).get("name") or "")


def _actor(data: dict[str, Any]) -> str:
    user = _object(data, "user") or _object(_object(data, "comment"), "author")
    name = str(user.get("accountId") or user.get("name") or "")
    return name if _ACCOUNT.fullmatch(name) else ""


def _derived_id(data: dict[str, Any]) -> str:
    """Data Center sends no identifier: event, time, issue, change and comment make one."""
    ids = [_object(data, name).get("id") for name in ("issue", "changelog", "comment")]
    parts = [data.get("webhookEvent"), data.get("timestamp"), *ids]
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()


def _label_changes(data: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    items = _list(_object(data, "changelog"), "items")
    changes = [item for item in items if isinstance(item, dict) and item.get("field") == "labels"]
    before = {label for item in changes for label in str(item.get("fromString") or "").split()}
    after = {label for item in changes for label in str(item.get("toString") or "").split()}
    return tuple(sorted(after - before)), tuple(sorted(before - after))
