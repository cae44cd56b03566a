"""Settings are part of the service's configuration: setting them anew is a change, and recorded as one.

The chat and the console both come here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.core.errors import Refused
from bot.core.overrides import Overrides
from bot.core.registry import Registry
from bot.core.service_desk import Changes
from bot.core.service_models import Change, ConfigurationItem

TEMPLATE = "settings-within-limits"
_KIND = "settings"


class SettingsChanges:
    """What is set anew, from the wish to the end.

    Args:
        changes: in the name of whoever asks.
        templates: standard changes that the operator has allowed once and for all.
    """

    def __init__(
        self, overrides: Overrides, registry: Registry, changes: Changes, templates: Sequence[str]
    ) -> None:
        self._overrides = overrides
        self._registry = registry
        self._changes = changes
        self._is_standard = TEMPLATE in templates

    def propose(
        self, plugin: str, values: Mapping[str, Any], version: int, *, key: str, reason: str, by: str = ""
    ) -> Change:
        """A standard change where the operator allows it in advance; else one that waits for another person.

        `version` is that of the settings that were looked at. With the same `key` it is the same change. `by`
        is who wants it, where they are known by another name than the asker's.

        Raises:
            Refused: the values do not do. Nothing is recorded then.
        """
        told = self._overrides.check(plugin, values, version)
        return self._changes.propose(
            "standard" if self._is_standard else "normal",
            f"Set {plugin} anew: {', '.join(sorted(values))}"[:200],
            key=f"{_KIND}/{key}",
            template=TEMPLATE if self._is_standard else "",
            reason=reason,
            plan=f"Lay the values over {plugin}'s settings; every process takes them within seconds.",
            backout_plan=f"`/signalbox settings {plugin}` with the values before, or with `reset`.",
            items=[ConfigurationItem(type="config", name=f"plugin {plugin}", digest=_digest(values))],
            evidence={"plugin": plugin, "version": version},
            before=told,
            after=dict(values),
            related={"kind": _KIND},
            by=by,
        )

    def carry_out(self, change: Change, by: str) -> dict[str, Any]:
        """Set what was proposed; what changed. Once more, it sets nothing; it fails when one was faster."""
        plugin, version = str(change.evidence["plugin"]), int(change.evidence["version"])
        self._changes.begin(change.id)
        try:
            done = change.ended or self._stands(plugin, change.after)
            changed = (
                dict(change.after) if done else self._overrides.change(plugin, change.after, by, version)
            )
        except Refused as exc:
            self._changes.end(change.id, "failed", outcome=str(exc))
            raise
        self._changes.end(change.id)
        return changed

    def waiting(self) -> list[Change]:
        """Those that need another person's word, the newest first."""
        found = self._changes.find(status="assessed")
        return [change for change in found if change.related.get("kind") == _KIND]

    def _stands(self, plugin: str, values: Mapping[str, Any]) -> bool:
        """Whether all is set so: by an attempt that was cut off before it could say so."""
        present = self._registry.plugins[plugin].config.model_dump(mode="json")
        return all(present.get(field) == value for field, value in values.items())


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
