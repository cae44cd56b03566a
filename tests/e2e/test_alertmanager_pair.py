"""A pair of real Alertmanagers that know each other, and as many groups as it can send at once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from integrations.sandbox.incident.monitoring import missing
from tests.conftest import wait_until
from tests.e2e.chain import ALERTS, Chain
from tests.e2e.product import as_text

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
GROUPS = 500
PEER_SECONDS = 6
"""After which the second one would have sent too, had it not heard from the first."""


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    if absent := missing():
        pytest.skip(f"Not installed: {', '.join(absent)}; `apt-get install` them to run this test.")
    with Chain.started(tmp_path_factory.mktemp("pair"), {}, gossiping=True) as started:
        yield started


def test_a_pair_sends_once_outlives_one_of_it_and_loses_none_of_five_hundred_groups(pair: Chain) -> None:
    for to in ("alertmanager", "alertmanager1"):
        pair.fire("Paired", to=to)
    pair.shown("Paired", "1 firing")
    time.sleep(PEER_SECONDS)
    assert pair.deliveries("Paired") == len(pair.lines("Paired")) == 1

    pair.site.kill("alertmanager1")
    pair.fire("Left")
    pair.shown("Left", "1 firing")

    pair.fire_all([{"alertname": f"Storm{number}"} for number in range(GROUPS)])
    wait_until(lambda: _groups(pair) >= GROUPS + 2, 120, "every group to be known")
    wait_until(lambda: _told(pair) >= GROUPS + 2, 120, "every group to be counted in the channel")
    assert len(pair.product.top_level(ALERTS)) < 60


def _groups(pair: Chain) -> int:
    return int(pair.rows("SELECT count(*) FROM documents WHERE key LIKE 'group:%'")[0][0])


def _told(pair: Chain) -> int:
    """By a message of their own, or as waiting in the summary."""
    texts = [as_text(message) for message in pair.product.top_level(ALERTS)]
    waiting = [re.search(r"(\d+) groups? waits? here", text) for text in texts]
    return sum("firing" in text for text in texts) + sum(int(found[1]) for found in waiting if found)
