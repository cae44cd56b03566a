"""A rolling upgrade: processes of this version and of the next side by side, across a migration, under load."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.core.database import Database
from tests.chaos import load as loads
from tests.chaos.faults import Chaos
from tests.conftest import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(420)]
ROOT = Path(__file__).parents[2]
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9000", "{head}", None, None


def upgrade():
    op.add_column("runs", sa.Column("version", sa.String(10), nullable=True))
    op.create_index("ix_runs_version", "runs", ["version"])
    op.create_table("next", sa.Column("id", sa.Integer(), primary_key=True))
"""
MIGRATE = """
import sys
from bot.core.database import Database
db = Database(sys.argv[1])
db.migrate()
assert db.is_newest()
"""


def next_version(folder: Path) -> Path:
    """This program with a migration more, and with code that writes the new column with every change of a run."""
    for package in ("plugins", "workers", "integrations", "ml"):
        (folder / package).symlink_to(ROOT / package)
    shutil.copytree(ROOT / "bot", folder / "bot", ignore=shutil.ignore_patterns("__pycache__"))
    versions = folder / "bot" / "core" / "migrations" / "versions"
    head = max(file.name[:4] for file in versions.glob("[0-9]*.py"))
    (versions / "9000_next.py").write_text(MIGRATION.format(head=head))
    tables = folder / "bot" / "core" / "tables.py"
    anchor = '    Column("finished_at", Instant),\n    Column("serial"'
    old = tables.read_text()
    assert anchor in old
    tables.write_text(old.replace(anchor, f'    Column("version", Words(10), onupdate="next"),\n{anchor}'))
    return folder


def runs_by_version(url: str) -> dict[str | None, int]:
    db = Database(url)
    try:
        with db.read() as tx:
            counted = tx.execute(
                text("SELECT version, count(*) FROM runs WHERE status = 'done' GROUP BY version")
            )
            return {row[0]: row[1] for row in counted}
    finally:
        db.close()


def test_two_versions_work_side_by_side_across_a_migration(chaos: Chaos, tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    newer, env = next_version(tmp_path / "next"), chaos.environment()
    load = loads.Load(chaos.product)
    load.start()
    try:
        wait_until(lambda: len(load.acknowledged) > 20, 60, "a load")
        before = load.acknowledged[-1]
        subprocess.run([sys.executable, "-c", MIGRATE, chaos.database_url], cwd=newer, env=env, check=True)
        wait_until(lambda: load.acknowledged[-1] > before + 20, 60, "a load afterwards")
        through = load.acknowledged[:]
        worker = [
            sys.executable,
            "-m",
            "bot",
            "worker",
            "--queues",
            "interactive,control,io",
            "--processes",
            "2",
        ]
        chaos.helpers.append(
            subprocess.Popen(worker, cwd=newer, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        wait_until(lambda: runs_by_version(chaos.database_url).get("next"), 60, "a run by the new version")
        for words in (("celery", "worker"), ("celery", "worker"), ("-m bot web",)):
            chaos.kill(*words)  # they start again, in this version, on the next one's schema
        wait_until(chaos.is_up, 60, "the old web process on the new schema")
        chaos.pause(3, 5)
    finally:
        load.finish()
    loads.settle(chaos.product, load)
    assert through == list(range(through[-1] + 1)), "something was not acknowledged during the migration"
    made = loads.account(chaos.product, load, chaos.database_url)
    print(f"\n{len(load.acknowledged)} commands; runs by version {runs_by_version(chaos.database_url)}")
    assert made.problems == []
    assert runs_by_version(chaos.database_url).keys() == {None, "next"}
