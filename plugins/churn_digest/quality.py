"""Reports of data that failed its checks, as the pipeline leaves them in quality/<as_of>.json."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.plugin import Message, Note, Section, Text, join, md
from ml.churn.runs import Run
from plugins.churn_digest import words

_LISTED = 8


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Check(_Value):
    """One look at one thing, as `ml.churn.quality` writes it."""

    table: str
    name: str
    outcome: str
    rows: int = 0
    words: str = ""
    todo: str = ""


class Report(_Value):
    as_of: date
    passed: bool
    checks: tuple[Check, ...] = ()
    path: str = ""

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.checks if check.outcome == "failed"]

    @property
    def key(self) -> str:
        return f"{self.as_of}"


def newest_failure(folder: Path) -> Report | None:
    """The newest report, if it says that a batch was stopped."""
    newest = max((folder / "quality").glob("[0-9]*.json"), default=None, key=lambda path: path.name)
    if newest is None:
        return None
    try:
        report = Report.model_validate_json(newest.read_text(encoding="utf-8"))
    except ValidationError:
        return None
    return report.model_copy(update={"path": str(newest)}) if not report.passed else None


def message(report: Report, last_good: Run | None) -> Message:
    title = (
        f"The churn data of {words.day(report.as_of)} failed {words.count(len(report.failures), 'check')}."
    )
    lines: list[Text] = [md(":no_entry: *{} Nobody was scored with it.*", title)]
    lines += [_line(failure) for failure in report.failures[:_LISTED]]
    if len(report.failures) > _LISTED:
        lines.append(f"and {len(report.failures) - _LISTED} more")
    stands = f"the scores of {words.day(last_good.as_of)} stand" if last_good else "there are no scores yet"
    note = (
        f"Meanwhile {stands}. Failing rows and reasons: {report.path}. Afterwards: `signalbox churn score`."
    )
    return Message(
        text=title, blocks=(Section(text=join("\n", lines)), Note(parts=(note,))), severity="warning"
    )


def _line(failure: Check) -> Text:
    rows = f" ({words.count(failure.rows, 'row')})" if failure.rows else ""
    said = words.short(failure.words or failure.name, 300)
    todo = f" {words.short(failure.todo, 300)}" if failure.todo else ""
    return md("• {}: {}{}{}", failure.table, said, rows, todo)
