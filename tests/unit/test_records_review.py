"""`signalbox records review`: the word that a change is owed after it was carried out."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.local import load_local
from bot.cli.main import app
from bot.core.kernel import Kernel, build_kernel
from bot.core.service_desk import Changes
from bot.core.service_ledger import Circumstances
from bot.core.service_models import RecordActor

pytestmark = pytest.mark.unit


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGNALBOX_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SIGNALBOX_SECRET_KEY", "k" * 32)
    made = build_kernel(load_local().settings)
    made.db.migrate()
    return made


def test_it_closes_the_change_with_what_was_learned(kernel: Kernel) -> None:
    by = Circumstances("churn-digest", RecordActor(type="user", id="U1", via="slack"), "e1")
    desk = Changes(kernel.ledger, by, (), kernel.clock)
    change = desk.propose("emergency", "Roll back churn", reason="-", plan="-", backout_plan="-")
    desk.begin(change.id)
    desk.end(change.id)
    command = ["records", "review", change.id, "--failed", "--lessons", "Look at drift first."]
    done = CliRunner().invoke(app, command)
    assert "Roll back churn: closed." in done.output
    review = desk.get(change.id).review
    assert review is not None
    assert (review.successful, review.lessons) == (False, "Look at drift first.")
    assert review.by.startswith("cli:")
    assert kernel.ledger.faults() == []


@pytest.mark.usefixtures("kernel")
def test_a_change_that_is_not_known_is_said_so() -> None:
    done = CliRunner().invoke(app, ["records", "review", "nothing"])
    assert "There is no change 'nothing'" in f"{done.output}{done.exception}"
