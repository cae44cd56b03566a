"""Active learning, shadowing, accuracy by category and drift."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from bot.core.memory import Record
from bot.plugin import TicketEvent
from bot.testing import START, Kit, text_of
from plugins.autotag import AutoTag, asking, effort, shadow
from plugins.autotag.policy import Decision

pytestmark = pytest.mark.unit
VAGUE = "Something about my thing"


def left(key: str, first: float, second: float) -> Decision:
    scores = {"delivery": first, "billing": second, "out-of-scope": 0.9}
    return Decision(ticket=key, band="leave", reason="not sure enough", text_hash="h", scores=scores)


def vector(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def test_the_least_sure_are_asked_about_first() -> None:
    decisions = [left("A", 0.5, 0.1), left("B", 0.4, 0.39), left("C", 0.4, 0.3)]
    assert [d.ticket for d in asking.chosen(decisions, {}, 2)] == ["B", "C"]


def test_two_that_say_the_same_are_not_both_asked_about() -> None:
    known = {"A": vector(1, 0), "B": vector(1, 0), "C": vector(0, 1)}
    decisions = [left("A", 0.4, 0.4), left("B", 0.4, 0.39), left("C", 0.5, 0.1)]
    assert [d.ticket for d in asking.chosen(decisions, known, 2)] == ["A", "C"]


def test_what_was_decided_or_has_no_text_is_not_asked_about() -> None:
    sure = left("A", 0.5, 0.5).model_copy(update={"band": "apply"})
    empty = Decision(ticket="B", band="leave", reason="there is no text to read", text_hash="h")
    assert asking.chosen([sure, empty], {}, 5) == []


def test_embeddings_are_read_as_they_were_kept() -> None:
    packed = base64.b64encode(np.array([0.5, -0.25], np.float16).tobytes()).decode()
    record = Record(
        "1", "vector", "A", None, START, {"vector": packed, "encoder": "e", "url": "", "summary": ""}
    )
    assert asking.vectors([record])["A"].tolist() == [0.5, -0.25]


# -- in the plugin -----------------------------------------------------------------------------------------


@pytest.fixture
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "learning-models"


@pytest.fixture
def kit(models: Path) -> Iterator[Kit]:
    with Kit(AutoTag, config={"cache_dir": models, "ask_daily": 2}) as made:
        made.grant("ULENA", "tags.write")
        yield made


def file(kit: Kit, key: str, summary: str) -> None:
    event = TicketEvent(ticket=kit.tickets.add(key, summary))
    kit.event("ticket.created", event, subject=key, serial=key)


def test_each_day_a_few_are_asked_about_once(kit: Kit) -> None:
    for number, words in enumerate(["Something about my thing", "Hello there it is me", "It does not do it"]):
        file(kit, f"SUP-{number}", words)
    left_alone = [r.subject for r in kit.records("decision") if r.data["band"] == "leave"]
    assert len(left_alone) >= 2, "these texts must be too vague to tag"
    before = len(kit.chat.messages)
    kit.advance(hours=1)
    kit.tick("ask")
    assert 1 <= len(kit.chat.messages) - before <= 2
    asked = len(kit.chat.messages)
    kit.rerun()
    assert len(kit.chat.messages) == asked


def test_without_the_setting_nobody_is_asked(models: Path) -> None:
    with Kit(AutoTag, config={"cache_dir": models}) as kit:
        file(kit, "SUP-1", VAGUE)
        before = len(kit.chat.messages)
        kit.tick("ask")
        assert len(kit.chat.messages) == before


def test_a_challenger_tags_beside_the_champion_without_effect(models: Path) -> None:
    with Kit(AutoTag, config={"cache_dir": models}) as kit:
        file(kit, "SUP-0", "I was charged twice, please refund my money")
    [seed] = models.glob("head-*")
    with Kit(AutoTag, config={"cache_dir": models, "shadow": seed}) as kit:
        kit.grant("ULENA", "tags.write")
        file(kit, "SUP-1", "I was charged twice, please refund my money")
        kit.rerun()
        [seen] = kit.records(shadow.SHADOW)
        assert seen.data["category"] == "payment-refund"
        assert [call.method for call in kit.tickets.effects].count("add_label") == 1
        kit.choose("Wrong? Choose the right one", "delivery", user="ULENA")
        kit.command("/signalbox tags")
        said = text_of(kit.reply.message)
        assert "Challenger" in said
        assert "payment-refund" in said


def test_a_challenger_that_is_broken_holds_up_nothing(models: Path, tmp_path: Path) -> None:
    with Kit(AutoTag, config={"cache_dir": models, "shadow": tmp_path / "none"}) as kit:
        file(kit, "SUP-1", "I was charged twice, please refund my money")
        assert kit.tickets.labels("SUP-1") == ("payment-refund",)
        assert kit.records(shadow.SHADOW) == []


# -- figures -----------------------------------------------------------------------------------------------


def review(key: str, said: str | None, truth: str | None) -> Record:
    return Record(
        "1", "review", key, None, START, {"category": truth, "verdict": "x", "decided": {"category": said}}
    )


def test_accuracy_is_told_by_category() -> None:
    found = effort.by_category(
        [review("A", "billing", "billing"), review("B", "billing", "delivery"), review("C", "delivery", None)]
    )
    assert [(c.name, c.right, c.reviewed) for c in found] == [("billing", 1, 2), ("delivery", 0, 1)]


def decision(category: str, days_ago: float) -> Record:
    return Record(
        "1", "decision", "A", None, START - timedelta(days=days_ago), {"scores": {category: 0.9, "x": 0.1}}
    )


def test_drift_is_seen_once_there_is_enough_to_see() -> None:
    old = [decision("billing", 10)] * 80 + [decision("delivery", 10)] * 80
    same = [decision("billing", 1)] * 60 + [decision("delivery", 1)] * 60
    moved = [decision("billing", 1)] * 10 + [decision("delivery", 1)] * 110
    assert effort.shift(old, START) is None
    stable, shifted = effort.shift(old + same, START), effort.shift(old + moved, START)
    assert stable is not None
    assert shifted is not None
    assert stable.psi < 0.05
    assert shifted.psi > 0.25
    assert shifted.grown == "delivery"


def test_reviews_become_training_examples(kit: Kit, tmp_path: Path) -> None:
    from bot.core.memory import Records  # noqa: PLC0415
    from plugins.autotag import training  # noqa: PLC0415

    file(kit, "SUP-1", "I was charged twice, please refund my money")
    kit.choose("Wrong? Choose the right one", "delivery", user="ULENA")
    file(kit, "SUP-2", "The invoice app crashes when I log in")
    kit.click("None of these", user="ULENA")
    out = tmp_path / "reviews.jsonl"
    records = Records(kit.kernel.db, "autotag", None, kit.clock)
    assert training.collect(records, kit.tickets, START - timedelta(days=1), out) == 1
    [line] = out.read_text().splitlines()
    assert json.loads(line) == {
        "text": "I was charged twice, please refund my money",
        "label": "delivery",
        "category": "delivery",
    }


def test_accuracy_and_drift_are_figures_for_prometheus(kit: Kit) -> None:
    file(kit, "SUP-1", "I was charged twice, please refund my money")
    file(kit, "SUP-2", "I returned the shoes, where is my refund?")
    kit.choose("Wrong? Choose the right one", "delivery", user="ULENA")
    kit.advance(hours=1)
    kit.tick("measure")
    value = REGISTRY.get_sample_value
    assert value("signalbox_autotag_accuracy_ratio", {"category": "payment-refund"}) == 0.0
    assert value("signalbox_autotag_kept_ratio", {"band": "apply"}) == 0.5
    corrected = {"verdict": "correct", "category": "payment-refund"}
    assert (value("signalbox_autotag_reviews_total", corrected) or 0) >= 1
