"""A plugin that raises, hangs and kills its worker takes nobody else down, and can be switched off meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.e2e.product import ALICE, Product

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
PLUGIN = """
import ctypes
import os
import time

from bot.plugin import Command, Context, Plugin, command


class Wreck(Plugin):
    name = "wreck"
    api = 1

    @command("raises", help="Raise what nobody foresaw.")
    def raises(self, asked: Command, ctx: Context) -> None:
        raise KeyError("nobody foresaw this")

    @command("hangs", help="Never end, and take no interruption.")
    def hangs(self, asked: Command, ctx: Context) -> None:
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass

    @command("leaves", help="End the process.")
    def leaves(self, asked: Command, ctx: Context) -> None:
        os._exit(1)

    @command("segfaults", help="Read what is not there.")
    def segfaults(self, asked: Command, ctx: Context) -> None:
        ctypes.string_at(0)
"""
WAYS = ("raises", "hangs", "leaves", "segfaults")


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    site = tmp_path / "site"
    metadata = site / "signalbox_wreck-1.dist-info"
    metadata.mkdir(parents=True)
    (site / "wreck.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: signalbox-wreck\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[signalbox.plugins]\nwreck = wreck:Wreck\n")
    product = Product(
        tmp_path / "data",
        PYTHONPATH=os.pathsep.join([str(site), str(Path(__file__).parents[2])]),
        SIGNALBOX_WORKERS__SOFT_TIME_LIMIT="2",
        SIGNALBOX_WORKERS__HARD_TIME_LIMIT="4",
        SIGNALBOX_WORKERS__LEASE_SECONDS="8",
        SIGNALBOX_WORKERS__MAX_ATTEMPTS="2",
    )
    product.start()
    yield product
    product.stop()


def test_a_plugin_that_crashes_in_each_way_takes_nobody_down(product: Product) -> None:
    for number, way in enumerate(WAYS, 1):
        product.say(ALICE, f"/signalbox {way}")
        product.say(ALICE, "/signalbox ping")
        wait_until(lambda number=number: _pongs(product) == number, 30, f"an answer beside {way!r}")
    wait_until(lambda: _dead(product) == set(WAYS), 120, "a dead letter of each")
    product.say(ALICE, "/signalbox deadletters")
    wait_until(lambda: any("nobody foresaw this" in a for a in product.answers(ALICE)), 30, "the reason")

    assert product.cli("plugins", "disable", "wreck", "--why", "it crashes").returncode == 0
    time.sleep(3)  # every process obeys within seconds
    product.say(ALICE, "/signalbox raises")
    wait_until(lambda: any("wreck was switched off" in a for a in product.answers(ALICE)), 30, "a refusal")
    product.say(ALICE, "/signalbox ping")
    wait_until(lambda: _pongs(product) == len(WAYS) + 1, 30, "an answer afterwards")


def _pongs(product: Product) -> int:
    return sum("pong" in answer.lower() for answer in product.answers(ALICE))


def _dead(product: Product) -> set[str]:
    listed = product.cli("inbox", "list", "--status", "dead").stdout
    return {way for way in WAYS if f"wreck.{way}" in listed or f"/signalbox {way}" in listed}
