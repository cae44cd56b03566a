"""The console's pages about churn and models are made of files and records, and say what would stand there."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import churn_models
import pytest
from churn_samples import AS_OF, scored, write

from bot.plugin import Cell, Chart, Controls, Figures, Page, Prose, Table
from bot.testing import Conformance, Kit
from ml.churn import registry
from plugins.churn_digest import ChurnDigest
from plugins.models import Models

pytestmark = pytest.mark.unit
MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


def table(page: Page, title: str) -> Table:
    return next(part for part in page.parts if isinstance(part, Table) and part.title.startswith(title))


def texts(found: Table) -> list[list[str]]:
    return [[cell.text if isinstance(cell, Cell) else cell for cell in row] for row in found.rows]


@pytest.fixture
def kit(tmp_path: Path) -> Any:
    with Kit(ChurnDigest, config={"control_share": 0.0}, settings={"data_dir": tmp_path}) as made:
        made.grant("U1", "churn.*")
        made.clock.set(MONDAY)
        yield made


def test_without_scores_the_page_says_the_next_step(kit: Kit) -> None:
    [said] = kit.page().parts
    assert isinstance(said, Prose)
    assert "signalbox churn demo" in said.text


def test_the_page_shows_accounts_reasons_and_what_was_done(kit: Kit, tmp_path: Path) -> None:
    write(tmp_path, [scored(0, 0.71), scored(1, 0.66), scored(2, 0.2)])
    kit.tick("post")
    kit.choose("Record outcome", "churned")
    page = kit.page()
    assert page.title == "Churn"
    first, second = texts(table(page, "Shown in week 2"))
    assert first[:3] == ["Customer 0", "€8,520", "71%"]
    assert first[3:6] == ["1 Sep 2026", "5 Jan 2026", "ann@example.com"]
    assert [first[6], second[6]] in (
        ["Churned, says U1", "nobody has acted"],
        ["nobody has acted", "Churned, says U1"],
    )
    assert texts(table(page, "Why"))[0] == [
        "Customer 0",
        "logins fell 62% against their 8-week mean; invoices paid 12 days later than usual; 3 open tickets",
    ]
    [turned] = texts(table(page, "How warnings turned out"))
    assert turned[3:] == ["Churned", "U1", "no"]
    figures = next(part for part in page.parts if isinstance(part, Figures))
    assert {figure.label: figure.value for figure in figures.items}["customers at risk"] == "2"


def test_the_trend_has_words_for_those_who_can_t_see_it(kit: Kit, tmp_path: Path) -> None:
    for week in range(3):
        write(tmp_path, [scored(0, 0.6 + week / 10)], AS_OF + timedelta(weeks=week))
        kit.tick("post", due_at=MONDAY + timedelta(weeks=week))
    charts = {part.title: part for part in kit.page().parts if isinstance(part, Chart)}
    value, customers = charts["Value at risk, EUR"], charts["Customers at risk"]
    assert value.x == ("05 Jan", "12 Jan", "19 Jan")
    assert value.alt == "Bars run by run; the newest is €9,600."
    assert customers.series == (("customers at risk", (1.0, 1.0, 1.0)),)
    shared = charts["Reasons that accounts share"]
    assert (shared.x, shared.series) == (("logins trend",), (("accounts", (1.0,)),))
    assert dict(charts["Warnings by month"].series)["still open"][-1] == 1


def test_held_out_customers_do_not_appear(tmp_path: Path) -> None:
    config = {"control_share": 0.5}
    with Kit(ChurnDigest, config=config, settings={"data_dir": tmp_path}) as kit:
        kit.clock.set(MONDAY)
        write(tmp_path, [scored(n) for n in range(20)])
        kit.tick("post")
        held = [document.data for document in _cases(kit) if document.data["control"]]
        shown = {row[0] for row in texts(table(kit.page(), "Shown"))}
        assert held
        assert not shown & {case["name"] for case in held}


def _cases(kit: Kit) -> list[Any]:
    from bot.core.memory import Documents  # noqa: PLC0415

    return Documents(kit.kernel.db, "churn-digest", kit.clock).having("case:")


def test_models_stand_side_by_side_with_who_promoted_them(tmp_path: Path) -> None:
    old, new = churn_models.ready(tmp_path / "churn")
    with Kit(Models, settings={"data_dir": tmp_path}) as kit:
        page = kit.page()
        rows = texts(table(page, "Churn: challenger and champion"))
        assert rows[0] == ["AUC", "0.861 (0.840 to 0.880)", "0.842 (0.820 to 0.862)"]
        assert table(page, "Churn: challenger and champion").columns[1:] == (new.name, old.name)
        assert [row[:2] for row in texts(table(page, "Churn models"))] == [
            [new.name, "challenger"],
            [old.name, "champion"],
        ]
        [promoted] = texts(table(page, "Churn: promoted"))
        assert promoted[1:] == [old.name, "cli:root", "the first model"]
        assert texts(table(page, "Churn: the challenger beside"))[0][2:] == [
            "3,000",
            "210",
            "230",
            "190",
            "0.93",
        ]
        back = next(p for p in page.parts if isinstance(p, Prose) and p.title == "Going back with churn")
        assert "nothing to go back to" in back.text
        registry.promote(tmp_path / "churn", new)
        back = next(
            p for p in kit.page().parts if isinstance(p, Prose) and p.title == "Going back with churn"
        )
        assert f"{old.name} (AUC 0.840) would serve again" in back.text
        assert "/signalbox churn rollback" in back.text


def test_the_page_has_the_buttons_that_its_models_call_for(kit: Kit, tmp_path: Path) -> None:
    write(tmp_path, [scored(0)])
    assert buttons(kit) == {}
    churn_models.ready(tmp_path / "churn")
    kit.tick("watch")
    assert buttons(kit) == {"Challengers": ["Promote", "Keep"]}
    kit.click("Promote")
    assert buttons(kit) == {"Challengers": ["It went well", "It did not"], "Going back": ["Roll back"]}


def buttons(kit: Kit) -> dict[str, list[str]]:
    controls = [part for part in kit.page().parts if isinstance(part, Controls)]
    return {part.title: [button.text for button in part.buttons] for part in controls}


def test_tagging_models_are_listed_the_champion_first(tmp_path: Path) -> None:
    home = tmp_path / "models" / "tagging"
    for name in ("one", "two", "broken"):
        (home / name).mkdir(parents=True)
        facts = {"name": name, "mode": "head", "metrics": {"accuracy": 0.931}, "examples": 1200}
        text = "{" if name == "broken" else json.dumps({"facts": facts})
        (home / name / "manifest.json").write_text(text)
    (home / "champion").symlink_to("two", target_is_directory=True)
    with Kit(Models, settings={"data_dir": tmp_path}) as kit:
        rows = texts(table(kit.page(), "Tagging models"))
        assert rows[0][:2] == ["two", "champion"]
        assert rows[0][5] == "accuracy 0.931"
        assert {row[0]: row[3] for row in rows}["broken"] == "its manifest can't be read"
        kit.command("/signalbox models")
        assert "*Tags:* two" in kit.reply.text


def test_a_page_of_nothing_says_what_would_stand_there(tmp_path: Path) -> None:
    with Kit(Models, settings={"data_dir": tmp_path}) as kit:
        tables = [part for part in kit.page().parts if isinstance(part, Table)]
        assert tables
        assert all(part.empty and not part.rows for part in tables)


class TestModels(Conformance):
    plugin = Models
