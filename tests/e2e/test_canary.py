"""Canaries: the product runs with known secrets, is used and provoked, and afterwards nobody has sung."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.events import utc_now
from bot.core.installations import Installations
from tests.conftest import wait_until
from tests.e2e.product import ALICE, Product

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

BACKUP_KEY = base64.urlsafe_b64encode(b"canary-backup-key-of-32-bytes-xx").decode()
CANARIES = {
    "SIGNALBOX_SECRET_KEY": "canary-secret-key-0123456789abcdef-0123456789",
    "SIGNALBOX_API_TOKENS__ADMIN": "canary-api-admin-5b1f",
    "SIGNALBOX_GENERIC__DEPLOYS__SECRET": "canary-generic-secret-77aa",
    "SIGNALBOX_WEBHOOKS__GITHUB": "canary-github-secret-19cd",
    "SIGNALBOX_WEBHOOKS__FRESHDESK": "canary-freshdesk-token-40be",
    "SIGNALBOX_PROMETHEUS__TOKEN": "canary-prometheus-token-c2d9",
    "SIGNALBOX_BACKUP__KEY": BACKUP_KEY,
}
SINGERS = {
    "PROMETHEUS_URL": "http://user:canary-password-in-a-url-e1@127.0.0.1:9",
    "SIGNALBOX_LOG_LEVEL": "debug",
}
SONGS = [*CANARIES.values(), "canary-password-in-a-url-e1"]
BRANCH = "T0BRANCH0"
APP = {
    "SLACK_CLIENT_ID": "100.200",
    "SLACK_CLIENT_SECRET": "sandbox-client-secret",
    "SIGNALBOX_SLACK__HOME_TEAM": "T0SANDBOX",
}
ADDRESS = "ann.canary@example.com"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    made = Product(tmp_path_factory.mktemp("canary") / "data", **CANARIES, **SINGERS, **APP)
    made.env["SIGNALBOX_WEB__PUBLIC_URL"] = made.url
    yield made.start()
    made.stop()


def test_no_secret_is_in_logs_errors_audit_metrics_doctor_or_backup(product: Product) -> None:
    page = product.add_to_slack(BRANCH)
    said = "".join([page, use(product), provoke(product), administer(product), everything_written(product)])
    assert [song for song in [*SONGS, APP["SLACK_CLIENT_SECRET"], token(product)] if song in said] == []


def test_the_token_of_another_workspace_is_sealed_in_the_database(product: Product) -> None:
    given = token(product)
    kept = b"".join(file.read_bytes() for file in product.data.glob("signalbox.db*"))
    assert BRANCH.encode() in kept
    assert given.encode() not in kept


def test_an_address_in_a_ticket_is_masked_in_the_logs(product: Product) -> None:
    product.ticket(f"Where is the refund of {ADDRESS}?", f"I want my money back. Write to {ADDRESS}.")
    wait_until(
        lambda: "ticket.created" in product.cli("inbox", "list", "--status", "done").stdout, 60, "its end"
    )
    assert ADDRESS not in "".join(file.read_text(errors="replace") for file in logs(product))


def token(product: Product) -> str:
    """The one that Slack gave for the second workspace."""
    db = Database(f"sqlite:///{product.data / 'signalbox.db'}")
    key = CANARIES["SIGNALBOX_SECRET_KEY"].encode()
    found = Installations(db, Audit(db, utc_now), key, utc_now)
    if BRANCH not in found.teams():
        product.add_to_slack(BRANCH)
    token = found.token(BRANCH)
    db.close()
    return token


def use(product: Product) -> str:
    product.page("POST", f"slack/teams/{BRANCH}/home", user="U0BRDORA0")
    product.say(ALICE, "/signalbox status")
    wait_until(lambda: product.answers(ALICE), 30, "an answer")
    bearer = {"Authorization": f"Bearer {CANARIES['SIGNALBOX_API_TOKENS__ADMIN']}"}
    pages = [
        product.http.get(f"{product.url}/{path}", headers=bearer).text
        for path in ("metrics", "api/inbox", "docs", "openapi.json", "api/system/health", "")
    ]
    return "".join([*pages, *product.answers(ALICE)])


def provoke(product: Product) -> str:
    """Wrong uses that carry secrets: in the wrong header, the wrong place, the wrong shape."""
    answers = []
    for song in SONGS:
        for path in (
            "webhooks/github",
            "webhooks/generic/deploys",
            "webhooks/freshdesk",
            f"webhooks/{song}",
            "slack/events",
        ):
            headers = {
                "Authorization": f"Bearer {song}",
                "X-Hub-Signature-256": song,
                "X-Slack-Signature": song,
            }
            answers.append(product.http.post(f"{product.url}/{path}", content=b"{", headers=headers))
        answers.append(product.http.get(f"{product.url}/api/inbox", params={"token": song}))
        answers.append(
            product.http.post(f"{product.url}/api/inbox/x/replay", headers={"Authorization": song})
        )
    return "".join(answer.text.replace(answer.request.url.path, "") for answer in answers)


def administer(product: Product) -> str:
    commands = (
        ("doctor", "--all"), ("plugins", "list"), ("inbox", "list"), ("backup", "create"), ("backup", "verify"),
        ("audit", "export"), ("records", "export"), ("tokens", "create", "x"), ("tokens", "list"), ("slack", "workspaces"),
    )  # fmt: skip
    told = [product.cli(*words) for words in commands]
    assert [done.args for done in told if done.returncode and "doctor" not in done.args] == []
    beside = "".join(file.read_text() for file in (product.data / "backups").glob("*.json"))
    return beside + "".join(done.stdout + done.stderr for done in told)


def everything_written(product: Product) -> str:
    return product.output() + "".join(file.read_text(errors="replace") for file in logs(product))


def logs(product: Product) -> list[Path]:
    found = [file for file in (product.data / "logs").rglob("*") if file.is_file()]
    assert found
    return found
