"""From a press to a verdict, when all goes well and when it does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mitigation_samples import QUERY, fire, kit_with, later, message, press, statuses

from bot.testing import Kit

pytestmark = pytest.mark.unit


@pytest.fixture
def kit() -> Iterator[Kit]:
    with kit_with() as made:
        yield made


def test_press_confirm_run_verify(kit: Kit) -> None:
    fire(kit)
    assert "Restart checkout" in message(kit).buttons
    press(kit)
    [modal] = kit.chat.modals
    said = " ".join(str(block) for block in modal.blocks)
    assert "checkout will be set to 'on'" in said
    assert "0.2" in said
    kit.submit({}, user="UANN")
    assert kit.executors.fake.values == {"checkout": "on"}
    assert "Restart checkout" not in message(kit).buttons
    kit.metrics.set(QUERY, 0.01)
    later(kit, 120)
    assert statuses(kit) == ["requested", "approved", "running", "verifying", "succeeded"]

    assert "Restart checkout" in message(kit).buttons
