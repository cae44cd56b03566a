"""Tagging what was there before: a dry run changes nothing, a cut-off run goes on, people's labels stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.core.memory import Records
from bot.testing import Kit
from plugins.autotag import AutoTag, model
from plugins.autotag.backfill import Backfill, Progress

pytestmark = pytest.mark.unit
REFUND = "I was charged twice, please refund my money"
SLUGS = ("payment-refund", "delivery", "account-access")


@pytest.fixture
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    folder: Path = tmp_path_factory.getbasetemp() / "backfill-models"
    with Kit(AutoTag, config={"cache_dir": folder}) as made:
        for number in range(5):
            made.tickets.add(f"SUP-{number}", REFUND)
        made.tickets.add("SUP-5", REFUND, labels=("delivery",))
        made.tickets.add("SUP-6", REFUND, status="Done")
        made.tickets.add("SUP-7", "asdf qwer zxcv")
        yield made


def work(kit: Kit) -> Backfill:
    config = kit.plugin.config
    records = Records(kit.kernel.db, "autotag", None, kit.clock)
    tagger = model.load(config.cache_dir)
    return Backfill(kit.tickets, tagger, config, SLUGS, records, kit.kernel.audit, sleep=lambda _: None)


def run(kit: Kit, file: Path, *, apply: bool = True, limit: int = 0) -> Progress:
    progress = Progress.resume(file, "SUP", apply=apply)
    list(work(kit).run(progress, file, limit))
    return progress


def test_a_dry_run_says_what_would_happen_and_changes_nothing(kit: Kit, tmp_path: Path) -> None:
    progress = run(kit, tmp_path / "b.json", apply=False)
    assert progress.counts == {"tagged": 5, "labelled already": 1, "it is Done": 1, "left": 1}
    assert kit.tickets.effects == []
    assert kit.records("decision") == []


def test_tickets_are_tagged_recorded_and_audited(kit: Kit, tmp_path: Path) -> None:
    run(kit, tmp_path / "b.json")
    assert all("payment-refund" in kit.tickets.labels(f"SUP-{number}") for number in range(5))
    assert kit.tickets.labels("SUP-5") == ("delivery",)
    assert kit.tickets.labels("SUP-6") == ()
    assert len(kit.records("decision")) == 5
    assert [row.action for row in kit.audit] == ["tags.apply"] * 5


def test_a_second_run_finds_everything_decided(kit: Kit, tmp_path: Path) -> None:
    run(kit, tmp_path / "b.json")
    before = len(kit.tickets.effects)
    again = run(kit, tmp_path / "b.json")
    assert len(kit.tickets.effects) == before
    assert again.counts["labelled already"] == 6  # a label that is there stays, whoever set it


def test_a_run_that_is_cut_off_goes_on_and_tags_nothing_twice(kit: Kit, tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    first = run(kit, file, limit=4)
    assert not first.done
    rest = Progress.resume(file, "SUP", apply=True)
    assert rest.after == first.after
    list(work(kit).run(rest, file))
    assert rest.done
    labels = [call.arguments["key"] for call in kit.tickets.effects]
    assert len(labels) == len(set(labels)) == 5


def test_another_query_or_mode_starts_anew(kit: Kit, tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    run(kit, file, apply=False, limit=2)
    assert Progress.resume(file, "SUP", apply=True).after == ""
    assert Progress.resume(file, "OPS", apply=False).after == ""
    assert Progress.resume(file, "SUP", apply=False).after != ""
