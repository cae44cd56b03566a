"""Our adapter against a real Pushgateway, and against one that is away."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import httpx2
import pytest

from bot.core.errors import Permanent, Transient
from bot.core.ports import GaugeValue
from bot.core.settings import PushgatewaySettings
from integrations.pushgateway.client import PushgatewayClient
from tests.conftest import free_port, wait_until

pytestmark = pytest.mark.contract
REAL = shutil.which("prometheus-pushgateway")


def value(number: float, series: str = "a", name: str = "signalbox_anomaly_score") -> GaugeValue:
    return GaugeValue(name=name, help="A score.", labels={"series": series}, value=number)


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    if REAL is None:
        pytest.skip("Not installed: prometheus-pushgateway; `apt-get install` it to run this test.")
    url = f"http://127.0.0.1:{free_port()}"
    argv = [REAL, "--persistence.file=", f"--web.listen-address={url.removeprefix('http://')}"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: client(url).health().status == "ok", what="the Pushgateway")
            yield url
        finally:
            process.terminate()


def client(url: str) -> PushgatewayClient:
    return PushgatewayClient(PushgatewaySettings(url=url))


def test_a_push_replaces_all_of_the_job(gateway: str) -> None:
    port = client(gateway)
    port.push(job="ours", figures=[value(0.2), value(0.9, 'b="quoted"')], step_key="1")
    port.push(job="ours", figures=[value(0.7)], step_key="2")
    text = httpx2.get(f"{gateway}/metrics").text
    assert 'signalbox_anomaly_score{instance="",job="ours",series="a"} 0.7' in text
    assert "quoted" not in text


def test_a_refusal_is_told_with_what_to_do(gateway: str) -> None:
    httpx2.post(f"{gateway}/metrics/job/other", content="# TYPE clash counter\nclash 1\n").raise_for_status()
    with pytest.raises(Permanent, match="another type"):
        client(gateway).push(job="ours", figures=[value(1.0, name="clash")], step_key="3")


def test_one_that_is_away_is_tried_again() -> None:
    away = client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Transient, match="did not take"):
        away.push(job="ours", figures=[value(1.0)], step_key="4")
    assert away.health().status == "down"
