"""What a small Jira holds: people, one project, issues with their comments, history and properties."""

from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field


def now() -> datetime:
    return datetime.now(UTC)


class Named(BaseModel):
    """An entry of one of Jira's fixed lists (status, priority, issue type)."""

    model_config = ConfigDict(frozen=True)
    id: str
    name: str


class Status(Named):
    category_id: int
    category_key: str
    category_name: str
    transition_id: str


class Project(Named):
    key: str


PROJECT = Project(id="10000", key="SUP", name="Customer support")
STATUSES = (
    Status(id="10000", name="To Do", category_id=2, category_key="new", category_name="To Do",
           transition_id="11"),
    Status(id="10001", name="In Progress", category_id=4, category_key="indeterminate",
           category_name="In Progress", transition_id="21"),
    Status(id="10002", name="Done", category_id=3, category_key="done", category_name="Done",
           transition_id="31"),
)  # fmt: skip
PRIORITIES = tuple(
    Named(id=str(number), name=name)
    for number, name in enumerate(("Highest", "High", "Medium", "Low", "Lowest"), start=1)
)
ISSUE_TYPES = (Named(id="10001", name="Task"), Named(id="10002", name="Bug"), Named(id="10003", name="Story"))


class Person(BaseModel):
    account_id: str
    name: str
    email: str
    bot: bool = False


class Comment(BaseModel):
    id: str
    author: str
    body: dict[str, Any]
    """An Atlassian document; text in API v2."""
    created: datetime
    updated: datetime
    properties: dict[str, Any] = Field(default_factory=dict)


class ChangeItem(BaseModel):
    field: str
    before: str | None = None
    before_text: str | None = None
    after: str | None = None
    after_text: str | None = None


class History(BaseModel):
    id: str
    author: str
    created: datetime
    items: list[ChangeItem]


class RemoteLink(BaseModel):
    id: int
    global_id: str | None = None
    relationship: str | None = None
    object: dict[str, Any]


class Issue(BaseModel):
    id: str
    key: str
    summary: str
    description: dict[str, Any] | None = None
    issuetype: str = ISSUE_TYPES[0].id
    priority: str = PRIORITIES[2].id
    status: str = STATUSES[0].id
    labels: list[str] = Field(default_factory=list)
    label_authors: dict[str, str] = Field(default_factory=dict)
    reporter: str
    assignee: str | None = None
    created: datetime
    updated: datetime
    comments: list[Comment] = Field(default_factory=list)
    histories: list[History] = Field(default_factory=list)
    properties: dict[str, Any] = Field(default_factory=dict)
    remote_links: list[RemoteLink] = Field(default_factory=list)


class State(BaseModel):
    """What a snapshot holds."""

    last_id: int = 10000
    last_number: int = 0
    people: list[Person] = Field(default_factory=list)
    issues: list[Issue] = Field(default_factory=list)


N = TypeVar("N", bound=Named)


def status_named(name: str) -> Status | None:
    return next((status for status in STATUSES if status.name.casefold() == name.casefold()), None)


def status_of(issue: Issue) -> Status:
    return next(status for status in STATUSES if status.id == issue.status)


def pick(choices: tuple[N, ...], wanted: object) -> N | None:
    """The entry that a reference (`{"id"}` or `{"name"}`) points at."""
    if not isinstance(wanted, dict):
        return None
    return next((c for c in choices if _same(c, wanted)), None)


def _same(choice: Named, wanted: dict[str, object]) -> bool:
    if "id" in wanted:
        return choice.id == str(wanted["id"])
    return choice.name.casefold() == str(wanted.get("name", "")).casefold()
