"""REST: one issue, its comments, transitions, entity properties and remote links."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Depends, Query, Response
from fastapi.responses import JSONResponse

from integrations.sandbox.jira.access import Access, Caller
from integrations.sandbox.jira.board import Board
from integrations.sandbox.jira.edits import object_at
from integrations.sandbox.jira.errors import JiraRefusal, bad, missing
from integrations.sandbox.jira.models import STATUSES, Comment, Issue, RemoteLink

Json = dict[str, Any]
Payload = Annotated[Json, Body()]
Names = Annotated[list[str] | None, Query()]

MAX_PROPERTY_NAME = 255
MAX_PROPERTY = 32768


def names(values: list[str] | None) -> list[str]:
    """Jira takes `a,b` as well as repeated parameters."""
    return [name for value in values or [] for name in value.split(",") if name]


def with_properties(bean: Json, issue: Issue, wanted: list[str]) -> Json:
    if not wanted:
        return bean
    every = "*all" in wanted
    return bean | {"properties": {k: v for k, v in issue.properties.items() if every or k in wanted}}


def issue_routes(router: APIRouter, board: Board, access: Access) -> None:
    Who = Annotated[Caller, Depends(access.caller)]  # noqa: N806 - a type

    @router.post("/issue", status_code=201)
    async def create(body: Payload, who: Who) -> Json:
        values = who.fields.for_new(object_at(body, "fields"))
        issue = board.create(who.person, values)
        if update := object_at(body, "update"):
            board.edit(issue, who.person, who.fields.after_operations(issue, update))
        bean = who.views.issue(issue)
        return {name: bean[name] for name in ("id", "key", "self")}

    @router.get("/issue/{key}")
    async def read(
        key: str, who: Who, fields: Names = None, expand: Names = None, properties: Names = None
    ) -> Json:
        issue = board.issue(key)
        bean = who.views.issue(issue, names(fields) or ["*all"], changelog="changelog" in names(expand))
        return with_properties(bean, issue, names(properties))

    @router.put("/issue/{key}")
    async def edit(key: str, body: Payload, who: Who, *, returnIssue: bool = False) -> Response:  # noqa: N803 - Jira's name
        issue = board.issue(key)
        apply_edit(board, who, issue, body)
        return JSONResponse(who.views.issue(issue)) if returnIssue else Response(status_code=204)

    @router.delete("/issue/{key}", status_code=204)
    async def delete(key: str, who: Who) -> None:
        board.delete(board.issue(key), who.person)

    @router.get("/issue/{key}/changelog")
    async def changelog(key: str, who: Who) -> Json:
        histories = [who.views.history(history) for history in board.issue(key).histories]
        return {
            "startAt": 0, "maxResults": 100, "total": len(histories), "isLast": True, "values": histories
        }  # fmt: skip


def apply_edit(board: Board, who: Caller, issue: Issue, body: Json) -> None:
    """Everything is checked before anything is written, as one refused field refuses the whole edit."""
    fields, update = object_at(body, "fields"), dict(object_at(body, "update"))
    if twice := sorted(set(fields) & set(update)):
        raise bad(twice[0], f"Field '{twice[0]}' cannot appear in both 'fields' and 'update'")
    comments = [who.fields.comment(added_body(step)) for step in update.pop("comment", [])]
    values = who.fields.read(fields) | who.fields.after_operations(issue, update)
    board.edit(issue, who.person, values)
    for comment in comments:
        board.comment(issue, who.person, comment)


def added_body(step: Any) -> Any:
    added = step.get("add") if isinstance(step, dict) else None
    if not isinstance(added, dict):
        raise bad("comment", "The sandbox's Jira understands the operation 'add' on comments only.")
    return added.get("body")


def given_properties(entries: Any) -> Json:
    """Jira gives and takes a comment's properties as a list of keys with values."""
    for entry in entries or []:
        if not (isinstance(entry, dict) and isinstance(entry.get("key"), str) and "value" in entry):
            raise bad("properties", "A property needs a key and a value.")
        _check_property(entry["key"], entry["value"])
    return {entry["key"]: entry["value"] for entry in entries or []}


def entity_properties(comment: Comment) -> list[Json]:
    return [{"key": key, "value": value} for key, value in comment.properties.items()]


def comment_routes(router: APIRouter, board: Board, access: Access) -> None:
    Who = Annotated[Caller, Depends(access.caller)]  # noqa: N806 - a type

    @router.get("/issue/{key}/comment")
    async def comments(key: str, who: Who, expand: Names = None) -> Json:
        issue = board.issue(key)
        bean = who.views.comments(issue)
        if "properties" in names(expand):
            bean["comments"] = [
                one | {"properties": entity_properties(held)}
                for one, held in zip(bean["comments"], issue.comments, strict=True)
            ]
        return bean

    @router.post("/issue/{key}/comment", status_code=201)
    async def comment(key: str, body: Payload, who: Who) -> Json:
        issue = board.issue(key)
        text, properties = who.fields.comment(body.get("body")), given_properties(body.get("properties"))
        added = board.comment(issue, who.person, text, properties)
        return who.views.comment(issue, added)

    @router.get("/issue/{key}/comment/{comment_id}")
    async def one_comment(key: str, comment_id: str, who: Who) -> Json:
        issue = board.issue(key)
        for held in issue.comments:
            if held.id == comment_id:
                return who.views.comment(issue, held)
        raise missing(f"Can not find a comment for the id: {comment_id}.")


def transition_routes(router: APIRouter, board: Board, access: Access) -> None:
    Who = Annotated[Caller, Depends(access.caller)]  # noqa: N806 - a type

    @router.get("/issue/{key}/transitions")
    async def transitions(key: str, who: Who) -> Json:
        board.issue(key)
        return {"expand": "transitions", "transitions": who.views.transitions()}

    @router.post("/issue/{key}/transitions", status_code=204)
    async def transition(key: str, body: Payload, who: Who) -> None:
        issue = board.issue(key)
        wanted = str(object_at(body, "transition").get("id", ""))
        for status in STATUSES:
            if status.transition_id == wanted:
                return board.edit(issue, who.person, {"status": status.id})
        raise JiraRefusal(400, f"Transition id '{wanted}' is not valid for this issue.")


def property_routes(router: APIRouter, board: Board, access: Access) -> None:
    Who = Annotated[Caller, Depends(access.caller)]  # noqa: N806 - a type

    @router.get("/issue/{key}/properties")
    async def properties(key: str, who: Who) -> Json:
        issue = board.issue(key)
        here = f"{who.views.issue(issue)['self']}/properties"
        return {"keys": [{"self": f"{here}/{name}", "key": name} for name in sorted(issue.properties)]}

    @router.get("/issue/{key}/properties/{name}")
    async def read_property(key: str, name: str, _who: Who) -> Json:
        return {"key": name, "value": _property(board.issue(key), name)}

    @router.put("/issue/{key}/properties/{name}")
    async def set_property(key: str, name: str, body: Annotated[Any, Body()], _who: Who) -> Response:
        issue = board.issue(key)
        _check_property(name, body)
        created = name not in issue.properties
        board.set_property(issue, name, body)
        return Response(status_code=201 if created else 200)

    @router.delete("/issue/{key}/properties/{name}", status_code=204)
    async def delete_property(key: str, name: str, _who: Who) -> None:
        issue = board.issue(key)
        _property(issue, name)
        board.drop_property(issue, name)


def _property(issue: Issue, name: str) -> Any:
    if name not in issue.properties:
        raise missing(f"The property with key '{name}' does not exist.")
    return issue.properties[name]


def _check_property(name: str, value: Any) -> None:
    if len(name) > MAX_PROPERTY_NAME:
        raise JiraRefusal(400, f"The property key must be at most {MAX_PROPERTY_NAME} characters.")
    if len(JSONResponse(value).body) > MAX_PROPERTY:
        raise JiraRefusal(400, f"The property value must be at most {MAX_PROPERTY} characters.")


def remote_link_routes(router: APIRouter, board: Board, access: Access) -> None:
    Who = Annotated[Caller, Depends(access.caller)]  # noqa: N806 - a type

    @router.get("/issue/{key}/remotelink")
    async def remote_links(key: str, who: Who, globalId: str | None = None) -> Any:  # noqa: N803 - Jira's name
        issue = board.issue(key)
        links = [who.views.remote_link(issue, link) for link in issue.remote_links]
        if globalId is None:
            return links
        for link in links:
            if link.get("globalId") == globalId:
                return link
        raise missing("The remote issue link does not exist.")

    @router.post("/issue/{key}/remotelink")
    async def add_remote_link(key: str, body: Payload, who: Who) -> Response:
        issue = board.issue(key)
        link, created = board.link(issue, _remote_link(body))
        bean = who.views.remote_link(issue, link)
        return JSONResponse({"id": link.id, "self": bean["self"]}, status_code=201 if created else 200)

    @router.get("/issue/{key}/remotelink/{link_id}")
    async def one_remote_link(key: str, link_id: int, who: Who) -> Json:
        issue = board.issue(key)
        for link in issue.remote_links:
            if link.id == link_id:
                return who.views.remote_link(issue, link)
        raise missing("The remote issue link does not exist.")


def _remote_link(body: Json) -> RemoteLink:
    target = object_at(body, "object")
    for name in ("title", "url"):
        if not isinstance(target.get(name), str) or not target[name]:
            raise bad(name, f"'{name}' is required.")
    return RemoteLink(
        id=0, global_id=cast("str | None", body.get("globalId")),
        relationship=cast("str | None", body.get("relationship")), object=target,
    )  # fmt: skip
