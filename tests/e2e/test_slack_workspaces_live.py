"""A second workspace from Add to Slack to its removal, with the whole product and the sandbox as Slack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.e2e.product import ALICE, Product, as_text, blocks_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
BRANCH, DORA, EMIL = "T0BRANCH0", "U0BRDORA0", "U0BREMIL0"
GENERAL, SECONDS = "C0BRGENER", 60
Message = dict[str, Any]


class Branch:
    """The second workspace as its people see it."""

    def __init__(self, product: Product) -> None:
        self.product = product

    def do(self, what: str, **body: Any) -> Any:
        return self.product.page("POST", f"slack/teams/{BRANCH}/{what}", **body)

    def look(self, user: str) -> dict[str, Any]:
        return self.product.page("GET", f"slack/teams/{BRANCH}/state?user={user}&limit=1000")

    def messages(self, user: str = DORA) -> list[Message]:
        return self.look(user)["messages"][GENERAL]

    def say(self, user: str, text: str) -> None:
        self.do("say", user=user, channel=GENERAL, text=text)

    def answers(self, user: str) -> str:
        return " ".join(as_text(m) for m in self.messages(user) if m.get("ephemeral_for") == user)

    def answered(self, user: str, words: str) -> None:
        wait_until(lambda: words in self.answers(user), SECONDS, f"an answer with {words!r}")

    def alert(self, summary: str) -> Message:
        """The alert's message, once it stands there."""

        def found() -> Message | None:
            return next((m for m in self.messages() if m.get("bot_id") and summary in as_text(m)), None)

        return wait_until(found, SECONDS, f"the message of {summary}")

    def press(self, user: str, message: Message, label: str) -> None:
        found = ((block, e) for block in blocks_of(message) for e in block.get("elements", ()))
        buttons = ((b, e) for b, e in found if e["type"] == "button")
        block, element = next((b, e) for b, e in buttons if e["text"]["text"].startswith(label))
        place = {"channel": GENERAL, "ts": message["ts"], "block_id": block["block_id"]}
        self.do("click", user=user, action_id=element["action_id"], value=element.get("value"), **place)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    made = Product(
        tmp_path_factory.mktemp("teams") / "data",
        SLACK_CLIENT_ID="100.200",
        SLACK_CLIENT_SECRET="sandbox-client-secret",
        SIGNALBOX_SLACK__HOME_TEAM="T0SANDBOX",
        SIGNALBOX_PLUGINS__ALERT_RELAY__CHANNEL=f"{BRANCH}/#general",
        SIGNALBOX_ROLES__BRANCH__MEMBERS=f"{BRANCH}/@oncall",
        SIGNALBOX_ROLES__BRANCH__PERMISSIONS="alerts.*",
    )
    made.env["SIGNALBOX_WEB__PUBLIC_URL"] = made.url
    made.start()
    yield made
    made.stop()


def fire(product: Product, name: str) -> None:
    labels = {"alertname": name, "service": name.lower(), "severity": "warning"}
    alert = {"labels": labels, "annotations": {"summary": f"{name} happened"}}
    product.http.post(f"{product.sandbox}/alertmanager/api/v2/alerts", json=[alert]).raise_for_status()


def test_a_second_workspace_is_served_until_it_takes_the_app_out(product: Product) -> None:
    branch = Branch(product)
    branch.say(EMIL, "/signalbox status")
    branch.answered(EMIL, "is not installed in this workspace")

    assert "Signalbox is in" in product.add_to_slack(BRANCH)
    assert BRANCH in product.cli("slack", "workspaces").stdout
    branch.say(EMIL, "/signalbox help")
    branch.answered(EMIL, "status")
    branch.do("home", user=EMIL)
    wait_until(lambda: branch.look(EMIL)["home"], SECONDS, "the Home tab")

    fire(product, "BranchDisk")
    message = branch.alert("BranchDisk")
    assert not any("BranchDisk" in as_text(m) for m in product.messages("C0ALERTS0"))
    branch.press(DORA, message, "Silence 1h")
    branch.answered(DORA, "You may not")
    branch.press(EMIL, message, "Silence 1h")
    wait_until(lambda: f"<@{EMIL}>" in as_text(branch.alert("BranchDisk")), SECONDS, "who pressed it")

    branch.do("uninstall")
    assert BRANCH not in product.cli("slack", "workspaces").stdout
    branch.say(DORA, "/signalbox status")
    branch.answered(DORA, "is not installed in this workspace")
    fire(product, "AfterRemoval")
    refused = f"not installed in the Slack workspace {BRANCH}"
    wait_until(
        lambda: refused in product.cli("inbox", "list", "--status", "dead").stdout, SECONDS, "the error"
    )

    assert "Signalbox is in" in product.add_to_slack(BRANCH)
    forgotten = product.cli("slack", "forget", BRANCH)
    assert "Branch is forgotten" in forgotten.stdout, forgotten.stderr
    again = product.cli("slack", "forget", BRANCH)
    assert again.returncode != 0
    assert "is not installed" in again.stderr
    product.say(ALICE, "/signalbox status")
    wait_until(lambda: product.answers(ALICE), SECONDS, "an answer at home, all the while")
