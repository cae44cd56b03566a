"""A local stand-in for Jira Cloud: REST versions 3 and 2, signed webhooks, and a small board.

It works with the official `jira` library:
`JIRA(server="http://127.0.0.1:8001/jira", basic_auth=(email, token))`.
"""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from integrations.sandbox.changes import Changes
from integrations.sandbox.faults import Faults, route_class
from integrations.sandbox.jira.access import MOUNT, Access
from integrations.sandbox.jira.board import Added, Board
from integrations.sandbox.jira.models import Issue, Person, State
from integrations.sandbox.jira.page import page_routes
from integrations.sandbox.jira.people import People
from integrations.sandbox.jira.rest_issues import (
    comment_routes,
    issue_routes,
    property_routes,
    remote_link_routes,
    transition_routes,
)
from integrations.sandbox.jira.rest_search import search_routes
from integrations.sandbox.jira.rest_site import people_routes, project_routes, site_routes, unknown_route
from integrations.sandbox.jira.views import Views
from integrations.sandbox.jira.webhooks import Webhooks, payload
from integrations.sandbox.options import SandboxOptions
from integrations.sandbox.snapshot import Snapshot
from integrations.sandbox.standin import StandIn

AVATAR = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<circle cx="8" cy="8" r="8" fill="#8993a4"/></svg>'
)


def stand_in(options: SandboxOptions, changes: Changes) -> StandIn:
    people, faults, webhooks = People(options.jira_email), Faults(MOUNT), Webhooks(options, changes)
    views = Views(people, options.public_url.rstrip("/") + MOUNT, "2")

    def changed(event: str, issue: Issue, actor: Person, added: Added) -> None:
        webhooks.send(issue.key, payload(views, event, issue, actor, added))
        changes.publish("jira.issue", {"key": issue.key, "event": event})
        snapshot.touch()

    def stored() -> None:
        snapshot.touch()

    board = Board(people, changed, stored)
    path = options.data_dir / "jira.json" if options.data_dir else None
    snapshot = Snapshot(path, lambda: board.state().model_dump(mode="json"))

    async def start() -> None:
        restore(board, snapshot)
        await webhooks.start()

    async def stop() -> None:
        await webhooks.stop()
        snapshot.write()

    api = rest_api(board, Access(options, people, faults))
    return StandIn("jira", api, page_routes(board, webhooks.deliveries, faults), start, stop)


def restore(board: Board, snapshot: Snapshot) -> None:
    saved = snapshot.load()
    if saved is None:
        return
    try:
        board.restore(State.model_validate(saved))
    except ValidationError as exc:
        snapshot.set_aside(str(exc))


def rest_api(board: Board, access: Access) -> APIRouter:
    rest = APIRouter(prefix="/rest/api/{version}", route_class=route_class(access.around))
    project_routes(rest, access)
    site_routes(rest, board, access)
    people_routes(rest, board, access)
    issue_routes(rest, board, access)
    comment_routes(rest, board, access)
    transition_routes(rest, board, access)
    property_routes(rest, board, access)
    remote_link_routes(rest, board, access)
    search_routes(rest, board, access)
    unknown_route(rest)
    api = APIRouter()
    site_pages(api)
    api.include_router(rest)
    return api


def site_pages(api: APIRouter) -> None:
    @api.get("/browse/{key}", include_in_schema=False)
    async def browse(key: str) -> RedirectResponse:
        return RedirectResponse(f"/#jira/{key}")

    @api.get("/avatar/{size}.svg", include_in_schema=False)
    async def avatar(size: str) -> Response:  # noqa: ARG001 - one picture fits all sizes
        return Response(AVATAR, media_type="image/svg+xml")
