"""What `signalbox doctor` says: each setting with its origin, and whether what it points at answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from pydantic import BaseModel

from bot import queue
from bot.core.database import Database
from bot.core.errors import SignalboxError
from bot.core.kernel import Kernel, build_kernel
from bot.core.masking import is_secret, without_passwords
from bot.core.ports import Health
from bot.core.settings import Settings
from bot.core.settings_loader import LoadedSettings

_PORTS = {
    "chat": "Slack: set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET",
    "tickets": "Jira: set JIRA_URL, JIRA_EMAIL and JIRA_API_TOKEN; others: docs/helpdesks.md",
    "alerts": "Alertmanager: set ALERTMANAGER_URL",
}
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SettingRow:
    name: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    health: Health


def setting_rows(loaded: LoadedSettings) -> list[SettingRow]:
    """Every setting; secrets only as "set" or "not set"."""
    return [
        SettingRow(name, shown, _origin(name, loaded.origins))
        for name, shown in _shown(loaded.settings.model_dump())
    ]


def _origin(name: str, origins: Mapping[str, str]) -> str:
    """Its own, or that of the list which it stands in."""
    while name and name not in origins:
        name = name.rpartition(".")[0]
    return origins.get(name, "default")


def _shown(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        dotted = f"{above}{name}"
        if isinstance(value, BaseModel):
            yield from _shown(value.model_dump(), f"{dotted}.")
        elif isinstance(value, Mapping) and value:
            yield from _shown(value, f"{dotted}.")
        elif isinstance(value, tuple | list) and any(isinstance(one, Mapping) for one in value):
            yield from _shown({str(number): one for number, one in enumerate(value)}, f"{dotted}.")
        else:
            yield dotted, masked(name, value)


def masked(name: str, value: object) -> str:
    """A value as it may be seen by anybody."""
    if is_secret(name, value):
        return "set" if value else "not set"
    if value is None or value in ("", {}, ()):
        return "not set"
    several = value if isinstance(value, tuple | list) else (value,)
    return ", ".join(without_passwords(str(one)) for one in several)


def checks(settings: Settings) -> Iterator[Check]:
    """Ask everything that is configured how it is, one after the other."""
    yield Check("database", _database(settings))
    yield Check("redis", _redis(settings))
    yield Check("web", _web(settings))
    try:
        kernel = build_kernel(settings)
    except SignalboxError as exc:
        yield Check("plugins and adapters", Health(status="down", detail=str(exc)))
        return
    yield from _ports(kernel)
    yield from _plugins(kernel)
    kernel.close()


def _database(settings: Settings) -> Health:
    db = Database(settings.resolved_database_url())
    try:
        newest = db.is_newest()
    except SignalboxError as exc:
        return Health(status="down", detail=str(exc))
    finally:
        db.close()
    detail = "Its schema is not this version's; `signalbox web` or `signalbox up` brings it up to date."
    return Health() if newest else Health(status="degraded", detail=detail)


def _redis(settings: Settings) -> Health:
    if not settings.redis_url:
        return Health(status="degraded", detail="Not set: `signalbox up` brings its own, else set REDIS_URL.")
    problem = queue.ping(settings.redis_url)
    return Health(status="down", detail=problem) if problem else Health()


def _web(settings: Settings) -> Health:
    url = f"http://{settings.web.host}:{settings.web.port}/api/health"
    try:
        body = httpx2.get(url, timeout=_SECONDS).json()
        wrong = [f"{name}: {words}" for name, words in body["checks"].items() if words != "ok"]
        return Health(status=body["status"], detail="; ".join(wrong))
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as exc:
        detail = f"{url} does not answer as Signalbox does ({type(exc).__name__}); start `signalbox web`."
        return Health(status="down", detail=detail)


def _ports(kernel: Kernel) -> Iterator[Check]:
    provided = kernel.provided_ports()
    for name, hint in _PORTS.items():
        if name in provided:
            yield Check(name, _port(kernel, name))
        else:
            yield Check(name, Health(status="degraded", detail=f"Not configured. {hint}."))


def _port(kernel: Kernel, name: str) -> Health:
    try:
        found: Health = getattr(kernel, name).health()
    except SignalboxError as exc:
        return Health(status="down", detail=str(exc))
    return found


def _plugins(kernel: Kernel) -> Iterator[Check]:
    for found in kernel.registry.report:
        health = Health(status="down", detail=found.detail) if found.status == "refused" else Health()
        yield Check(f"plugin {found.name}", health)
