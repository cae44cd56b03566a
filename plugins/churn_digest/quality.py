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


class Failure(_Value):
    check: str
    table: str = ""
    column: str = ""
    rows: int = 0
    message: str = ""
    fix: str = ""


class Report(_Value):
    as_of: date
    quality: str
    failures: tuple[Failure, ...] = ()
    path: str = ""

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
    return report.model_copy(update={"path": str(newest)}) if report.quality == "failed" else None


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


def _line(failure: Failure) -> Text:
    place = ".".join(part for part in (failure.table, failure.column) if part)
    rows = f" ({words.count(failure.rows, 'row')})" if failure.rows else ""
    said = words.short(failure.message or failure.check, 300)
    fix = f" {words.short(failure.fix, 300)}" if failure.fix else ""
    return md("• {}{}{}{}", f"{place}: " if place else "", said, rows, fix)
