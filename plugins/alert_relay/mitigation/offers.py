"""Which mitigations a group's message offers: those that fit an alert of it that fires."""

from __future__ import annotations

from collections.abc import Sequence

from bot.plugin import AlertGroup
from plugins.alert_relay.memory import Change
from plugins.alert_relay.mitigation.declarations import Mitigation
from plugins.alert_relay.state import GroupState


def offered(mitigations: Sequence[Mitigation], group: AlertGroup) -> tuple[str, ...]:
    firing = group.firing()
    return tuple(m.name for m in mitigations if any(m.fits(alert.labels) for alert in firing))


def following(apply: Change, group: AlertGroup | None, mitigations: Sequence[Mitigation]) -> Change:
    """The change, with the offers for the alerts that the group has now."""
    if group is None or not mitigations:
        return apply
    names = offered(mitigations, group)

    def changed(known: GroupState | None) -> GroupState | None:
        after = apply(known)
        if after is None or after.levers == names:
            return after
        return after.model_copy(update={"levers": names})

    return changed
