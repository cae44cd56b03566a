"""The console's pages of incidents: what fires, how it goes week by week, and one incident's story."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from alert_kit import fires, relay_kit

from bot.core.context import Context
from bot.core.events import Event, Payload
from bot.plugin import Chart, Page, Table
from bot.testing import START, Kit
from plugins.alert_relay.stats.spells import Spell
from plugins.alert_relay.stats.weeks import WEEK, by_week

pytestmark = pytest.mark.unit
MINUTE = timedelta(minutes=1)


@pytest.fixture
def kit() -> Iterator[Kit]:
    with relay_kit() as made:
        yield made


def table(found: Page, title: str) -> list[list[str]]:
    part = next(p for p in found.parts if isinstance(p, Table) and p.title == title)
    return [[cell if isinstance(cell, str) else cell.text for cell in row] for row in part.rows]


def page_of(kit: Kit, key: str) -> Page | None:
    event = Event("console", "console", "console.page", kit.plugin.name, kit.clock(), "")
    return kit.plugin.page_of(key, Context(kit.kernel, event, next(kit.plugin.handlers()), Payload()))


def test_what_fires_stands_there_with_nobody_on_it(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    [row] = table(kit.page(), "Fires now")
    assert "HighErrorRate" in row[0]
    assert row[3] == "nobody"
    [incident] = table(kit.page(), "Incidents")
    assert (incident[0], incident[3]) == ("INC-1", "fires")


def test_an_incident_s_page_tells_its_story(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    found = page_of(kit, "INC-1")
    assert found is not None
    told = [row[1] for row in table(found, "Timeline")]
    assert "incident opened" in told
    assert any(line.startswith("fires") for line in told)


@pytest.mark.parametrize("key", ["INC-2", "INC-", "nonsense", "INC-1x", "-1"])
def test_there_is_no_page_of_what_never_was(kit: Kit, key: str) -> None:
    assert page_of(kit, key) is None


def test_without_alerts_the_page_says_where_they_come_from(kit: Kit) -> None:
    charts = [part for part in kit.page().parts if isinstance(part, Chart)]
    assert charts
    assert all(chart.is_empty and chart.empty for chart in charts)


def test_a_week_counts_what_was_noticed_in_it_and_what_was_down_in_it() -> None:
    def spell(start: float, end: float) -> Spell:
        began = START + start * MINUTE
        return Spell(
            group="g", title="T", severity="critical", service="checkout", began=began, started=began,
            noticed=began + MINUTE, ended=START + end * MINUTE, end_inferred=False, planned=False, alerts=1,
            acked=None, mitigated=None, touched=False,
        )  # fmt: skip

    week = WEEK / MINUTE
    spells = [spell(10, 40), spell(week - 10, week + 20)]  # the second lasts into the next week
    first, second = by_week(spells, [], until=START + 2 * WEEK, weeks=2, severities=("critical",))
    assert (first.figures.groups, second.figures.groups) == (2, 0)
    assert first.down == {"checkout": (30 + 10) * 60}
    assert second.down == {"checkout": 20 * 60}
    assert first.figures.detect.mean == 60
