"""From a fault to its end, with the real Prometheus and Alertmanager, and a service that really heals."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest

from bot.core.settings import PrometheusSettings
from integrations.prometheus.client import PrometheusClient
from integrations.sandbox.incident.monitoring import PROGRAMS, missing
from tests.conftest import wait_until
from tests.e2e.chain import ALERTS, FAILURES, HEARTBEAT_SECONDS, Chain, Message
from tests.e2e.product import ALICE, BOB, CAROL, as_text

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
ALL = tuple(PROGRAMS)
POLL_SECONDS = 25
"""One poll of Alertmanager, every ten seconds here, and what a busy machine takes to show it."""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    if absent := missing(ALL):
        pytest.skip(f"Not installed: {', '.join(absent)}; `apt-get install` them to run this test.")
    settings = {
        "SIGNALBOX_PLUGINS__ALERT_RELAY__POLL_CRON": "* * * * * */10",
        "SIGNALBOX_PLUGINS__ALERT_RELAY__ADOPT_MINUTES": "0.1",
        "SIGNALBOX_ALERTMANAGER__DUPLICATE_WINDOW": str(HEARTBEAT_SECONDS - 1),
    }
    with Chain.started(tmp_path_factory.mktemp("chain"), settings) as started:
        yield started


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
    wait_until(lambda: any("somebody else" in a for a in product.answers(ALICE, ALERTS)), 15, "a no")
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


def test_ways_that_fail_lose_nothing_and_double_nothing(chain: Chain) -> None:
    """Answers that do not arrive, an intake that is ill, and one that Alertmanager waits for in vain."""
    names = {"cut": "CutOff", "ill": "Unwell", "mute": "Unanswered"}
    for kind, name in names.items():
        chain.fire(name, way=kind)
    for name in names.values():
        chain.shown(name, "1 firing")
    wait_until(lambda: chain.way.heard["cut"] > FAILURES, 30, "an answer at last")
    wait_until(lambda: chain.way.heard["mute"] > 1, 30, "the notification that is sent again")
    wait_until(chain.product.idle, 90, "an empty inbox")
    for name in names.values():
        assert len(chain.lines(name)) == chain.deliveries(name) == 1
        assert not chain.thread(chain.lines(name)[0])


def test_a_silence_from_outside_shows_within_a_poll_and_so_does_its_end(chain: Chain) -> None:
    chain.fire("Outside")
    chain.shown("Outside", "1 firing")
    made = chain.silence("alertname=Outside")
    chain.shown("Outside", "1 silenced", POLL_SECONDS)
    chain.amtool("silence", "expire", made)
    chain.shown("Outside", "1 firing", POLL_SECONDS)


def test_what_is_muted_ends_and_comes_back_within_a_poll(chain: Chain) -> None:
    """Silenced or inhibited, it ends and fires again without a word from Alertmanager, which has told it once."""
    chain.silence("alertname=Unheard")
    muted = [chain.fire("Muted"), chain.fire("Symptom", zone="a"), chain.fire("Unheard")]
    for name in ("Muted", "Symptom"):
        chain.shown(name, "1 firing")
    silence, outage = chain.silence("alertname=Muted"), chain.fire("Outage", zone="a")
    chain.shown("Muted", "1 silenced", POLL_SECONDS)
    chain.shown("Symptom", "1 inhibited", POLL_SECONDS)
    chain.end(*muted)
    for name in ("Muted", "Symptom"):
        chain.shown(name, "resolved after", POLL_SECONDS)

    chain.fire_all([alert["labels"] for alert in muted])
    chain.amtool("silence", "expire", silence)
    chain.end(outage)
    for name in ("Muted", "Symptom"):
        message = chain.shown(name, "1 firing", POLL_SECONDS)
        wait_until(lambda shown=message: "Fires again" in chain.said(shown), 15, "the line in the thread")
        assert len(chain.lines(name)) == chain.deliveries(name) == 1
    assert not chain.lines("Unheard")


def test_what_max_alerts_leaves_out_is_counted_all_the_same(chain: Chain) -> None:
    alerts = chain.fire_all([{"alertname": "Many", "way": "few", "instance": f"i{n}"} for n in range(5)])
    chain.shown("Many", "5 firing")
    [first] = [body for body in chain.bodies("Many") if body["truncatedAlerts"] == 2]
    told = {alert["labels"]["instance"] for alert in first["alerts"]}
    chain.end(*(alert for alert in alerts if alert["labels"]["instance"] not in told))
    chain.shown("Many", "3 firing", POLL_SECONDS)
    chain.end(*alerts)
    chain.shown("Many", "resolved after", POLL_SECONDS)
    assert len(chain.lines("Many")) == 1


def test_a_part_that_ends_and_one_that_ends_and_begins_anew(chain: Chain) -> None:
    parts = chain.fire_all([{"alertname": "Parted", "instance": name} for name in "ab"])
    blinking = chain.fire("Blinking")
    chain.shown("Parted", "2 firing")
    chain.shown("Blinking", "1 firing")
    chain.end(parts[0], blinking)
    chain.fire("Blinking")  # before the group is due again
    chain.shown("Parted", "1 firing", POLL_SECONDS)
    wait_until(chain.product.idle, 90, "an empty inbox")
    chain.shown("Blinking", "1 firing", POLL_SECONDS)
    assert len(chain.lines("Parted")) == len(chain.lines("Blinking")) == 1


def test_a_thousand_alerts_of_one_group_are_one_short_message_with_a_file(chain: Chain) -> None:
    chain.fire_all([{"alertname": "Crowd", "instance": f"host-{n}"} for n in range(1000)])
    crowd = chain.shown("Crowd", "1000 firing")
    assert "and 995 more" in as_text(crowd)
    wait_until(lambda: any(m.get("files") for m in chain.thread(crowd)), 30, "the list as a file")
    assert len(chain.lines("Crowd")) == 1


def test_a_repeat_is_no_second_message_and_keeps_the_dead_mans_switch_alive(chain: Chain) -> None:
    before = wait_until(chain.heartbeats, 90, "a heartbeat")
    wait_until(lambda: chain.heartbeats() > before, 3 * HEARTBEAT_SECONDS, "the next one")
    first, *repeats = chain.bodies("Watchdog")
    assert first["alerts"] == repeats[-1]["alerts"]
    assert not chain.lines("Watchdog")


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


def test_a_silence_that_is_asked_for_while_alertmanager_hangs_is_kept_and_made_once(chain: Chain) -> None:
    chain.fire("Hanging")
    chain.shown("Hanging", "1 firing")
    with chain.frozen():
        chain.press(ALICE, "Hanging", "Silence 1h")
        wait_until(
            lambda: any("tried again until it works" in a for a in chain.product.answers(ALICE, ALERTS)),
            30,
            "word that it is kept",
        )
    chain.shown("Hanging", "1 silenced", 2 * POLL_SECONDS)
    assert len(json.loads(chain.amtool("silence", "query", "alertname=Hanging", "--output=json"))) == 1


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
