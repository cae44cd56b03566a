"""From a fault to its end, with the real Prometheus and Alertmanager, and a service that really heals."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bot.core.settings import PrometheusSettings
from integrations.prometheus.client import PrometheusClient
from integrations.sandbox.incident.monitoring import PROGRAMS, Site, missing, running
from tests.conftest import wait_until
from tests.e2e.product import ALICE, BOB, CAROL, Product, as_text, blocks_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
ALERTS = "C0ALERTS0"
ALL = tuple(PROGRAMS)
POLL_SECONDS = 45
"""One poll of Alertmanager, and what a busy machine takes to show it."""
Message = dict[str, Any]


class Chain:
    def __init__(self, product: Product, site: Site) -> None:
        self.product = product
        self.site = site

    def fire(self, name: str, *, to: str = "alertmanager", **labels: str) -> dict[str, Any]:
        """Put an alert into an Alertmanager by hand; it gives them up only after minutes."""
        alert = {
            "labels": {"alertname": name, "service": name.lower(), "severity": "warning", **labels},
            "annotations": {"summary": f"{name} happened"},
        }
        httpx2.post(f"{self.site.url(to)}/api/v2/alerts", json=[alert]).raise_for_status()
        return alert

    def lines(self, name: str) -> list[Message]:
        """The messages of a group, wherever they stand."""
        found = [m for m in self.product.messages(ALERTS) if not m.get("ephemeral_for")]
        return [m for m in found if f"*{name} ·" in as_text(m)]

    def message(self, name: str) -> Message | None:
        return next(iter(self.lines(name)), None)

    def shown(self, name: str, what: str, seconds: float = 30) -> Message:
        """The group's message, once it says `what`."""

        def find() -> Message | None:
            found = self.message(name)
            return found if found is not None and what in as_text(found) else None

        return wait_until(find, seconds, f"{what!r} on the message of {name}")

    def thread(self, parent: Message) -> list[Message]:
        found = self.product.messages(ALERTS)
        return [m for m in found if m.get("thread_ts") == parent["ts"] and m["ts"] != parent["ts"]]

    def said(self, parent: Message) -> str:
        return " ".join(as_text(m) for m in self.thread(parent))

    def dialog(self, user: str) -> Message:
        views = wait_until(
            lambda: self.product.page("GET", f"slack/state?user={user}")["views"], 15, "a dialog"
        )
        return views[-1]

    def press(self, user: str, name: str, label: str) -> None:
        """Press a button of the group's message, as it stands then: it may change under one's finger."""

        def pressed() -> bool:
            shown = self.message(name)
            if shown is None or not self.has_button(shown, label):
                return False
            try:
                self.product.click(user, ALERTS, shown, label)
            except AssertionError as exc:
                if "no_such_element" not in str(exc):
                    raise
                return False
            return True

        wait_until(pressed, 20, f"{label!r} to be pressed")

    def has_button(self, message: Message | None, label: str) -> bool:
        elements = [e for b in blocks_of(message or {}) for e in b.get("elements", ())]
        return any(e.get("type") == "button" and e["text"]["text"].startswith(label) for e in elements)

    def deliveries(self, name: str) -> int:
        """How many notifications of a group came in."""
        rows = sqlite3.connect(self.product.data / "signalbox.db").execute(
            "SELECT body FROM events WHERE source = 'alertmanager'"
        )
        return sum(name.encode() in bytes(body) for (body,) in rows)

    def end(self, alert: dict[str, Any]) -> None:
        ended = {**alert, "endsAt": datetime.now(UTC).isoformat()}
        httpx2.post(f"{self.site.url('alertmanager')}/api/v2/alerts", json=[ended]).raise_for_status()

    @contextmanager
    def refused(self) -> Iterator[None]:
        """Alertmanager has a wrong token meanwhile: each of its notifications is refused for good."""
        file = self.site.folder / "alertmanager.yml"
        right = file.read_text()
        self._load(file, right.replace(self.site.token, "a-wrong-one"))
        try:
            yield
        finally:
            self._load(file, right)

    def _load(self, file: Path, content: str) -> None:
        file.write_text(content)
        httpx2.post(f"{self.site.url('alertmanager')}/-/reload").raise_for_status()

    def amtool(self, *arguments: str) -> str:
        argv = ["amtool", f"--alertmanager.url={self.site.url('alertmanager')}", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    if absent := missing(ALL):
        pytest.skip(f"Not installed: {', '.join(absent)}; `apt-get install` them to run this test.")
    base = tmp_path_factory.mktemp("chain")
    product = Product(base / "data")
    folder = base / "site"
    folder.mkdir()
    with running(Site(folder, f"{product.url}/webhooks/alertmanager", alertmanagers=2)) as site:
        product.env = site.environment() | {
            "SIGNALBOX_PLUGINS__ALERT_RELAY__ADOPT_MINUTES": "0.1",
            "SIGNALBOX_ALERTMANAGER__DUPLICATE_WINDOW": "60",
        }
        product.start()
        try:
            yield Chain(product, site)
        finally:
            product.stop()


def test_a_fault_is_told_healed_by_two_people_and_seen_to_be_over(chain: Chain) -> None:
    product, site, name = chain.product, chain.site, "HighErrorRate"
    site.break_shop()
    firing = chain.shown(name, "1 firing")
    assert "of requests" in as_text(firing)
    wait_until(lambda: any(m.get("files") for m in chain.thread(firing)), 30, "a picture in the thread")

    chain.press(CAROL, name, "Restart checkout")
    wait_until(lambda: any("mitigation.run" in a for a in product.answers(CAROL, ALERTS)), 15, "a refusal")

    chain.press(ALICE, name, "Restart checkout")
    asked = chain.dialog(ALICE)
    assert "Targets: checkout" in str(asked)
    product.page("POST", "slack/submit", user=ALICE, view_id=asked["id"], values={})
    chain.press(ALICE, name, "Approve")
    wait_until(lambda: len(product.answers(ALICE, ALERTS)) > 0, 15, "that one can't agree with oneself")
    assert httpx2.get(site.url("shop")).json() == {"state": "broken"}

    chain.press(BOB, name, "Approve")
    wait_until(lambda: httpx2.get(site.url("shop")).json() == {"state": "well"}, 20, "the shop to be healed")
    wait_until(lambda: "checkout worked" in chain.said(firing), 60, "a verdict")
    chain.shown(name, "resolved after", 60)
    restarts = "shop_restarts_total"
    assert f'{restarts}{{service="checkout"}} 1' in httpx2.get(f"{site.url('shop')}/metrics").text
    the_end_is_drawn_too(chain, firing)
    the_statistics_add_up(chain)


def the_end_is_drawn_too(chain: Chain, message: Message) -> None:
    wait_until(lambda: sum(bool(m.get("files")) for m in chain.thread(message)) == 2, 30, "two pictures")
    files = [m["files"][0] for m in chain.thread(message) if m.get("files")]
    assert {file["mimetype"] for file in files} == {"image/png"}
    assert all(file["size"] > 5000 for file in files)


def the_statistics_add_up(chain: Chain) -> None:
    chain.product.say(ALICE, "/signalbox stats 1", ALERTS)

    def figures() -> list[str]:
        return [a for a in chain.product.answers(ALICE, ALERTS) if "restart-checkout" in a]

    assert "1 of 1" in wait_until(figures, 20, "the figures")[-1]


def test_92_identical_deliveries_are_one_message(chain: Chain) -> None:
    alert = {
        "status": "firing", "labels": {"alertname": "Duplicated", "service": "dup"}, "annotations": {},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "d1",
        "generatorURL": "",
    }  # fmt: skip
    labels = alert["labels"]
    body = {
        "version": "4", "groupKey": '{}:{alertname="Duplicated"}', "truncatedAlerts": 0, "status": "firing",
        "receiver": "signalbox", "groupLabels": labels, "commonLabels": labels, "commonAnnotations": {},
        "externalURL": "", "alerts": [alert],
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {chain.site.token}"}
    with httpx2.Client(headers=headers, timeout=20) as client:
        url = f"{chain.product.url}/webhooks/alertmanager"
        assert {client.post(url, json=body).status_code for _ in range(92)} <= {200, 202}
    chain.shown("Duplicated", "1 firing")
    assert len(chain.lines("Duplicated")) == 1
    assert chain.deliveries("Duplicated") == 1


def test_a_silence_from_outside_shows_within_a_poll_and_so_does_its_end(chain: Chain) -> None:
    chain.fire("Outside")
    chain.shown("Outside", "1 firing")
    made = chain.amtool("silence", "add", "alertname=Outside", "--comment=known", "--duration=1h").strip()
    chain.shown("Outside", "1 silenced", POLL_SECONDS)
    chain.amtool("silence", "expire", made)
    chain.shown("Outside", "1 firing", POLL_SECONDS)


def test_an_alertmanager_that_is_killed_comes_back_without_a_second_message(chain: Chain) -> None:
    chain.fire("Lasting")
    chain.shown("Lasting", "1 firing")
    chain.site.kill("alertmanager")
    chain.site.start("alertmanager")
    chain.fire("Lasting")
    chain.fire("Later")
    chain.shown("Later", "1 firing", POLL_SECONDS)
    assert len(chain.lines("Lasting")) == 1
    chain.shown("Lasting", "1 firing", POLL_SECONDS)


def test_what_was_refused_is_seen_at_a_poll_begun_and_ended(chain: Chain) -> None:
    ending = chain.fire("Ending")
    chain.shown("Ending", "1 firing")
    with chain.refused():
        chain.fire("Refused")
        chain.end(ending)
        chain.end(chain.fire("Passing"))
        chain.shown("Ending", "resolved after", POLL_SECONDS)
        chain.shown("Refused", "1 firing", POLL_SECONDS)
        assert chain.deliveries("Refused") == 0
    wait_until(lambda: chain.deliveries("Refused") > 0, 20, "the notification that is tried again")
    assert len(chain.lines("Refused")) == 1
    assert not chain.lines("Passing")


@pytest.mark.parametrize("words", [("bot", "web"), ("worker", "io")], ids=["web", "worker"])
def test_what_fires_while_one_of_us_is_killed_is_told(chain: Chain, words: tuple[str, str]) -> None:
    for process in chain.product.find("-m", *words):
        process.kill()
    name = f"Killed{words[1].capitalize()}"
    chain.fire(name)
    chain.shown(name, "1 firing", POLL_SECONDS)
    assert len(chain.lines(name)) == 1


def test_two_alertmanagers_that_do_not_know_each_other_make_one_message(chain: Chain) -> None:
    for to in ("alertmanager", "alertmanager1"):
        chain.fire("Twice", to=to)
    chain.shown("Twice", "1 firing")
    wait_until(lambda: chain.deliveries("Twice") >= 2, 20, "both notifications")
    assert len(chain.lines("Twice")) == 1


def test_the_others_were_watched_as_well(chain: Chain) -> None:
    """Pushgateway and node exporter are scraped by the same Prometheus that our adapter asks."""
    client = PrometheusClient(PrometheusSettings(url=chain.site.url("prometheus")))
    up = {sample.labels["job"]: sample.value for sample in client.query("up")}
    assert up == {"shop": 1, "prometheus": 1, "pushgateway": 1, "node": 1}
