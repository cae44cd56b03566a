"""`signalbox audit` on a database as it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from bot.cli.main import app
from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.tables import audit

pytestmark = pytest.mark.integration


@pytest.fixture
def trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    url = f"sqlite:///{tmp_path / 'signalbox.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("SIGNALBOX_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("SIGNALBOX_DATA_DIR", str(tmp_path))
    db = Database(url)
    db.migrate()
    made = Audit(db)
    for number in range(3):
        made.record("U1", "tags.apply", f"SUP-{number}", after={"labels": ["ü"]})
    return made


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", *arguments])
    return result.exit_code, result.output


def test_a_whole_trail_verifies_and_so_does_its_export(trail: Audit, tmp_path: Path) -> None:
    assert run("verify")[0] == 0
    _, lines = run("export")
    file = tmp_path / "audit.jsonl"
    file.write_text(lines)
    assert [json.loads(line)["subject"] for line in lines.splitlines()] == ["SUP-0", "SUP-1", "SUP-2"]
    _, head = run("head")
    assert run("verify", "--file", str(file), "--anchor", head.strip())[0] == 0
    first, second, third = lines.splitlines()
    file.write_text(f"{first}\n{third}\n{second}")
    assert run("verify", "--file", str(file))[0] == 1


def test_a_changed_record_is_told_and_the_exit_says_so(trail: Audit) -> None:
    with trail._db.write() as tx:
        tx.exec_driver_sql("DROP TRIGGER audit_no_update")
        tx.execute(sa.update(audit).where(audit.c.position == 2).values(actor="U2"))
    code, output = run("verify")
    assert code == 1
    assert "Row 2 says something else" in output


def test_a_cut_trail_does_not_reach_the_head_noted_before(trail: Audit) -> None:
    code, output = run("verify", "--anchor", f"9:{'a' * 64}")
    assert code == 1
    assert "Row 9 is missing" in output


@pytest.mark.parametrize("arguments", [("--anchor", "nonsense"), ("--file", "pyproject.toml")])
def test_what_is_no_head_or_no_export_is_refused_with_words(trail: Audit, arguments: tuple[str, str]) -> None:
    assert run("verify", *arguments)[0] != 0
