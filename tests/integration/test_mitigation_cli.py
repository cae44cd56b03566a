"""The command line reaches the same switch and the same records as the chat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.events import utc_now
from bot.core.service_ledger import ServiceLedger
from plugins.alert_relay.mitigation import switch
from plugins.alert_relay.mitigation.cli import app

pytestmark = pytest.mark.integration
SETTINGS = """
secret_key = "{key}"
data_dir = "{folder}"

[[mitigations]]
name = "page"
title = "Call the hook"
match = {{ alertname = "X" }}
executor = "missing"
parameters = {{ target = "{{{{ labels.service }}}}" }}
auto = {{}}
[mitigations.verify]
query = "up"
comparator = ">="
threshold = 1
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    (tmp_path / "signalbox.toml").write_text(SETTINGS.format(key="k" * 40, folder=tmp_path / "data"))
    (tmp_path / "data").mkdir()
    db = Database(f"sqlite:///{tmp_path / 'data' / 'signalbox.db'}")
    db.migrate()
    db.close()
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == code, done.output
        return done.output

    return run


def test_stop_and_resume(call: Callable[..., str], tmp_path: Path) -> None:
    assert "switch: run" in call("list")
    stopped = call("stop", "the database is moved")
    assert "switch: stop" in stopped
    assert "signalbox records review" in stopped
    assert (tmp_path / "data" / switch.FILE).exists()
    assert "switch: observe" in call("observe")
    assert "switch: run" in call("resume")
    assert not (tmp_path / "data" / switch.FILE).exists()
    db = Database(f"sqlite:///{tmp_path / 'data' / 'signalbox.db'}")
    actors = [version["actor"] for version in ServiceLedger(db, Audit(db), utc_now, "").history()]
    db.close()
    assert {(actor["type"], actor["id"][:4], actor["via"]) for actor in actors} == {("user", "cli:", "cli")}


def test_list_says_what_may_run_by_itself(call: Callable[..., str]) -> None:
    assert "page: Call the hook [missing], approvals 0, by itself (paused)" in call("list")


def test_a_dry_run_says_what_is_wrong(call: Callable[..., str]) -> None:
    assert "No mitigation is declared as 'fly'" in call("dry-run", "fly", code=1)
    assert "needs the label 'service'" in call("dry-run", "page", "--label", "alertname=X", code=1)
    labels = ("--label", "alertname=X", "--label", "service=checkout")
    assert "The executor 'missing' is not installed" in call("dry-run", "page", *labels, code=1)
    assert "is no label" in call("dry-run", "page", "--label", "x", code=1)


def test_there_are_no_runs_yet(call: Callable[..., str]) -> None:
    assert call("runs") == ""
