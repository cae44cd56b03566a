"""What a caller asks to set, checked as Jira checks it, as values of our model."""

from collections.abc import Callable
from typing import Any

from integrations.sandbox.jira import adf
from integrations.sandbox.jira.errors import JiraRefusal, bad
from integrations.sandbox.jira.models import ISSUE_TYPES, PRIORITIES, PROJECT, Issue, pick
from integrations.sandbox.jira.people import People

NOT_ADF = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
NOT_ON_SCREEN = "Field '{field}' cannot be set. It is not on the appropriate screen, or unknown."
MAX_SUMMARY = 255
MAX_LABEL = 255
MAX_TEXT = 32767


class Fields:
    """Reads field values. API v3 writes rich text as documents, v2 as text."""

    def __init__(self, people: People, version: str) -> None:
        self._people = people
        self._rich = version == "3"
        self._readers: dict[str, Callable[[Any], Any]] = {
            "summary": self._summary,
            "description": self._description,
            "labels": self._labels,
            "priority": self._priority,
            "issuetype": self._issuetype,
            "assignee": lambda value: self._person("assignee", value),
            "reporter": lambda value: self._person("reporter", value),
        }

    def read(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {name: self._read(name, value) for name, value in fields.items()}

    def for_new(self, fields: dict[str, Any]) -> dict[str, Any]:
        given = dict(fields)
        self._check_project(given.pop("project", None))
        if "issuetype" not in given:
            raise bad("issuetype", "Specify an issue type")
        values = self.read(given)
        if "summary" not in values:
            raise bad("summary", "You must specify a summary of the issue.")
        return {name: value for name, value in values.items() if value is not None}

    def after_operations(self, issue: Issue, update: dict[str, Any]) -> dict[str, Any]:
        """The values that `{"labels": [{"add": "x"}, {"remove": "y"}]}` and the like lead to."""
        return {name: self._operate(issue, name, steps) for name, steps in update.items()}

    def comment(self, body: Any) -> dict[str, Any]:
        if self._rich and adf.is_document(body):
            document: dict[str, Any] = body
        elif not self._rich and isinstance(body, str):
            document = adf.from_text(body)
        else:
            raise bad("comment", "Comment body is not valid!")
        if not adf.to_text(document).strip():
            raise bad("comment", "Comment body can not be empty!")
        return document

    def _read(self, name: str, value: Any) -> Any:
        reader = self._readers.get(name)
        if reader is None:
            raise bad(name, NOT_ON_SCREEN.format(field=name))
        return reader(value)

    def _operate(self, issue: Issue, name: str, steps: Any) -> Any:
        if not isinstance(steps, list) or not all(isinstance(s, dict) and len(s) == 1 for s in steps):
            raise bad(name, "Operations are a list of objects with one operation each.")
        value = list(issue.labels) if name == "labels" else None
        for step in steps:
            ((verb, operand),) = step.items()
            value = self._step(name, value, verb, operand)
        return value

    def _step(self, name: str, value: Any, verb: str, operand: Any) -> Any:
        if verb == "set":
            return self._read(name, operand)
        if name != "labels" or verb not in ("add", "remove"):
            raise bad(name, f"Field does not support update '{verb}'")
        label = self._labels([operand])[0]
        if verb == "remove":
            return [held for held in value if held != label]
        return value if label in value else [*value, label]

    def _check_project(self, wanted: Any) -> None:
        given = wanted if isinstance(wanted, dict) else {}
        if str(given.get("id", "")) != PROJECT.id and str(given.get("key", "")).upper() != PROJECT.key:
            raise bad("project", "Specify a valid project ID or key")

    def _summary(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise bad("summary", "You must specify a summary of the issue.")
        if "\n" in value or "\r" in value:
            raise bad("summary", "The summary is invalid because it contains newline characters.")
        if len(value) > MAX_SUMMARY:
            raise bad("summary", f"Summary can't exceed {MAX_SUMMARY} characters.")
        return value

    def _description(self, value: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        if self._rich and not adf.is_document(value):
            raise bad("description", NOT_ADF)
        if not self._rich and not isinstance(value, str):
            raise bad("description", "Operation value must be a string")
        document = value if self._rich else adf.from_text(value)
        if len(adf.to_text(document)) > MAX_TEXT:
            raise bad(
                "description",
                f"The entered text is too long. It exceeds the allowed limit of {MAX_TEXT:,} characters.",
            )
        return document

    def _labels(self, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
            raise bad("labels", "data was not an array of strings")
        for label in value:
            if not label or any(ch.isspace() for ch in label):
                raise bad("labels", f"The label '{label}' contains spaces which is invalid.")
            if len(label) > MAX_LABEL:
                raise bad("labels", f"The label '{label}' exceeds the limit of {MAX_LABEL} characters.")
        return list(dict.fromkeys(value))

    def _priority(self, value: Any) -> str:
        found = pick(PRIORITIES, value)
        if found is None:
            raise bad("priority", "The priority selected is invalid.")
        return found.id

    def _issuetype(self, value: Any) -> str:
        found = pick(ISSUE_TYPES, value)
        if found is None:
            raise bad("issuetype", "Specify a valid issue type")
        return found.id

    def _person(self, field: str, value: Any) -> str | None:
        wanted = value.get("accountId", value.get("id")) if isinstance(value, dict) else value
        if wanted is None:
            return None
        person = self._people.get(str(wanted))
        if person is None:
            raise bad(field, f"User '{wanted}' does not exist.")
        return person.account_id


def object_at(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise JiraRefusal(400, f"'{name}' must be an object.")
    return value
