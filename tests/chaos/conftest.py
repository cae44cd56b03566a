"""The product under attack, on both databases."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.chaos.faults import Chaos, Clock, Postgres
from tests.conftest import _postgres_bin
from tests.e2e.product import Product

KILLS = int(os.environ.get("SIGNALBOX_CHAOS_KILLS", "0"))  # noqa: TID251  # about the test run
SEED = int(os.environ.get("SIGNALBOX_CHAOS_SEED", "7"))  # noqa: TID251
# Kills make leases run out; short ones keep the test short. The limits only have to be consistent.
FAST = {
    "SIGNALBOX_WORKERS__LEASE_SECONDS": "8",
    "SIGNALBOX_WORKERS__SOFT_TIME_LIMIT": "6",
    "SIGNALBOX_WORKERS__HARD_TIME_LIMIT": "7",
    "SIGNALBOX_WORKERS__SWEEP_SECONDS": "1",
    "SIGNALBOX_WORKERS__MAX_ATTEMPTS": "30",
    "SIGNALBOX_LIMITS__PERSON": "",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def chaos(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chaos]:
    if request.param == "postgresql" and _postgres_bin() is None:
        pytest.skip("PostgreSQL is not installed; `apt-get install postgresql` to run this test.")
    postgres = Postgres() if request.param == "postgresql" else None
    clock = Clock(tmp_path) if Clock.is_possible() else None
    env = FAST | ({"DATABASE_URL": postgres.url} if postgres else {}) | (clock.environment if clock else {})
    product = Product(tmp_path / "data", **env).start()
    product.http = httpx2.Client(timeout=30)
    product.page(
        "POST", "slack/limits", enabled=False
    )  # the stand-in's minute-long limits are another matter
    made = Chaos(product, random.Random(SEED), postgres, clock)
    if KILLS:
        made.worker_kills, made.thorough = 40, True
    yield made
    try:
        for helper in made.helpers:
            helper.terminate()
            helper.wait(20)
        if made.product.process.poll() is None:  # a test may have started another one in its place
            made.product.stop()
    finally:
        if postgres:
            postgres.remove()
