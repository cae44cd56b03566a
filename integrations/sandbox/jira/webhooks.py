"""Webhooks as Jira Cloud sends them: payload, signature, and redelivery under one identifier."""

import asyncio
import hashlib
import hmac
import json
import random
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx2

from integrations.sandbox.changes import Changes
from integrations.sandbox.deliveries import Deliveries, Delivery, attempt
from integrations.sandbox.jira.board import Added
from integrations.sandbox.jira.models import Comment, History, Issue, Person, now
from integrations.sandbox.jira.views import Views, items
from integrations.sandbox.options import SandboxOptions

RETRIED = {408, 409, 425, 429}
# Atlassian waits 5 to 15 minutes between its five attempts; a person who watches the page would not.
RETRY_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
TIMEOUT_S = 20.0
EVENT_TYPES = {"jira:issue_created": "issue_created", "jira:issue_deleted": "issue_deleted"}


def payload(views: Views, event: str, issue: Issue, actor: Person, added: Added) -> dict[str, Any]:
    head: dict[str, Any] = {"timestamp": int(now().timestamp() * 1000), "webhookEvent": event}
    if isinstance(added, Comment):
        brief = views.issue(issue, ("summary", "issuetype", "project", "assignee", "priority", "status"))
        return head | {"comment": views.comment(issue, added), "issue": brief, "eventType": "primaryAction"}
    body = head | {
        "issue_event_type_name": event_type_name(event, added),
        "user": views.person(actor),
        "issue": views.issue(issue),
    }
    if isinstance(added, History):
        body["changelog"] = {"id": added.id, "items": items(added)}
    return body


def event_type_name(event: str, added: Added) -> str:
    """What kind of update it was: Jira tells moves, assignments and plain edits apart."""
    fields = {item.field for item in added.items} if isinstance(added, History) else set()
    if "status" in fields:
        return "issue_generic"
    if "assignee" in fields:
        return "issue_assigned"
    return EVENT_TYPES.get(event, "issue_updated")


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def retried(status: int | None) -> bool:
    return status is None or status in RETRIED or status >= 500


class Webhooks:
    """Each delivery runs on its own, so one that is retried holds up no other."""

    def __init__(
        self, options: SandboxOptions, changes: Changes, delays: Sequence[float] = RETRY_DELAYS_S
    ) -> None:
        self.deliveries = Deliveries()
        self._url = f"{options.bot_url.rstrip('/')}/webhooks/jira"
        self._secret = options.jira_webhook_secret.get_secret_value()
        self._delays = [delay * options.retry_scale for delay in delays]
        self._changes = changes
        self._running: set[asyncio.Task[None]] = set()
        self._client: httpx2.AsyncClient | None = None

    async def start(self) -> None:
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def send(self, subject: str, body: dict[str, Any]) -> None:
        delivery = Delivery(id=str(uuid4()), event=body["webhookEvent"], subject=subject, body=body)
        self.deliveries.add(delivery)
        task = asyncio.get_running_loop().create_task(self._deliver(delivery))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _deliver(self, delivery: Delivery) -> None:
        content = json.dumps(delivery.body, separators=(",", ":"), ensure_ascii=False).encode()
        for number in range(len(self._delays) + 1):
            if not await self._try(delivery, content, number):
                break
            if number < len(self._delays):
                await asyncio.sleep(self._delays[number] * random.uniform(0.8, 1.2))  # noqa: S311 - spread, not a secret
        if delivery.state == "pending":
            delivery.state = "failed"
        self._changes.publish("jira.delivery", {"id": delivery.id, "state": delivery.state})

    async def _try(self, delivery: Delivery, content: bytes, number: int) -> bool:
        """Whether to try again."""
        if self._client is None:
            raise RuntimeError("The Jira stand-in sends webhooks only between start() and stop().")
        outcome = await attempt(self._client, self._url, content, self._headers(delivery.id, content, number))
        delivery.attempts.append(outcome)
        if outcome.delivered:
            delivery.state = "delivered"
            return False
        return retried(outcome.status)

    def _headers(self, identifier: str, content: bytes, number: int) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "User-Agent": "Atlassian Webhook HTTP Client",
            "X-Atlassian-Webhook-Identifier": identifier,
            "X-Atlassian-Webhook-Flow": "Primary",
            "X-Hub-Signature": signature(self._secret, content),
        }
        return headers | {"X-Atlassian-Webhook-Retry": str(number)} if number else headers
