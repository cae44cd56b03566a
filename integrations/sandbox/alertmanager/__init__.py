"""A local stand-in for Alertmanager: API v2, silences that silence, and webhook notifications, version 4."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from integrations.sandbox.alertmanager.api import MOUNT, api_routes
from integrations.sandbox.alertmanager.engine import Engine, State
from integrations.sandbox.alertmanager.notify import Timing
from integrations.sandbox.alertmanager.page import page_routes
from integrations.sandbox.alertmanager.player import Player
from integrations.sandbox.alertmanager.scenarios import SCENARIOS
from integrations.sandbox.alertmanager.sender import Sender
from integrations.sandbox.changes import Changes
from integrations.sandbox.faults import Faults
from integrations.sandbox.options import SandboxOptions
from integrations.sandbox.snapshot import Snapshot
from integrations.sandbox.standin import StandIn

__all__ = ["Timing", "stand_in"]


class Saved(BaseModel):
    engine: State = Field(default_factory=State)
    firing: dict[str, datetime] = Field(default_factory=dict)


def stand_in(options: SandboxOptions, changes: Changes, timing: Timing | None = None) -> StandIn:
    def told() -> None:
        changes.publish("alerts.changed")
        snapshot.touch()

    external_url = options.public_url.rstrip("/") + MOUNT
    engine = Engine(timing or Timing(), Sender(options), external_url, told)
    player, faults = Player(engine.post), Faults(MOUNT)
    path = options.data_dir / "alertmanager.json" if options.data_dir else None
    snapshot = Snapshot(path, lambda: collected(engine, player))

    async def start() -> None:
        await engine.start()
        restore(snapshot, engine, player)

    async def stop() -> None:
        snapshot.write()
        await player.stop()
        await engine.stop()

    api = api_routes(engine, faults)
    return StandIn("alertmanager", api, page_routes(engine, player, faults), start, stop)


def collected(engine: Engine, player: Player) -> dict[str, Any]:
    return Saved(engine=engine.state(), firing=player.firing).model_dump(mode="json")


def restore(snapshot: Snapshot, engine: Engine, player: Player) -> None:
    """Scenarios that were firing go on, with the start that they had."""
    held = snapshot.load()
    if held is None:
        return
    try:
        saved = Saved.model_validate(held)
    except ValidationError as exc:
        snapshot.set_aside(str(exc))
        return
    engine.restore(saved.engine)
    for name, since in saved.firing.items():
        if name in SCENARIOS:
            player.fire(SCENARIOS[name], since)
