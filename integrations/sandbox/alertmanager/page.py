"""Alerts as the sandbox page shows them: groups, silences, and stories to fire."""

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from integrations.sandbox.alertmanager import clock
from integrations.sandbox.alertmanager.engine import Engine, Filters
from integrations.sandbox.alertmanager.player import Player
from integrations.sandbox.alertmanager.scenarios import SCENARIOS, Scenario
from integrations.sandbox.alertmanager.silences import UnknownSilence
from integrations.sandbox.faults import Faults, fault_routes

Json = dict[str, Any]


class Choice(BaseModel):
    scenario: str

    def found(self) -> Scenario:
        if self.scenario not in SCENARIOS:
            names = ", ".join(SCENARIOS)
            raise HTTPException(404, f"There is no scenario '{self.scenario}'. The scenarios are: {names}.")
        return SCENARIOS[self.scenario]


def page_routes(engine: Engine, player: Player, faults: Faults) -> APIRouter:
    router = APIRouter(prefix="/alerts", tags=["alerts"])
    _show(router, engine, player)
    _act(router, engine, player)
    fault_routes(router, faults)
    return router


def _show(router: APIRouter, engine: Engine, player: Player) -> None:
    @router.get("/state")
    async def state() -> Json:
        moment = clock.now()
        return {
            "groups": engine.groups(Filters()),
            "silences": [silence.as_json(moment) for silence in engine.silences.listed([], moment)],
            "scenarios": [_scenario(scenario, player) for scenario in SCENARIOS.values()],
            "timing": engine.timing,
        }

    @router.get("/deliveries")
    async def deliveries() -> list[Json]:
        return engine.sender.deliveries.as_json()


def _act(router: APIRouter, engine: Engine, player: Player) -> None:
    @router.post("/fire")
    async def fire(choice: Choice) -> Json:
        scenario = choice.found()
        player.fire(scenario)
        return _scenario(scenario, player)

    @router.post("/resolve")
    async def resolve(choice: Choice) -> Json:
        scenario = choice.found()
        player.resolve(scenario)
        return _scenario(scenario, player)

    @router.delete("/silences/{silence_id}", status_code=204)
    async def expire(silence_id: str) -> None:
        try:
            engine.expire(silence_id)
        except UnknownSilence as exc:
            raise HTTPException(404, f"There is no silence '{silence_id}'.") from exc


def _scenario(scenario: Scenario, player: Player) -> Json:
    return scenario.as_json() | {"firing_since": player.firing.get(scenario.name)}
