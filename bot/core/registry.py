"""Plugins found through entry points, and the routing tables made from what they declare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from pydantic import ValidationError
from rapidfuzz import process

from bot.core.declare import API_VERSION, Handler, Plugin, Trigger
from bot.core.errors import ConfigError
from bot.core.settings import Settings

GROUP = "signalbox.plugins"


@dataclass(frozen=True, slots=True)
class PluginStatus:
    name: str
    status: Literal["loaded", "disabled", "refused"]
    detail: str = ""
    version: str = ""


class Registry:
    """O(1) routing from what comes in to the handlers that asked for it."""

    def __init__(self) -> None:
        self.plugins: dict[str, Plugin[Any]] = {}
        self.report: list[PluginStatus] = []
        self._handlers: dict[str, Handler] = {}
        self._events: defaultdict[str, list[Handler]] = defaultdict(list)
        self._routes: dict[tuple[Trigger, str], Handler] = {}

    def add(self, plugin: Plugin[Any], version: str = "") -> None:
        """Load a plugin whole, or refuse it whole with a ConfigError."""
        handlers = list(plugin.handlers())
        for handler in handlers:
            self._refuse_collision(handler)
        self.plugins[plugin.name] = plugin
        for handler in handlers:
            self._handlers[handler.name] = handler
            if handler.declaration.trigger == "event":
                self._events[handler.declaration.match].append(handler)
            else:
                self._routes[_route(handler)] = handler
        self.report.append(PluginStatus(plugin.name, "loaded", version=version))

    def _refuse_collision(self, handler: Handler) -> None:
        if handler.plugin in self.plugins:
            raise ConfigError(f"A plugin named {handler.plugin!r} is loaded already; rename one of them.")
        other = self._routes.get(_route(handler))
        if other is not None:
            raise ConfigError(
                f"The {handler.declaration.trigger} {handler.declaration.match!r} belongs to the plugin "
                f"{other.plugin!r} already; disable one of the two or rename it."
            )

    def replace(self, plugin: Plugin[Any]) -> None:
        """Put a plugin with other settings in its own place; what runs goes on with the earlier ones."""
        for handler in plugin.handlers():
            self._handlers[handler.name] = handler
        self.plugins[plugin.name] = plugin

    def handlers_for(self, kind: str) -> list[Handler]:
        return self._events.get(kind, [])

    def command(self, name: str) -> Handler | None:
        return self._routes.get(("command", name))

    def action(self, plugin: str, name: str) -> Handler | None:
        return self._routes.get(("action", f"{plugin}:{name}"))

    def view(self, plugin: str, name: str) -> Handler | None:
        return self._routes.get(("view", f"{plugin}:{name}"))

    def shortcut(self, plugin: str, name: str) -> Handler | None:
        return self._routes.get(("shortcut", f"{plugin}:{name}"))

    def shortcuts(self) -> list[Handler]:
        return [handler for (trigger, _), handler in self._routes.items() if trigger == "shortcut"]

    def commands(self) -> list[Handler]:
        return [handler for (trigger, _), handler in self._routes.items() if trigger == "command"]

    def schedules(self) -> list[Handler]:
        return [h for h in self._handlers.values() if h.declaration.trigger == "schedule"]

    def handler(self, name: str) -> Handler | None:
        return self._handlers.get(name)

    def nearest(self, name: str, limit: int = 3) -> list[str]:
        """Command names that look like `name`, best first."""
        names = [handler.declaration.match for handler in self.commands()]
        return [str(found) for found, *_ in process.extract(name, names, limit=limit, score_cutoff=55)]


def _route(handler: Handler) -> tuple[Trigger, str]:
    declaration = handler.declaration
    match declaration.trigger:
        case "command":
            return ("command", declaration.match)
        case "action" | "view" | "shortcut":
            return (declaration.trigger, f"{handler.plugin}:{declaration.match}")
        case _:
            return (declaration.trigger, handler.name)


def load_plugins(settings: Settings, found: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every installed plugin. One that can't be loaded is reported and stops nobody else."""
    registry = Registry()
    names = set()
    for entry in sorted(entry_points(group=GROUP) if found is None else found, key=lambda e: e.name):
        names.add(entry.name)
        version = entry.dist.version if entry.dist else ""
        if entry.name in settings.disabled_plugins:
            registry.report.append(PluginStatus(entry.name, "disabled", "by the setting disabled_plugins"))
            continue
        try:
            registry.add(_make(entry, settings), version)
        except Exception as exc:  # noqa: BLE001  # a faulty plugin may raise anything; it is reported, not fatal
            registry.report.append(PluginStatus(entry.name, "refused", str(exc), version))
    for section in settings.plugins.keys() - names:
        near = process.extractOne(section, sorted(names), score_cutoff=60)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        registry.report.append(
            PluginStatus(section, "refused", f"[plugins.{section}] names no installed plugin.{hint}")
        )
    return registry


def _make(entry: EntryPoint, settings: Settings) -> Plugin[Any]:
    cls = entry.load()
    if not (isinstance(cls, type) and issubclass(cls, Plugin)):
        raise ConfigError(f"The entry point {entry.value!r} is not a subclass of bot.plugin.Plugin.")
    if cls.name != entry.name:
        raise ConfigError(
            f"The entry point {entry.name!r} loads a plugin that calls itself {cls.name!r}, so that "
            "settings, switches and permissions would mean another one. Give both the same name."
        )
    if cls.api != API_VERSION:
        raise ConfigError(
            f"{cls.name!r} was made for plugin API {cls.api}, this Signalbox has {API_VERSION}; "
            "install a version of the plugin that fits."
        )
    try:
        shared = {name: getattr(settings, name) for name in cls.sections}
        return cls(cls.Config.model_validate({**shared, **settings.plugins.get(cls.name, {})}))
    except ValidationError as exc:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'section'}: {e['msg']}"
            for e in exc.errors(include_input=False)
        )
        raise ConfigError(f"[plugins.{cls.name}] is wrong: {faults}.") from exc
