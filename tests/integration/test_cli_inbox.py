"""`signalbox inbox` shows what strangers wrote as it is: no markup, nothing that steers the terminal."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.events import NewEvent
from bot.core.inbox import Inbox, Lease

pytestmark = pytest.mark.integration
HOSTILE = [
    "[/bold]",
    "[link=https://evil.example]Sign in[/link]",
    "\x1b[2J\x1b]8;;https://evil.example\x07x",
    "\x9b2J",
    "\u202egnp.exe",
    "a\rb",
]


@pytest.fixture(params=HOSTILE)
def text(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Stands in an event's subject, in what went wrong with it, and in the audit trail."""
    url = f"sqlite:///{tmp_path / 'signalbox.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("SIGNALBOX_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("SIGNALBOX_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    db = Database(url)
    db.migrate()
    inbox, said = Inbox(db), str(request.param)
    event = NewEvent("alertmanager", "alertmanager.group", said, b"{}", actor=said, runs=(("p.m", "io"),))
    inbox.put(event)
    lease = inbox.lease(f"{event.id}-0", "w", timedelta(minutes=1))
    assert isinstance(lease, Lease)
    inbox.dead(lease, said)
    Audit(db).record(said, "tags.apply", said)
    db.close()
    return said


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    assert not [sign for sign in result.output if not (sign.isprintable() or sign == "\n")]
    return result.output


def test_a_list_shows_it_as_text(text: str) -> None:
    shown = run("inbox", "list")
    assert shown.count("evil.example") == 2 * text.count("evil.example")
    assert "alertmanager.group" in shown


def test_what_is_printed_as_json_says_the_same(text: str) -> None:
    listed = run("inbox", "list")
    event_id = next(word for word in listed.replace("│", " ").split() if len(word) == 34)[:32]
    assert json.loads(run("inbox", "show", event_id))["event"]["subject"] == text
    assert json.loads(run("audit", "export"))["subject"] == text
