"""What one changed field looks like in an issue's changelog."""

from typing import Any

from integrations.sandbox.jira import adf
from integrations.sandbox.jira.models import ISSUE_TYPES, PRIORITIES, STATUSES, ChangeItem, Issue, Named
from integrations.sandbox.jira.people import People

LISTS: dict[str, tuple[Named, ...]] = {"status": STATUSES, "priority": PRIORITIES, "issuetype": ISSUE_TYPES}


def change_item(people: People, issue: Issue, field: str, value: Any) -> ChangeItem:
    before = getattr(issue, field)
    if field in LISTS or field in ("assignee", "reporter"):
        return ChangeItem(
            field=field,
            before=before,
            before_text=_name(people, field, before),
            after=value,
            after_text=_name(people, field, value),
        )
    return ChangeItem(field=field, before_text=_plain(before), after_text=_plain(value))


def _name(people: People, field: str, value: str | None) -> str | None:
    if value is None:
        return None
    if field in LISTS:
        return next(entry.name for entry in LISTS[field] if entry.id == value)
    person = people.get(value)
    return person.name if person else value


def _plain(value: Any) -> str | None:
    if isinstance(value, list):
        return " ".join(value)
    return adf.to_text(value) if isinstance(value, dict) else value
