"""Which churn model serves: offered with figures, promoted by a person or the policy, rolled back at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import churn_models
import pytest
from churn_samples import scored, write

from bot.core.service_models import Change
from bot.testing import Kit
from ml.churn import registry, shelf
from plugins.churn_digest import ChurnDigest

pytestmark = pytest.mark.unit
NOW = datetime(2026, 1, 12, 9, tzinfo=UTC)
Make = Callable[..., Kit]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "churn"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Kit] = []

    def build(config: dict[str, Any] | None = None, **settings: Any) -> Kit:
        kit = Kit(ChurnDigest, config=config, settings={"data_dir": tmp_path, **settings})
        kit.grant("ULENA", "churn.promote")
        kit.grant("UMAX", "churn.promote")
        kit.clock.set(NOW)
        made.append(kit)
        return kit

    yield build
    for kit in made:
        kit.close()


def serving(folder: Path) -> str:
    found = shelf.read(folder).champion
    return found.name if found else ""


def change(kit: Kit, title: str) -> Change:
    [found] = [r for r in kit.kernel.ledger.find(record_type="change") if r.body["title"].startswith(title)]
    return Change.model_validate({**found.body, "id": found.id})


def test_a_ready_challenger_is_offered_once_with_its_figures(make: Make, folder: Path) -> None:
    old, new = churn_models.ready(folder)
    kit = make()
    for _ in range(3):
        kit.tick("watch")
        kit.advance(minutes=10)
    [told] = kit.chat.messages
    assert told.channel == "#churn"
    assert f"*{new.name}* beside the champion *{old.name}*" in told.text
    assert "AUC: 0.861 (0.840 to 0.880), champion 0.842 (0.820 to 0.862)" in told.text
    assert "log-loss (lower is better): 0.380, champion 0.400" in told.text
    assert "210 at risk, champion 230, both 190; rank correlation 0.93" in told.text
    assert told.buttons == ["Promote", "Keep"]
    assert change(kit, "Promote churn model").status == "assessed"
    assert serving(folder) == old.name


@pytest.mark.parametrize(
    ("gate", "cycles", "trouble"), [(False, 1, ""), (True, 0, ""), (True, 1, "It can't be loaded.")]
)
def test_nothing_is_offered_before_gate_and_shadow(
    make: Make, folder: Path, gate: bool, cycles: int, trouble: str
) -> None:
    old = churn_models.champion(folder)
    new = churn_models.model(folder, "churn-new")
    churn_models.judged(folder, new, old, passed=gate)
    churn_models.beside(folder, new, old, cycles, trouble)
    kit = make()
    kit.tick("watch")
    assert not kit.chat.messages
    kit.command("/signalbox churn models")
    assert ("Not promoted" if not gate else f"{0 if trouble else cycles} of 1 scorings") in kit.reply.text


def test_as_many_cycles_as_the_settings_ask_for(make: Make, folder: Path) -> None:
    old, new = churn_models.ready(folder)
    kit = make({"shadow_cycles": 2})
    kit.tick("watch")
    assert not kit.chat.messages
    churn_models.beside(folder, new, old, 2)
    kit.advance(minutes=10)
    kit.tick("watch")
    assert len(kit.chat.messages) == 1


def test_a_person_promotes_and_it_is_recorded(make: Make, folder: Path) -> None:
    _, new = churn_models.ready(folder)
    kit = make()
    kit.tick("watch")
    press = kit.click("Promote", user="ULENA")
    kit.rerun(press)
    assert serving(folder) == new.name
    [told] = [shown for shown in kit.chat.messages if "beside the champion" in shown.text]
    assert "Promoted by <@ULENA>" in told.text
    assert told.buttons == ["It went well", "It did not"]
    done = change(kit, "Promote churn model")
    assert done.status == "implemented"
    assert done.initiator == "plugin:churn-digest"
    assert [word.authority for word in done.authorisation] == ["ULENA"]
    assert {item.digest for item in done.items} == {registry_digest(new), churn_models.DATA}
    line = registry.promotions(folder)[-1]
    assert line["by"] == "slack:ULENA"
    assert done.id in line["why"]
    assert [row.action for row in kit.audit].count("churn.model_promoted") == 1


def registry_digest(place: Path) -> str:
    from ml.churn.model import artifact  # noqa: PLC0415

    return artifact.digest(place)


def test_a_second_press_does_nothing_more(make: Make, folder: Path) -> None:
    _, new = churn_models.ready(folder)
    kit = make()
    kit.tick("watch")
    asked = kit.chat.messages[0].message
    kit.click("Promote", user="ULENA")
    kit.click("Keep", user="UMAX", message=asked)
    assert "already taken by <@ULENA>" in kit.reply.text
    assert serving(folder) == new.name
    assert len(registry.promotions(folder)) == 2


def test_the_review_closes_the_change(make: Make, folder: Path) -> None:
    churn_models.ready(folder)
    kit = make()
    kit.tick("watch")
    kit.click("Promote", user="ULENA")
    kit.click("It went well", user="ULENA")
    done = change(kit, "Promote churn model")
    assert done.status == "closed"
    assert done.review is not None
    assert (done.review.by, done.review.successful) == ("ULENA", True)
    [told] = kit.chat.messages
    assert told.buttons == []


def test_whoever_may_not_promote_is_refused(make: Make, folder: Path) -> None:
    old, _ = churn_models.ready(folder)
    kit = make()
    kit.tick("watch")
    kit.click("Promote", user="UEVE")
    assert serving(folder) == old.name
    kit.click("Promote", user="ULENA")
    assert serving(folder) != old.name


def test_keeping_the_champion_rejects_the_change(make: Make, folder: Path) -> None:
    old, _ = churn_models.ready(folder)
    kit = make()
    kit.tick("watch")
    kit.click("Keep", user="ULENA")
    assert serving(folder) == old.name
    assert change(kit, "Promote churn model").ended_as == "rejected"
    kit.advance(minutes=10)
    kit.tick("watch")
    [told] = kit.chat.messages
    assert "<@ULENA> kept the champion" in told.text


def test_a_challenger_that_is_gone_shows_the_present_state(make: Make, folder: Path) -> None:
    old, _ = churn_models.ready(folder)
    kit = make()
    kit.tick("watch")
    newer = churn_models.model(folder, "churn-newer")
    kit.click("Promote", user="ULENA")
    assert f"{old.name} serves now, and {newer.name} waits." in kit.reply.text
    assert serving(folder) == old.name
    [told] = kit.chat.messages
    assert "Not to be decided any more" in told.text
    assert told.buttons == []
    assert change(kit, "Promote churn model").ended_as == "rejected"


def test_a_promotion_on_the_command_line_is_taken_up(make: Make, folder: Path) -> None:
    _, new = churn_models.ready(folder)
    kit = make()
    kit.tick("watch")
    registry.promote(folder, new, by="cli:root", why="forced")
    kit.advance(minutes=10)
    kit.tick("watch")
    [told] = kit.chat.messages
    assert "Promoted by cli:root" in told.text
    assert [word.authority for word in change(kit, "Promote churn model").authorisation] == ["cli:root"]


def test_the_policy_promotes_a_standard_change(make: Make, folder: Path) -> None:
    _, new = churn_models.ready(folder)
    kit = make(churn={"promote": "gate"})
    for _ in range(2):
        kit.tick("watch")
        kit.advance(minutes=10)
    assert serving(folder) == new.name
    [told] = kit.chat.messages
    assert "Promoted by policy" in told.text
    assert told.buttons == []
    done = change(kit, "Promote churn model")
    assert (done.change_type, done.status) == ("standard", "closed")


def test_without_the_template_the_policy_asks(make: Make, folder: Path) -> None:
    old, _ = churn_models.ready(folder)
    kit = make(churn={"promote": "gate"}, records={"templates": ()})
    kit.tick("watch")
    assert serving(folder) == old.name
    assert kit.chat.messages[0].buttons == ["Promote", "Keep"]


def test_a_damaged_challenger_does_not_serve(make: Make, folder: Path) -> None:
    old, new = churn_models.ready(folder)
    kit = make()
    kit.tick("watch")
    (new / "boosting.txt").write_text("other words")
    kit.click("Promote", user="ULENA")
    assert "is not what was sealed" in kit.reply.text
    assert serving(folder) == old.name
    assert change(kit, "Promote churn model").status == "failed"


def test_rolling_back_is_an_emergency_change_and_instant(make: Make, folder: Path) -> None:
    old, new = churn_models.ready(folder)
    registry.promote(folder, new, by="cli:root", why="forced")
    kit = make()
    kit.command("/signalbox churn rollback", user="ULENA")
    assert f"Roll churn back from {new.name} to {old.name}?" in kit.reply.text
    press = kit.click("Roll back", user="ULENA")
    kit.rerun(press)
    assert serving(folder) == old.name
    done = change(kit, "Roll churn back")
    assert (done.change_type, done.status) == ("emergency", "implemented")
    [told] = kit.chat.messages
    assert "Rolled back by <@ULENA>" in told.text
    kit.click("It went well", user="UMAX")
    assert change(kit, "Roll churn back").status == "closed"
    kit.advance(minutes=10)
    kit.tick("watch")
    assert serving(folder) == old.name
    assert len(kit.chat.messages) == 1


def test_a_late_rollback_does_nothing(make: Make, folder: Path) -> None:
    old, new = churn_models.ready(folder)
    registry.promote(folder, new)
    kit = make()
    kit.command("/signalbox churn rollback", user="ULENA")
    asked = kit.reply.message
    kit.command("/signalbox churn rollback", user="UMAX")
    kit.click("Roll back", user="UMAX")
    kit.click("Roll back", user="ULENA", message=asked)
    assert f"Nothing was rolled back: {old.name} serves now" in kit.reply.text
    assert serving(folder) == old.name


def test_without_a_model_before_there_is_nothing_to_go_back_to(make: Make, folder: Path) -> None:
    churn_models.champion(folder)
    kit = make()
    kit.command("/signalbox churn rollback", user="ULENA")
    assert "nothing to go back to" in kit.reply.text


def test_the_list_says_who_serves_and_who_let_it(make: Make, folder: Path) -> None:
    old, new = churn_models.ready(folder)
    kit = make()
    kit.tick("watch")
    kit.command("/signalbox churn models")
    assert f"*{old.name}* serves: AUC 0.840 (0.820 to 0.860)" in kit.reply.text
    assert "by cli:root: the first model" in kit.reply.text
    assert f"*{new.name}* waits" in kit.reply.text
    assert "It is ready" in kit.reply.text


def test_without_models_the_list_says_the_next_step(make: Make) -> None:
    kit = make()
    kit.command("/signalbox churn models")
    assert "signalbox churn demo" in kit.reply.text


def test_from_a_line_in_slack_to_data_model_and_approver_in_three_hops(
    make: Make, folder: Path, tmp_path: Path
) -> None:
    _, new = churn_models.ready(folder)
    kit = make()
    kit.grant("ULENA", "churn.*")
    kit.tick("watch")
    kit.click("Promote", user="ULENA")
    digest = registry_digest(new)
    write(tmp_path, [scored(0, 0.8)], NOW.date(), model_digest=digest, model_version="churn-new/abc")
    kit.tick("post")
    kit.click("Show more", user="ULENA")  # the first hop: from the line to run, data, model and change
    assert "model churn-new/abc" in kit.reply.text
    assert f"({'cd' * 6})" in kit.reply.text
    assert "by <@ULENA>" in kit.reply.text
    done = change(kit, "Promote churn model")
    assert f"Change {done.id}" in kit.reply.text
    # the second: the change names the model, the data snapshot and who approved it
    assert {item.digest for item in done.items} == {digest, churn_models.DATA}
    assert done.authorisation[0].authority == "ULENA"


def test_a_damaged_registry_is_listed_as_it_is(make: Make, folder: Path) -> None:
    old, new = churn_models.ready(folder)
    (new / "manifest.json").write_text("{")
    kit = make()
    kit.tick("watch")
    assert not kit.chat.messages
    kit.command("/signalbox churn models")
    assert old.name in kit.reply.text
    shutil.rmtree(folder / "models")
    kit.command("/signalbox churn models")
    assert "No churn model" in kit.reply.text


def test_what_was_promoted_on_the_command_line_is_recorded_once(make: Make, folder: Path) -> None:
    old = churn_models.champion(folder)
    kit = make()
    for _ in range(2):
        kit.tick("watch")
        kit.advance(minutes=10)
    done = change(kit, f"Churn model {old.name} was let serve")
    assert (done.change_type, done.status, done.reason) == ("emergency", "implemented", "the first model")
    assert done.evidence["by"] == "cli:root"
    assert not kit.chat.messages
