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
from ml.churn import trouble
from ml.churn.seen import SEEN, Finding, Look
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


@pytest.mark.parametrize(
    ("pid", "born"),
    [(2**22 + 1, 0.0), (os.getpid(), 1.0)],
    ids=["no such process", "another under its number"],
)
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


@pytest.mark.parametrize(
    "words",
    [
        "The table 'invoices' lacks: due, paid. Ask for an export with these columns.",
        "boosting.txt is not what was sealed, so the model is not loaded. Go back with: signalbox models rollback",
        "Spark stopped in mid-write. What was kept before stands; run it again.",
    ],
)
def test_a_command_of_somebody_elses_scheduler_that_stopped_is_told_once(
    kit: Kit, tmp_path: Path, words: str
) -> None:
    for _ in range(3):
        trouble.note(tmp_path / "churn", "score", words)
        kit.tick("watch")
        kit.advance(minutes=10)
    [told] = [shown for shown in kit.chat.messages if "signalbox churn score stopped" in shown.text]
    assert words in told.text
    assert "the last good scores and model stand" in told.text
    trouble.clear(tmp_path / "churn", "score")
    kit.tick("watch")
    assert len(kit.chat.messages) == 1
    assert "churn.score" in {event.body["signal"] for event in kit.kernel.ledger.find(record_type="event")}


def test_a_damaged_note_of_trouble_breaks_nothing(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "churn" / "trouble").mkdir(parents=True)
    (tmp_path / "churn" / "trouble" / "score.json").write_text("{")
    assert kit.tick("watch").status == "done"
    assert not kit.chat.messages


def found(data: Path, *findings: tuple[str, str], model: str = "ab" * 32) -> None:
    """A look at the champion, as `ml.churn.watch` leaves it."""
    (data / "churn").mkdir(exist_ok=True)
    listed = tuple(Finding(kind=k, words=w, retrains=k != "drift") for k, w in findings)
    look = Look(as_of=MONDAY.date(), model=model, outcomes=420, findings=listed)
    (data / "churn" / SEEN).write_text(look.model_dump_json())


def test_a_model_that_got_worse_is_told_once_and_trained_anew(
    kit: Kit, tmp_path: Path, started: list[Any]
) -> None:
    found(tmp_path, ("degradation", "AUC 0.780 on 420 outcomes; 0.850 when it was promoted."))
    for _ in range(3):
        kit.tick("watch")
        kit.advance(minutes=10)
    [told] = kit.chat.messages
    assert told.updates == 0
    assert "ranks customers worse than when it was promoted" in told.text
    assert "AUC 0.780 on 420 outcomes" in told.text
    assert "/signalbox churn rollback" in told.text
    assert "A training has begun" in told.text
    assert started == [("train",)]
    [event] = kit.kernel.ledger.find(record_type="event")
    assert event.body["signal"] == "churn.degradation"


def test_drift_alone_is_told_and_trains_nothing(kit: Kit, tmp_path: Path, started: list[Any]) -> None:
    found(tmp_path, ("drift", "logins_28d has shifted: PSI 0.41."), ("schedule", "It is a week old."))
    kit.tick("watch")
    [told] = kit.chat.messages
    assert "logins_28d has shifted: PSI 0.41." in told.text
    assert "Nothing is trained for that alone" in told.text
    assert "a week old" not in told.text
    assert not started


def test_what_comes_new_is_told_again(kit: Kit, tmp_path: Path, started: list[Any]) -> None:
    found(tmp_path, ("drift", "logins_28d has shifted: PSI 0.41."))
    kit.tick("watch")
    kit.advance(minutes=10)
    found(tmp_path, ("drift", "logins_28d has shifted: PSI 0.44."))
    kit.tick("watch")
    kit.advance(minutes=10)
    assert len(kit.chat.messages) == 1
    found(
        tmp_path,
        ("drift", "logins_28d has shifted: PSI 0.44."),
        ("calibration", "90 left, 60 were expected."),
    )
    kit.tick("watch")
    assert len(kit.chat.messages) == 2


def test_who_runs_the_jobs_is_told_to_train(tmp_path: Path, started: list[Any]) -> None:
    with Kit(ChurnDigest, settings={"data_dir": tmp_path}) as kit:
        found(tmp_path, ("calibration", "90 left, 60 were expected (+4.0 sigma)."))
        kit.tick("watch")
        assert "signalbox churn train" in kit.chat.messages[0].text
    assert not started


def test_a_week_that_is_over_is_no_news(kit: Kit, tmp_path: Path) -> None:
    found(tmp_path, ("schedule", "The champion was trained on 2025-12-01."))
    kit.tick("watch")
    assert not kit.chat.messages


def test_a_training_that_mlflow_did_not_take_is_told(kit: Kit, started: list[Any]) -> None:
    kit.tick("train")
    said = "MLflow could not record the training (OSError: no route). The model is kept in /data; check it."
    finish(kit, "train", 0, f"Trained churn-20260105\n{said}\nPassed the gate.")
    for _ in range(2):
        kit.tick("watch")
        kit.advance(minutes=10)
    [told] = kit.chat.messages
    assert "MLflow knows nothing of it" in told.text
    assert "The model is kept in /data; check it." in told.text
    assert held(kit, "train").state == "done"
