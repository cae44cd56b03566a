"""The board as the sandbox page shows and works it. People act here; the bot acts through the REST API."""

from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from integrations.sandbox.deliveries import Deliveries
from integrations.sandbox.faults import Faults, fault_routes
from integrations.sandbox.jira import adf
from integrations.sandbox.jira.board import Board
from integrations.sandbox.jira.edits import Fields
from integrations.sandbox.jira.errors import JiraRefusal
from integrations.sandbox.jira.models import (
    PRIORITIES,
    PROJECT,
    STATUSES,
    Issue,
    Named,
    Person,
    status_named,
    status_of,
)
from integrations.sandbox.jira.samples import SAMPLES

Json = dict[str, Any]
PriorityName = Literal["Highest", "High", "Medium", "Low", "Lowest"]


class NewIssue(BaseModel):
    user: str = Field(default="customer", min_length=1, max_length=100)
    summary: str
    description: str = ""
    priority: PriorityName = "Medium"
    labels: list[str] = Field(default_factory=list)


class LabelChange(BaseModel):
    user: str = Field(min_length=1, max_length=100)
    add: list[str] = Field(default_factory=list)
    remove: list[str] = Field(default_factory=list)


class NewComment(BaseModel):
    user: str = Field(min_length=1, max_length=100)
    text: str


class Move(BaseModel):
    user: str = Field(min_length=1, max_length=100)
    status: str


def page_routes(board: Board, deliveries: Deliveries, faults: Faults) -> APIRouter:
    router = APIRouter(prefix="/jira", tags=["jira"])
    work = Desk(board)
    router.add_api_route("/state", work.state, methods=["GET"])
    router.add_api_route("/samples", samples, methods=["GET"])
    router.add_api_route("/issues", work.create, methods=["POST"], status_code=201)
    router.add_api_route("/issues/{key}/labels", work.label, methods=["POST"])
    router.add_api_route("/issues/{key}/comments", work.comment, methods=["POST"])
    router.add_api_route("/issues/{key}/transition", work.move, methods=["POST"])
    fault_routes(router, faults)

    @router.get("/deliveries")
    async def sent() -> list[Json]:
        return deliveries.as_json()

    return router


async def samples() -> list[Json]:
    return [sample.model_dump() for sample in SAMPLES]


class Desk:
    """What a person at the board can do; refused in the same words as over REST."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._fields = Fields(board.people, "2")

    async def state(self) -> Json:
        newest_first = sorted(self._board.issues, key=lambda issue: int(issue.id), reverse=True)
        return {
            "project": {"key": PROJECT.key, "name": PROJECT.name},
            "columns": [status.name for status in STATUSES],
            "issues": [self._card(issue) for issue in newest_first],
        }

    async def create(self, new: NewIssue) -> Json:
        fields = {
            "project": {"key": PROJECT.key}, "issuetype": {"name": "Task"}, "summary": new.summary,
            "description": new.description, "priority": {"name": new.priority}, "labels": new.labels,
        }  # fmt: skip
        with told_to_the_page():
            values = self._fields.for_new(fields)
        return self._card(self._board.create(self._person(new.user), values))

    async def label(self, key: str, change: LabelChange) -> Json:
        steps = [{"add": label} for label in change.add] + [{"remove": label} for label in change.remove]
        with told_to_the_page():
            issue = self._board.issue(key)
            values = self._fields.after_operations(issue, {"labels": steps})
        self._board.edit(issue, self._person(change.user), values)
        return self._card(issue)

    async def comment(self, key: str, new: NewComment) -> Json:
        with told_to_the_page():
            issue = self._board.issue(key)
            body = self._fields.comment(new.text)
        self._board.comment(issue, self._person(new.user), body)
        return self._card(issue)

    async def move(self, key: str, move: Move) -> Json:
        status = status_named(move.status)
        if status is None:
            wanted = ", ".join(status.name for status in STATUSES)
            raise HTTPException(400, f"There is no column '{move.status}'. The columns are: {wanted}.")
        with told_to_the_page():
            issue = self._board.issue(key)
        self._board.edit(issue, self._person(move.user), {"status": status.id})
        return self._card(issue)

    def _person(self, user: str) -> Person:
        return self._board.people.named(user)

    def _who(self, account_id: str) -> Json:
        person = self._board.people.get(account_id)
        if person is None:
            return {"name": account_id, "kind": "person"}
        return {"name": person.name, "kind": "bot" if person.bot else "person"}

    def _card(self, issue: Issue) -> Json:
        return {
            "id": issue.id,
            "key": issue.key,
            "summary": issue.summary,
            "description": adf.to_text(issue.description),
            "status": status_of(issue).name,
            "priority": _name(PRIORITIES, issue.priority),
            "reporter": self._who(issue.reporter),
            "labels": [{"name": label, "by": self._labelled_by(issue, label)} for label in issue.labels],
            "properties": issue.properties,
            "created": issue.created,
            "updated": issue.updated,
            "comments": [
                {"id": c.id, "author": self._who(c.author), "text": adf.to_text(c.body), "created": c.created}
                for c in issue.comments
            ],
            "changelog": [
                {
                    "id": history.id,
                    "author": self._who(history.author),
                    "created": history.created,
                    "items": [
                        {"field": item.field, "from": item.before_text, "to": item.after_text}
                        for item in history.items
                    ],
                }
                for history in issue.histories
            ],
        }

    def _labelled_by(self, issue: Issue, label: str) -> Json:
        return self._who(issue.label_authors.get(label, issue.reporter))


class told_to_the_page:  # noqa: N801 - reads as a statement
    """Jira's refusal as the page's: the same status, one sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, JiraRefusal):
            sentences = [*error.messages, *error.errors.values()]
            raise HTTPException(error.status, " ".join(sentences)) from error


def _name(entries: tuple[Named, ...], entry_id: str) -> str:
    return next(entry.name for entry in entries if entry.id == entry_id)
