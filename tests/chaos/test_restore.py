"""Last night's backup is restored while deliveries go on arriving."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from pathlib import Path

import httpx2
import psycopg
import pytest

from bot.core.database import Database
from bot.core.inbox import Inbox
from tests.chaos.faults import Chaos, webhook
from tests.conftest import wait_until
from tests.e2e.product import Product

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(420)]


class Sender(threading.Thread):
    """A helpdesk that sends each delivery until it is acknowledged, as Jira does."""

    def __init__(self, url: str, secret: str) -> None:
        super().__init__(daemon=True)
        self.url, self.secret = f"{url}/webhooks/jira", secret.encode()
        self.acknowledged: dict[str, float] = {}
        self.odd: list[int] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopping.wait(0.05):
            key = f"GONE-{number}"
            status = self._send(webhook(key, "jira:issue_updated"))
            if status == 202:
                self.acknowledged[key] = time.monotonic()
                number += 1
            elif status not in {0, 503}:
                self.odd.append(status)

    def _send(self, body: bytes) -> int:
        digest = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        delivery_id = hashlib.sha256(body).hexdigest()[:32]
        headers = {"X-Hub-Signature": f"sha256={digest}", "X-Atlassian-Webhook-Identifier": delivery_id}
        try:
            return httpx2.post(self.url, content=body, headers=headers, timeout=10).status_code
        except httpx2.HTTPError:
            return 0

    def more(self, count: int) -> None:
        wanted = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= wanted, 60, "more deliveries")


def known(url: str) -> set[str]:
    db = Database(url)
    try:
        return {event.subject for event in Inbox(db).recent(100_000)}
    finally:
        db.close()


def lose_everything(chaos: Chaos) -> None:
    """The database and what lies beside it; backups and secrets are elsewhere."""
    for file in chaos.product.data.glob("signalbox.db*"):
        file.unlink()
    if chaos.postgres:
        with psycopg.connect(f"{chaos.postgres.server}/postgres", autocommit=True) as admin:
            admin.execute("DROP DATABASE signalbox WITH (FORCE)")
            admin.execute("CREATE DATABASE signalbox")


def again(product: Product) -> Product:
    """The same installation, at the same addresses."""
    ports = product.port, product.sandbox_port
    made = Product(product.data, **product.env)
    made.port, made.sandbox_port = ports
    return made.start()


def test_what_is_acknowledged_after_a_restore_is_kept(chaos: Chaos, tmp_path: Path) -> None:
    product = chaos.product
    product.env = product.env | {"SIGNALBOX_BACKUP__DIR": str(tmp_path / "backups")}
    sender = Sender(product.url, chaos.secret("jira_webhook"))
    sender.start()
    try:
        sender.more(20)
        made = product.cli("backup", "create")
        assert made.returncode == 0, made.stderr
        archive = made.stdout.strip().splitlines()[-1]
        sender.more(20)
        refused = product.cli("backup", "restore", archive)
        assert refused.returncode != 0
        assert (
            "is using" in refused.stderr or "is running" in refused.stderr or "overwrites" in refused.stderr
        )
        assert sender.acknowledged.keys() <= known(chaos.database_url)
        product.stop()
        lose_everything(chaos)
        for left in [
            p for p in product.data.iterdir() if p.name not in {"secrets.json", "environment.json", "sandbox"}
        ]:
            left.rename(tmp_path / f"lost-{left.name}")
        restored_from = time.monotonic()
        restored = product.cli("backup", "restore", archive)
        assert restored.returncode == 0, restored.stderr
        chaos.product = again(product)
        sender.more(20)
    finally:
        sender.stopping.set()
        sender.join(20)
    after = {key for key, at in sender.acknowledged.items() if at > restored_from}
    wait_until(chaos.product.idle, 120, "an empty inbox")
    assert len(after) >= 20
    assert after <= known(chaos.database_url)
    assert sender.odd == []
    report = chaos.product.cli("audit", "verify")
    assert report.returncode == 0, report.stdout + report.stderr
