"""A whole web process in this one: real kernel, real database, a queue that only remembers."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from fastapi import FastAPI
from fastapi.testclient import TestClient

from bot.core.context import Context
from bot.core.database import Database
from bot.core.declare import Plugin, on
from bot.core.events import Hook, TicketEvent
from bot.core.inbox import DueRun
from bot.core.kernel import Kernel
from bot.core.registry import Registry
from bot.core.settings import Settings
from bot.queue import CeleryQueue
from bot.web.app import build_web
from integrations import alertmanager, generic, jira, slack

READ, WRITE, ADMIN = "read-token-of-the-tests", "write-token-of-the-tests", "admin-token-of-the-tests"
SETTINGS: dict[str, Any] = {
    "secret_key": "k" * 32,
    "api_tokens": {"read": READ, "write": WRITE, "admin": ADMIN},
    "slack": {"signing_secret": "slack-secret"},
    "jira": {"webhook_secret": "jira-secret"},
    "alertmanager": {"token": "am-token"},
    "webhooks": {"github": "hub-secret", "zendesk": "zen-secret", "freshdesk": "fresh-token"},
    "generic": {"deploys": {"secret": "dep-secret", "id_header": "X-Id"}},
}


class Listener(Plugin):
    """Wants tickets and deploys, so that their deliveries have runs."""

    name = "listener"

    @on("ticket.created")
    def ticket(self, event: TicketEvent, ctx: Context) -> None: ...

    @on("alertmanager.group")
    def alerts(self, group: Any, ctx: Context) -> None: ...

    @on("generic.deploys")
    def deploy(self, hook: Hook, ctx: Context) -> None: ...


@dataclass
class Queue:
    runs: list[DueRun] = field(default_factory=list)

    def enqueue(self, runs: Sequence[DueRun]) -> None:
        self.runs += runs

    def close(self) -> None:
        """The web process closes what it was given."""


@dataclass
class Web:
    app: FastAPI
    kernel: Kernel
    queue: Queue
    http: TestClient

    def dead(self) -> list[Any]:
        return self.kernel.inbox.runs(status="dead")


@contextmanager
def web(database_url: str, *plugins: Plugin[Any], **changed: Any) -> Iterator[Web]:
    settings = Settings.model_validate(SETTINGS | changed)
    db = Database(database_url)
    db.migrate()
    registry = Registry()
    for plugin in plugins or (Listener(Listener.Config()),):
        registry.add(plugin)
    queue = Queue()
    connects = [slack.connect, jira.connect, alertmanager.connect, generic.connect]
    kernel = Kernel(settings, db, registry, connects, enqueue=queue.enqueue)
    app = build_web(kernel, cast(CeleryQueue, queue))
    with TestClient(app, raise_server_exceptions=False) as http:
        yield Web(app, kernel, queue, http)


def signed(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def jira_body(key: str = "SUP-1", event: str = "jira:issue_created") -> bytes:
    issue = {"id": "1", "key": key, "fields": {"summary": "Card declined"}}
    return json.dumps({"webhookEvent": event, "timestamp": 1, "issue": issue}).encode()


def jira_headers(body: bytes, delivery_id: str = "d1") -> dict[str, str]:
    return {
        "X-Hub-Signature": signed("jira-secret", body),
        "X-Atlassian-Webhook-Identifier": delivery_id,
        "Content-Type": "application/json",
    }


def alert_body(**changed: Any) -> bytes:
    alert = {
        "status": "firing", "labels": {"alertname": "A"}, "annotations": {}, "startsAt": "2026-11-23T09:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "f1",
    }  # fmt: skip
    payload = {
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "r",
        "groupLabels": {"alertname": "A"}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
        "alerts": [alert],
    }  # fmt: skip
    return json.dumps(payload | changed).encode()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
