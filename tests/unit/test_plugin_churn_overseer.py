"""The churn plugin looks after its pipeline: jobs of their own processes, and data that failed its checks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from churn_samples import scored, write

from bot.testing import Kit
from plugins.churn_digest import ChurnDigest, job, jobs
from plugins.churn_digest.jobs import Job

pytestmark = pytest.mark.unit
MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Commands that were started; each is this very process, which lives."""
    found: list[tuple[str, ...]] = []

    def launch(folder: Path, hours: float, command: tuple[str, ...]) -> tuple[int, float]:
        found.append(command)
        return os.getpid(), 0.0

    monkeypatch.setattr(jobs, "launch", launch)
    return found


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    with Kit(ChurnDigest, config={"run_jobs": True}, settings={"data_dir": tmp_path}) as made:
        made.clock.set(MONDAY)
        yield made


def held(kit: Kit, kind: str) -> Job:
    document = kit.document(f"job:{kind}")
    assert document is not None
    return Job.model_validate(document.data)


def finish(kit: Kit, kind: str, status: int, output: str = "") -> None:
    folder = Path(held(kit, kind).folder)
    (folder / job.OUTPUT).write_text(output)
    (folder / job.RESULT).write_text(json.dumps({"status": status, "seconds": 1.0}))


def test_jobs_are_started_by_the_clock_one_of_a_kind(kit: Kit, started: list[Any]) -> None:
    first = kit.tick("train")
    kit.rerun(first)
    kit.advance(hours=1)
    kit.tick("train")
    kit.tick("score")
    assert started == [("train",), ("score",)]


def test_nothing_is_started_unless_it_is_asked_for(tmp_path: Path, started: list[Any]) -> None:
    with Kit(ChurnDigest, settings={"data_dir": tmp_path}) as kit:
        kit.tick("train")
        kit.tick("score")
    assert not started


def test_a_job_that_went_well_makes_way_for_the_next(kit: Kit, started: list[Any]) -> None:
    kit.tick("train")
    finish(kit, "train", 0)
    kit.tick("watch")
    assert held(kit, "train").state == "done"
    assert not kit.chat.messages
    kit.advance(hours=168)
    kit.tick("train")
    assert len(started) == 2


def test_a_job_that_failed_is_told_once_with_its_last_words(kit: Kit, started: list[Any]) -> None:
    kit.tick("score")
    finish(kit, "score", 3, "Traceback\nFileNotFoundError: no customers.csv <!channel>")
    for _ in range(3):
        kit.tick("watch")
        kit.advance(minutes=10)
    [told] = kit.chat.messages
    assert told.updates == 0
    assert "Scoring of churn risk failed; the last good scores stand." in told.text
    assert "no customers.csv &lt;!channel&gt;" in told.text
    assert "signalbox churn score" in told.text


@pytest.mark.parametrize(("pid", "born"), [(2**22 + 1, 0.0), (os.getpid(), 1.0)])
def test_a_job_that_vanished_is_told(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, pid: int, born: float
) -> None:
    monkeypatch.setattr(jobs, "launch", lambda *_: (pid, born))
    kit.tick("train")
    kit.tick("watch")
    assert held(kit, "train").state == "failed"
    assert "It ended without a word." in kit.chat.messages[0].text


def test_a_job_on_another_node_is_believed_until_its_time_is_up(
    kit: Kit, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kit.tick("train")
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    kit.tick("watch")
    assert held(kit, "train").state == "running"
    kit.advance(hours=7)
    kit.tick("watch")
    assert held(kit, "train").state == "failed"


def test_the_job_leaves_its_status_and_its_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "$@"\nexit 4\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    assert job.main(folder, 1.0, ["train"]) == 4
    assert json.loads((folder / job.RESULT).read_text())["status"] == 4
    assert (folder / job.OUTPUT).read_text() == "-m bot churn train\n"


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    folder = tmp_path / "one"
    folder.mkdir()
    assert job.main(folder, 0.1 / 3600, ["train"]) == job.TOO_LONG


def fail_quality(data: Path, as_of: str = "2026-01-05") -> None:
    report = {
        "as_of": as_of,
        "passed": False,
        "checks": [
            {
                "table": "invoices", "name": "not null", "outcome": "failed", "rows": 412,
                "words": "412 of 9,120 amounts are missing", "todo": "Ask billing for the export of 4 January.",
            }
        ],
    }  # fmt: skip
    (data / "churn" / "quality").mkdir(parents=True, exist_ok=True)
    (data / "churn" / "quality" / f"{as_of}.json").write_text(json.dumps(report))


def test_data_that_failed_its_checks_is_told_once_and_the_last_good_scores_stand(
    kit: Kit, tmp_path: Path
) -> None:
    write(tmp_path, [scored(0)], MONDAY.date())
    kit.tick("post")
    fail_quality(tmp_path, "2026-01-12")
    for _ in range(3):
        kit.tick("watch")
        kit.advance(minutes=10)
    told = [shown for shown in kit.chat.messages if "failed 1 check" in shown.text]
    assert len(told) == 1
    assert told[0].updates == 0
    assert "invoices: 412 of 9,120 amounts are missing" in told[0].text
    assert "Ask billing for the export" in told[0].text
    assert "the scores of 5 Jan 2026 stand" in told[0].text
    kit.command("/signalbox churn")
    assert "1 customer at risk" in kit.reply.text


def test_a_broken_report_breaks_nothing(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "churn" / "quality").mkdir(parents=True)
    (tmp_path / "churn" / "quality" / "2026-01-05.json").write_text('{"as_of": ')
    assert kit.tick("watch").status == "done"
    assert not kit.chat.messages
