"""Settings of plugins that somebody changed at run time, as every process takes them within seconds.

The environment wins over them, for whoever set it meant this place; they win over signalbox.toml.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from pydantic import ValidationError

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.declare import Plugin, PluginConfig
from bot.core.errors import ConfigError, Refused
from bot.core.events import utc_now
from bot.core.memory import Document, Documents
from bot.core.registry import Registry

_OWNER = "signalbox.settings"  # no plugin's name has a dot
KNOWN_SECONDS = 2.0
"""So long a process trusts what it has read."""
log = structlog.get_logger()
Fixed = Mapping[tuple[str, str], str]
"""(plugin, field) to the environment variable that sets it."""


@dataclass(frozen=True, slots=True)
class Override:
    """`values` as JSON has them, by field; `version` tells whether somebody changed them since."""

    values: Mapping[str, Any]
    by: str
    at: datetime
    version: int


class Overrides:
    def __init__(
        self,
        db: Database,
        audit: Audit,
        registry: Registry,
        fixed: Fixed,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._audit = audit
        self._registry = registry
        self._fixed = fixed
        self._documents = Documents(db, _OWNER, clock)
        self._base: dict[str, PluginConfig] = {name: p.config for name, p in registry.plugins.items()}
        self._taken: dict[str, int] = {}
        self._known: dict[str, Override] = {}
        self._until = 0.0

    def refresh(self) -> None:
        """Take up what was changed, here or elsewhere; what can't be read is logged and left out."""
        if time.monotonic() < self._until:
            return
        self._known = {document.key: _override(document) for document in self._documents.having("")}
        self._until = time.monotonic() + KNOWN_SECONDS
        for name, plugin in list(self._registry.plugins.items()):
            found = self._known.get(name)
            version = found.version if found else 0
            if self._taken.get(name, 0) == version:
                continue
            self._taken[name] = version
            try:
                self._registry.replace(self._made(plugin, found.values if found else {}))
            except (ValidationError, ConfigError) as exc:
                log.error("settings.not_taken", plugin=name, error=str(exc))

    def of(self, plugin: str) -> Override | None:
        self.refresh()
        return self._known.get(plugin)

    def fixed(self, plugin: str) -> dict[str, str]:
        """Fields that the environment sets, with the variables' names."""
        return {field: variable for (name, field), variable in self._fixed.items() if name == plugin}

    def origin(self, plugin: str, field: str) -> str:
        """Where the value that holds came from, in words."""
        if variable := self.fixed(plugin).get(field):
            return variable
        found = self.of(plugin)
        if found and field in found.values:
            return f"changed by {found.by} on {found.at:%d %b %Y %H:%M} UTC"
        return "signalbox.toml" if field in self._base[plugin].model_fields_set else "default"

    def change(self, plugin: str, values: Mapping[str, Any], by: str, version: int = 0) -> dict[str, Any]:
        """Lay `values` over the plugin's settings; those of the file are forgotten again. What changed.

        Raises:
            Refused: a value does not do, the environment sets it, or somebody changed them since `version`.
        """
        before = self._registry.plugins[plugin].config.model_dump(mode="json")
        merged, after = self._merged(plugin, values, version)
        base = self._base[plugin].model_dump(mode="json")
        kept = {field: after[field] for field in merged if after[field] != base[field]}
        if not self._documents.put(plugin, {"values": kept, "by": by}, version=version):
            raise Refused(
                "Somebody changed these settings meanwhile. Open them once more.", check="unchanged"
            )
        changed = {field: after[field] for field in merged if after[field] != before[field]}
        told = {field: before[field] for field in changed}
        self._audit.record(by, "plugin.settings", plugin, before=told, after=changed)
        self._until = 0.0
        self.refresh()
        return changed

    def check(self, plugin: str, values: Mapping[str, Any], version: int = 0) -> dict[str, Any]:
        """The present values of those fields, when the new ones would do.

        Raises:
            Refused: as `change`, which has the last word.
        """
        self._merged(plugin, values, version)
        present = self._registry.plugins[plugin].config.model_dump(mode="json")
        return {field: present[field] for field in values}

    def first(self, plugin: str) -> dict[str, Any]:
        """What file and environment say of the fields that were changed."""
        known = self.of(plugin)
        base = self._base[plugin].model_dump(mode="json")
        fields = (known.values.keys() if known else set()) - self.fixed(plugin).keys()
        return {field: base[field] for field in fields}

    def reset(self, plugin: str, by: str) -> dict[str, Any]:
        """Back to what file and environment say; what changed."""
        known = self.of(plugin)
        return self.change(plugin, self.first(plugin), by, known.version if known else 0)

    def _merged(
        self, plugin: str, values: Mapping[str, Any], version: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """All that is laid over the plugin's settings then, and the settings that come of it."""
        known = self.of(plugin)
        if (known.version if known else 0) != version:
            raise Refused(
                "Somebody changed these settings meanwhile. Open them once more.", check="unchanged"
            )
        if taken := self.fixed(plugin).keys() & values.keys():
            field = min(taken)
            raise Refused(f"{field} is set by {self.fixed(plugin)[field]} there, which wins.", check="free")
        merged = {**(known.values if known else {}), **values}
        return merged, self._checked(plugin, merged).model_dump(mode="json")

    def _checked(self, plugin: str, values: Mapping[str, Any]) -> PluginConfig:
        try:
            made = self._made(self._registry.plugins[plugin], values)
            list(made.handlers())
        except ValidationError as exc:
            faults = exc.errors(include_input=False, include_url=False)
            words = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults)
            raise Refused(f"Nothing was changed. {words}.", check="valid") from None
        except ConfigError as exc:
            raise Refused(f"Nothing was changed. {exc}", check="valid") from exc
        config: PluginConfig = made.config
        return config

    def _made(self, plugin: Plugin[Any], values: Mapping[str, Any]) -> Plugin[Any]:
        """The plugin with the values over its first settings, but for what the environment sets."""
        base, fixed = self._base[plugin.name], self.fixed(plugin.name)
        given = {field: getattr(base, field) for field in base.model_fields_set}
        free = {field: value for field, value in values.items() if field not in fixed}
        return type(plugin)(type(base).model_validate(given | free))


def _override(document: Document) -> Override:
    return Override(document.data["values"], document.data["by"], document.updated_at, document.version)
