"""`signalbox up` as a newcomer meets it: it starts, works, mends itself, and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from jira import JIRA

from bot.core.overrides import KNOWN_SECONDS
from tests.conftest import wait_until
from tests.e2e.product import ALICE, BOB, CAROL, Product, as_text, gone

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    every_minute = {"SIGNALBOX_PLUGINS__DAILY_DIGEST__CRON": "* * * * *"}
    made = Product(tmp_path_factory.mktemp("up") / "data", **every_minute).start()
    yield made
    if made.process.poll() is None:
        made.stop()


def test_a_slash_command_is_answered_and_a_misspelt_one_finds_its_neighbour(product: Product) -> None:
    product.say(ALICE, "/signalbox help")
    wait_until(lambda: any("/signalbox status" in a for a in product.answers(ALICE)), what="help")
    product.say(ALICE, "/signalbox pnig")
    assert any("Did you mean `/signalbox ping`" in a for a in product.answers(ALICE))


def test_nothing_listens_beyond_loopback(product: Product) -> None:
    """Web, sandbox, Redis, models, workers: whoever is not on this machine reaches none of them."""
    heard = {
        (" ".join(process.cmdline())[-60:], socket.laddr.ip)
        for process in [psutil.Process(product.process.pid), *product.processes()]
        for socket in process.net_connections(kind="inet")
        if socket.status == psutil.CONN_LISTEN
    }
    assert len(heard) >= 3, "the web process, the sandbox and Redis at least"
    assert {address for _, address in heard} <= {"127.0.0.1", "::1"}, heard


def test_a_ticket_is_tagged_and_what_people_set_stays(product: Product) -> None:
    key = product.ticket("I want my money back", "I returned the order last week, where is my refund?")
    product.page("POST", f"jira/issues/{key}/labels", user="lena", add=["vip"], remove=[])
    tags = wait_until(lambda: [n for n in product.labels(key) if n != "vip"], 60, "a tag")
    assert [tag.rsplit(":", 1)[-1] for tag in tags] == ["payment-refund"]
    assert "vip" in product.labels(key)


def test_the_official_jira_client_sees_the_tag(product: Product) -> None:
    secrets = json.loads((product.data / "secrets.json").read_text())
    client = JIRA(
        server=f"{product.sandbox}/jira",
        basic_auth=("signalbox@sandbox.invalid", secrets["jira_api"]),
        options={"rest_api_version": "3"},
        max_retries=0,
    )
    key = product.ticket("The app crashes when I open the settings", "Since the update it closes at once.")
    labels = wait_until(lambda: client.issue(key).fields.labels, 60, "a tag")
    assert len(labels) == 1
    assert "technical-issue" in labels[0]


def test_an_alert_becomes_one_message_that_lives_and_can_be_silenced(product: Product) -> None:
    product.page("POST", "alerts/fire", scenario="disk-filling")
    [message] = wait_until(lambda: product.top_level("C0ALERTS0"), 30, "the alert's message")
    product.click(CAROL, "C0ALERTS0", message, "Silence 1h")
    wait_until(
        lambda: any("You may not" in a for a in product.answers(CAROL, "C0ALERTS0")), what="the refusal"
    )
    product.click(BOB, "C0ALERTS0", message, "Silence 1h")
    wait_until(lambda: len(product.page("GET", "alerts/state")["silences"]) == 1, 30, "the silence")
    wait_until(lambda: BOB in as_text(product.messages("C0ALERTS0")[0]), 30, "who silenced it")
    product.page("POST", "alerts/resolve", scenario="disk-filling")
    assert len(product.top_level("C0ALERTS0")) == 1


def test_status_and_trace_answer(product: Product) -> None:
    product.say(ALICE, "/signalbox status")
    wait_until(lambda: any("autotag" in a for a in product.answers(ALICE)), what="the status")
    assert product.http.get(f"{product.url}/api/health").json()["status"] == "ok"
    assert product.http.get(f"{product.url}/api/inbox").status_code == 401


def test_a_setting_is_changed_in_a_dialog_and_obeyed_by_every_worker(product: Product) -> None:
    product.say(ALICE, "/signalbox settings autotag")
    view = wait_until(lambda: dialog(product, ALICE, "autotag"), 20, "the dialog")
    field = next(block for block in view["blocks"] if block.get("element", {}).get("action_id") == "announce")
    off = next(option for option in field["element"]["options"] if option["value"] == "off")
    chosen = {"announce": {"type": "static_select", "selected_option": off}}
    product.page("POST", "slack/submit", user=ALICE, view_id=view["id"], values={field["block_id"]: chosen})
    wait_until(lambda: told(product, ALICE, "announce: `False`"), 20, "the answer")
    time.sleep(KNOWN_SECONDS)  # the other worker's processes may trust what they read for so long
    key = product.ticket("I returned the shoes, where is my refund?")
    wait_until(lambda: product.labels(key) == ["payment-refund"], 30, "the label")
    wait_until(product.idle, 20, "an empty inbox")
    assert not any(key in as_text(m) for m in product.top_level("C0SUPPORT")), "nothing is announced any more"
    product.say(ALICE, "/signalbox settings autotag reset")
    wait_until(lambda: told(product, ALICE, "announce: `True`"), 20, "the answer")


def told(product: Product, user: str, words: str) -> bool:
    """Whether somebody was told so, wherever they see it."""
    channels = product.page("GET", f"slack/state?user={user}&limit=1000")["messages"].values()
    return any(words in as_text(message) for messages in channels for message in messages)


def dialog(product: Product, user: str, title: str) -> dict[str, Any] | None:
    views = product.page("GET", f"slack/state?user={user}")["views"]
    return next((view for view in views if view["title"]["text"] == title), None)


def test_a_dead_child_is_started_again(product: Product) -> None:
    [web] = product.find("-m bot web")
    web.send_signal(signal.SIGKILL)
    wait_until(lambda: "web ended (signal SIGKILL)" in product.output(), what="the word of it")

    def back() -> bool:
        try:
            return product.http.get(f"{product.url}/api/health").status_code == 200
        except httpx2.TransportError:
            return False

    wait_until(back, 30, "the web process")


def test_a_second_up_on_the_same_data_is_refused(product: Product) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "bot", "up", "--data", str(product.data), "--port", "1"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert second.returncode == 2
    assert "Another `signalbox up` is using" in second.stderr


def test_ctrl_c_stops_everything_and_a_restart_remembers(tmp_path: Path) -> None:
    product = Product(tmp_path / "data").start()
    product.page("POST", "alerts/fire", scenario="disk-filling")
    wait_until(lambda: product.messages("C0ALERTS0"), what="a message")
    pids = [p.pid for p in product.processes()]
    assert product.stop() == 0
    assert gone(pids)
    again = Product(product.data).start()
    again.say(ALICE, "/signalbox ping")
    wait_until(lambda: again.answers(ALICE), what="an answer")
    assert again.messages("C0ALERTS0")
    assert again.stop() == 0


def test_nothing_is_orphaned_when_up_itself_is_killed(tmp_path: Path) -> None:
    product = Product(tmp_path / "data").start()
    pids = [p.pid for p in product.processes()]
    product.process.kill()
    product.process.wait()
    assert gone(pids, 30)


@pytest.mark.timeout(180)
def test_the_clock_posts_the_digest(product: Product) -> None:
    [digest, *_] = wait_until(lambda: product.messages("C0DIGEST0"), 130, "a digest")
    assert "alert groups" in digest["text"]


def test_doctor_finds_nothing_amiss_and_shows_no_secret(product: Product) -> None:
    found = product.cli("doctor")
    assert found.returncode == 0, found.stdout + found.stderr
    for secret in json.loads((product.data / "secrets.json").read_text()).values():
        assert secret not in found.stdout


def test_the_command_line_sees_what_the_running_product_sees(product: Product) -> None:
    product.say(ALICE, "/signalbox ping")
    assert product.cli("plugins", "list").returncode == 0
    assert "core.ping" in product.cli("inbox", "list").stdout


def test_texts_are_classified_and_the_models_process_comes_back(product: Product) -> None:
    token = json.loads((product.data / "secrets.json").read_text())["api"]

    def classified() -> str:
        answer = product.http.post(
            f"{product.url}/api/nlp/classify",
            json={"text": "I returned the order, where is my refund?"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code in {200, 503}
        return answer.json()["category"] if answer.status_code == 200 else ""

    assert wait_until(classified, 60, "a category") == "payment-refund"
    [nlp] = product.find("-m plugins.autotag.serving")
    nlp.send_signal(signal.SIGKILL)
    wait_until(lambda: "nlp ended (signal SIGKILL)" in product.output(), what="the word of it")
    assert wait_until(classified, 60, "a category") == "payment-refund"
