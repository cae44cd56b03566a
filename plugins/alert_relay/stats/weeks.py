"""The same figures week by week, to see which way they go; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from plugins.alert_relay.incidents.incident import Incident
from plugins.alert_relay.stats import figures
from plugins.alert_relay.stats.figures import Figures
from plugins.alert_relay.stats.spells import Spell

WEEK = timedelta(days=7)


class Week(NamedTuple):
    """`down`: seconds by service. `figures` are of what was noticed in the week."""

    ends: datetime
    figures: Figures
    down: dict[str, float]


def by_week(
    spells: Sequence[Spell],
    incidents: Sequence[Incident],
    *,
    until: datetime,
    weeks: int,
    severities: Collection[str],
) -> list[Week]:
    """Weeks that end now, a week ago and so on; oldest first."""
    found = []
    for back in reversed(range(weeks)):
        end = until - WEEK * back
        known = [spell for spell in spells if spell.noticed < end]
        made = figures.make(known, incidents, (), since=end - WEEK, until=end, severities=severities)
        down: dict[str, float] = defaultdict(float)
        for entry in made.downtime:
            down[entry.service or "none"] += entry.seconds
        found.append(Week(end, made, dict(down)))
    return found
