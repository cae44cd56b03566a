"""The Slack stand-in: Web API, signed deliveries, Socket Mode, and a workspace to click in."""

import time
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError

from integrations.sandbox.changes import Changes
from integrations.sandbox.options import SandboxOptions
from integrations.sandbox.slack import seed
from integrations.sandbox.slack.app_manifest import Installed
from integrations.sandbox.slack.callbacks import ResponseUrls, Triggers
from integrations.sandbox.slack.courier import Courier
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.faults import Faults
from integrations.sandbox.slack.files import Files
from integrations.sandbox.slack.interactions import Interactions
from integrations.sandbox.slack.oauth import OAuth
from integrations.sandbox.slack.openid import OpenId
from integrations.sandbox.slack.page import Page
from integrations.sandbox.slack.rates import RateLimiter
from integrations.sandbox.slack.sockets import Sockets
from integrations.sandbox.slack.web import WebApi
from integrations.sandbox.slack.workspace import State, Workspace
from integrations.sandbox.snapshot import Snapshot
from integrations.sandbox.standin import StandIn


def stand_in(options: SandboxOptions, changes: Changes) -> StandIn:
    """The composition root."""
    desk = _desk(options, changes)
    branch = _branch(desk)
    courier = Courier(options, desk.sockets, changes)
    limiter, faults = RateLimiter(time.monotonic, enabled=options.rate_limits), Faults()
    snapshot = _restored(desk, branch, options)
    pages = APIRouter()
    for one, prefix in ((desk, "/slack"), (branch, f"/slack/teams/{seed.BRANCH.id}")):
        interactions = Interactions(one, courier)
        if options.echo_own_messages:
            one.workspace.on_message = interactions.echo
        one.workspace.on_change = snapshot.touch
        pages.include_router(Page(one, interactions, courier, limiter, faults, prefix).router)

    async def stop() -> None:
        await courier.stop()
        snapshot.write()

    web = WebApi([desk, branch], limiter, faults)
    web.router.include_router(desk.openid.router)
    web.router.include_router(desk.oauth.router)
    return StandIn(name="slack", api=web.router, page=pages, start=courier.start, stop=stop)


def _desk(options: SandboxOptions, changes: Changes) -> Desk:
    folder = options.data_dir / "slack-files" if options.data_dir else None
    workspace = Workspace(changes)
    return Desk(
        options=options,
        workspace=workspace,
        triggers=Triggers(time.monotonic),
        response_urls=ResponseUrls(time.monotonic, options.public_url),
        files=Files(folder),
        sockets=Sockets(options.public_url, options.ack_deadline_s),
        app=Installed(options.slack_manifest),
        openid=OpenId(workspace),
        oauth=OAuth(),
    )


def _branch(desk: Desk) -> Desk:
    """The second workspace, with the same app; the page does not show it."""
    return replace(
        desk,
        workspace=Workspace(Changes(), team=seed.BRANCH),
        triggers=Triggers(time.monotonic),
        response_urls=ResponseUrls(time.monotonic, desk.options.public_url),
    )


def _restored(desk: Desk, branch: Desk, options: SandboxOptions) -> Snapshot:
    def collect() -> dict[str, Any]:
        return {
            "workspace": desk.workspace.state.model_dump(mode="json"),
            "files": desk.files.dump(),
            "branch": branch.workspace.state.model_dump(mode="json"),
            "installed": desk.oauth.tokens,
        }

    snapshot = Snapshot(options.data_dir / "slack.json" if options.data_dir else None, collect)
    if (saved := snapshot.load()) is not None:
        try:
            desk.workspace.state = State.model_validate(saved["workspace"])
            desk.files.load(saved["files"])
            if "branch" in saved:  # not in what an older version has kept
                branch.workspace.state = State.model_validate(saved["branch"])
                desk.oauth.tokens = dict(saved["installed"])
        except (ValidationError, KeyError) as exc:
            snapshot.set_aside(f"it does not fit this version: {type(exc).__name__}")
    return snapshot
