"""REST: search. The old `/search` answers 410, as Jira Cloud does since it was removed there."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query
from pydantic import BaseModel, BeforeValidator, Field

from integrations.sandbox.jira import jql
from integrations.sandbox.jira.access import Access, Caller
from integrations.sandbox.jira.board import Board
from integrations.sandbox.jira.errors import JiraRefusal
from integrations.sandbox.jira.models import Issue, now
from integrations.sandbox.jira.rest_issues import Json, names, with_properties

MAX_PAGE = 100
GONE = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)
UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."


def as_list(value: object) -> object:
    """A client may give one name where Jira documents a list."""
    return [value] if isinstance(value, str) else value


class Search(BaseModel):
    jql: str | None = None
    fields: list[str] | None = None
    expand: str | None = None
    properties: Annotated[list[str] | None, BeforeValidator(as_list)] = None
    max_results: int | None = Field(default=None, alias="maxResults")
    next_page_token: str | None = Field(default=None, alias="nextPageToken")


def search_routes(router: APIRouter, board: Board, access: Access) -> None:
    Who = Annotated[Caller, Depends(access.caller)]  # noqa: N806 - a type

    @router.get("/search/jql")
    async def search(who: Who, asked: Annotated[Search, Query()]) -> Json:
        return page_of(board, who, asked)

    @router.post("/search/jql")
    async def search_by_post(who: Who, asked: Annotated[Search, Body()]) -> Json:
        return page_of(board, who, asked)

    @router.post("/search/approximate-count")
    async def count(_who: Who, asked: Annotated[Search, Body()]) -> Json:
        return {"count": len(found(board, asked.jql))}

    @router.api_route("/search", methods=["GET", "POST"])
    async def gone(_who: Who) -> Any:
        raise JiraRefusal(410, GONE)


def found(board: Board, query: str | None) -> list[Issue]:
    parsed = jql.parse(query or "", now())
    if not parsed.bounded:
        raise JiraRefusal(400, UNBOUNDED)
    return parsed.run(list(board.issues))


def page_of(board: Board, who: Caller, asked: Search) -> Json:
    """Without `fields` Jira gives ids only."""
    matches = found(board, asked.jql)
    start = _offset(asked.next_page_token)
    end = start + max(1, min(asked.max_results or 50, MAX_PAGE))
    page: Json = {
        "issues": [_bean(who, issue, asked) for issue in matches[start:end]],
        "isLast": end >= len(matches),
    }
    return page if page["isLast"] else page | {"nextPageToken": _token(end)}


def _bean(who: Caller, issue: Issue, asked: Search) -> Json:
    fields = names(asked.fields)
    if not fields or fields == ["id"]:
        return {"id": issue.id}
    bean = who.views.issue(issue, fields, changelog="changelog" in (asked.expand or "").split(","))
    return with_properties(bean, issue, names(asked.properties))


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset={offset}".encode()).decode()


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return max(0, int(base64.urlsafe_b64decode(token).removeprefix(b"offset=")))
    except ValueError as exc:
        raise JiraRefusal(400, "The nextPageToken is invalid or has expired.") from exc
