"""REST: the site itself, its project, fields, people and fixed lists."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from integrations.sandbox.jira.access import Access, Caller
from integrations.sandbox.jira.board import Board
from integrations.sandbox.jira.errors import JiraRefusal, missing
from integrations.sandbox.jira.models import ISSUE_TYPES, PROJECT
from integrations.sandbox.jira.rest_issues import Json
from integrations.sandbox.jira.views import Views

FIELDS = {
    "summary": ("Summary", "string", ["set"], True),
    "description": ("Description", "string", ["set"], False),
    "labels": ("Labels", "array", ["add", "set", "remove"], False),
    "priority": ("Priority", "priority", ["set"], False),
    "assignee": ("Assignee", "user", ["set"], False),
    "reporter": ("Reporter", "user", ["set"], False),
    "issuetype": ("Issue Type", "issuetype", ["set"], True),
    "project": ("Project", "project", ["set"], True),
    "status": ("Status", "status", [], False),
    "created": ("Created", "datetime", [], False),
    "updated": ("Updated", "datetime", [], False),
    "comment": ("Comment", "comments-page", ["add"], False),
}
PERMISSIONS = {"BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "ADD_COMMENTS", "TRANSITION_ISSUES"}


def site_routes(router: APIRouter, board: Board, access: Access) -> None:
    Who = Annotated[Caller, Depends(access.caller)]  # noqa: N806 - a type

    @router.get("/serverInfo")
    async def server_info(who: Who) -> Json:
        return who.views.site()

    @router.get("/myself")
    async def myself(who: Who) -> Json:
        return who.views.person(who.person) | {"locale": "en_US"}

    @router.get("/mypermissions")
    async def my_permissions(_who: Who, permissions: str | None = None) -> Json:
        if not permissions:
            raise JiraRefusal(400, "The 'permissions' query parameter is required.")
        return {"permissions": {key: _permission(key) for key in permissions.split(",")}}

    @router.get("/field")
    async def fields(_who: Who) -> list[Json]:
        return [_field(name) for name in FIELDS]

    @router.get("/priority")
    async def priorities(who: Who) -> list[Json]:
        return who.views.priorities()

    @router.get("/issuetype")
    async def issue_types(who: Who) -> list[Json]:
        return who.views.issue_types()

    @router.get("/status")
    async def statuses(who: Who) -> list[Json]:
        return who.views.statuses()

    @router.get("/label")
    async def labels(_who: Who) -> Json:
        return _page(board.labels())


def project_routes(router: APIRouter, access: Access) -> None:
    Who = Annotated[Caller, Depends(access.caller)]  # noqa: N806 - a type

    @router.get("/project")
    async def projects(who: Who) -> list[Json]:
        return [who.views.project()]

    @router.get("/project/search")
    async def search_projects(who: Who) -> Json:
        return _page([who.views.project()])

    @router.get("/project/{key}")
    async def project(key: str, who: Who) -> Json:
        _check_project(key)
        return who.views.project(full=True)

    @router.get("/project/{key}/statuses")
    async def project_statuses(key: str, who: Who) -> list[Json]:
        _check_project(key)
        return [kind | {"statuses": who.views.statuses()} for kind in who.views.issue_types()]

    @router.get("/issue/createmeta")
    async def create_meta(who: Who) -> Json:
        kinds = [kind | {"fields": _meta()} for kind in who.views.issue_types()]
        return {"expand": "projects", "projects": [who.views.project() | {"issuetypes": kinds}]}

    @router.get("/issue/createmeta/{key}/issuetypes")
    async def create_meta_types(key: str, who: Who) -> Json:
        _check_project(key)
        kinds = who.views.issue_types()
        return {"issueTypes": kinds, "startAt": 0, "maxResults": 50, "total": len(kinds)}

    @router.get("/issue/createmeta/{key}/issuetypes/{kind}")
    async def create_meta_fields(key: str, kind: str, _who: Who) -> Json:
        _check_project(key)
        if kind not in {entry.id for entry in ISSUE_TYPES}:
            raise missing("The issue type does not exist.")
        fields = list(_meta().values())
        return {"fields": fields, "startAt": 0, "maxResults": 50, "total": len(fields)}


def people_routes(router: APIRouter, board: Board, access: Access) -> None:
    Who = Annotated[Caller, Depends(access.caller)]  # noqa: N806 - a type

    @router.get("/user")
    async def user(who: Who, accountId: str) -> Json:  # noqa: N803 - Jira's name
        person = board.people.get(accountId)
        if person is None:
            raise missing("Specified user does not exist or you do not have required permissions")
        return who.views.person(person)

    @router.get("/user/search")
    @router.get("/user/assignable/search")
    async def search_users(who: Who, query: str = "") -> list[Json]:
        return _people(who.views, board, query)


def unknown_route(router: APIRouter) -> None:
    """Comes last: what the stand-in does not speak is a 404 that says so."""

    @router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def unknown(rest: str) -> Any:
        raise missing(f"The sandbox's Jira does not speak '{rest}'.")


def _people(views: Views, board: Board, query: str) -> list[Json]:
    return [views.person(person) for person in board.people.search(query)]


def _check_project(key: str) -> None:
    if key.upper() != PROJECT.key and key != PROJECT.id:
        raise missing(f"No project could be found with key '{key}'.")


def _field(name: str) -> Json:
    title, kind, operations, _ = FIELDS[name]
    schema = {"type": kind, "system": name} | ({"items": "string"} if kind == "array" else {})
    return {
        "id": name, "key": name, "name": title, "custom": False, "orderable": bool(operations),
        "navigable": True, "searchable": True, "clauseNames": [name], "schema": schema,
    }  # fmt: skip


def _meta() -> dict[str, Json]:
    return {
        name: {
            "required": required, "schema": _field(name)["schema"], "name": title, "key": name,
            "fieldId": name, "hasDefaultValue": False, "operations": operations,
        }
        for name, (title, _, operations, required) in FIELDS.items()
        if operations and name != "comment"
    }  # fmt: skip


def _permission(key: str) -> Json:
    return {"key": key, "name": key.replace("_", " ").title(), "havePermission": key in PERMISSIONS}


def _page(values: list[Any]) -> Json:
    return {"maxResults": 1000, "startAt": 0, "total": len(values), "isLast": True, "values": values}
