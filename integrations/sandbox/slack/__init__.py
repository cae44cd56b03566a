"""The Slack stand-in: Web API, signed deliveries, Socket Mode, and a workspace to click in."""

import time
from typing import Any

from pydantic import ValidationError

from integrations.sandbox.changes import Changes
from integrations.sandbox.options import SandboxOptions
from integrations.sandbox.slack.app_manifest import Installed
from integrations.sandbox.slack.callbacks import ResponseUrls, Triggers
from integrations.sandbox.slack.courier import Courier
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.faults import Faults
from integrations.sandbox.slack.files import Files
from integrations.sandbox.slack.interactions import Interactions
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
    courier = Courier(options, desk.sockets, changes)
    interactions = Interactions(desk, courier)
    if options.echo_own_messages:
        desk.workspace.on_message = interactions.echo
    limiter, faults = RateLimiter(time.monotonic, enabled=options.rate_limits), Faults()
    snapshot = _restored(desk, options)
    desk.workspace.on_change = snapshot.touch

    async def stop() -> None:
        await courier.stop()
        snapshot.write()

    page = Page(desk, interactions, courier, limiter, faults)
    web = WebApi(desk, limiter, faults)
    web.router.include_router(desk.openid.router)
    return StandIn(name="slack", api=web.router, page=page.router, start=courier.start, stop=stop)


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
    )


def _restored(desk: Desk, options: SandboxOptions) -> Snapshot:
    def collect() -> dict[str, Any]:
        return {"workspace": desk.workspace.state.model_dump(mode="json"), "files": desk.files.dump()}

    snapshot = Snapshot(options.data_dir / "slack.json" if options.data_dir else None, collect)
    if (saved := snapshot.load()) is not None:
        try:
            desk.workspace.state = State.model_validate(saved["workspace"])
            desk.files.load(saved["files"])
        except (ValidationError, KeyError) as exc:
            snapshot.set_aside(f"it does not fit this version: {type(exc).__name__}")
    return snapshot
