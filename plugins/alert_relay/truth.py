"""What Alertmanager says now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bot.core.errors import SignalboxError
from bot.plugin import AlertGroup, Context, Silence


@dataclass(frozen=True)
class Truth:
    """None stands for what could not be asked."""

    groups: Sequence[AlertGroup] | None
    silences: Sequence[Silence] | None

    def group(self, key: str) -> AlertGroup | None:
        return self._by_key.get(key)

    @cached_property
    def _by_key(self) -> dict[str, AlertGroup]:
        return {group.key: group for group in self.groups or ()}


NOT_ASKED = Truth(None, None)


def ask(ctx: Context) -> Truth:
    """The present state; fails when Alertmanager does."""
    return Truth(ctx.alerts.groups(), ctx.alerts.silences())


def try_to_ask(ctx: Context) -> Truth:
    """The present state where it must not delay a message or an answer."""
    try:
        return ask(ctx)
    except SignalboxError as exc:
        ctx.log.warning("alertmanager.not_asked", error=str(exc))
        return NOT_ASKED
