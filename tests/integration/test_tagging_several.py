"""Tickets that belong to several categories: from examples with several to several labels on one ticket."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.plugin import TicketEvent
from bot.testing import Kit
from ml.tagging import DataError, Tagger, artifact, registry
from ml.tagging.tagger import examples
from ml.tagging.training import adapt, data
from plugins.autotag import AutoTag
from plugins.autotag.cli import app
from plugins.autotag.serving.answer import prediction

pytestmark = pytest.mark.integration
CATEGORIES = ("billing", "delivery", "technical-issue", "cancellation")
BOTH = "The app crashes when I open it. And where is my parcel? It should have come on Monday."
ONE = "Where is my parcel? It should have come on Monday."


def rows(part: str, pairs: int) -> list[dict[str, object]]:
    """Texts with one category, and pairs of them with two."""
    single = [(text, name) for text, name in examples(part) if name in CATEGORIES]
    found: list[dict[str, object]] = [{"text": text, "categories": [name]} for text, name in single]
    draw = np.random.default_rng(len(part))
    while len(found) < len(single) + pairs:
        (first, one), (second, other) = (single[n] for n in draw.choice(len(single), 2, replace=False))
        if one != other:
            found.append({"text": f"{first} {second}", "categories": [one, other]})
    return found


def write(file: Path, given: list[dict[str, object]]) -> Path:
    file.write_text("\n".join(map(json.dumps, given)))
    return file


def trained(folder: Path, mode: str, models: Path) -> Path:
    given, out = write(folder / f"{mode}.jsonl", rows("train", 200)), folder / mode
    asked = ["train", str(given), "--out", str(out), "--mode", mode, "--models", str(models)]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.exception
    assert "micro_f1" in told.output
    return out


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("several")


@pytest.fixture(scope="module")
def models(home: Path) -> Path:
    Tagger.load(home / "models")
    return home / "models"


@pytest.fixture(scope="module")
def made(home: Path, models: Path) -> Path:
    return trained(home, "head", models)


@pytest.mark.parametrize("mode", ["head", "few-shot"])
def test_each_category_is_judged_by_itself(home: Path, models: Path, made: Path, mode: str) -> None:
    folder = made if mode == "head" else trained(home, mode, models)
    tagger = Tagger.open(folder, models)
    judged = rows("heldout", 60)
    found = tagger.tag([str(row["text"]) for row in judged])
    said = np.array([[tagging.scores[name] >= 0.5 for name in CATEGORIES] for tagging in found])
    true = np.array([[name in row["categories"] for name in CATEGORIES] for row in judged])  # type: ignore[operator]
    assert 2 * (said & true).sum() / (said.sum() + true.sum()) > 0.75
    sums = np.array([sum(tagging.scores.values()) for tagging in found])
    assert sums.max() > 1.5, "scores of several categories do not share one whole"
    [both, one] = tagger.tag([BOTH, ONE])
    assert {name for name, score in both.scores.items() if score >= 0.5} == {"technical-issue", "delivery"}
    assert {name for name, score in one.scores.items() if score >= 0.5} == {"delivery"}


def test_any_of_its_categories_is_a_right_best_guess(models: Path, made: Path, home: Path) -> None:
    told = CliRunner().invoke(
        app,
        ["evaluate", str(write(home / "held.jsonl", rows("heldout", 40))), "--model", str(made), "--models", str(models)],
    )  # fmt: skip
    assert told.exit_code == 0, told.exception
    assert "best guess right" in told.output


def test_csv_holds_the_same_examples(home: Path) -> None:
    given = rows("train", 20)
    with (home / "same.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "categories"])
        writer.writerows([row["text"], "; ".join(row["categories"])] for row in given)  # type: ignore[arg-type]
    ours, theirs = data.read(home / "same.csv"), data.read(write(home / "same.jsonl", given))
    assert data.sha256(ours) == data.sha256(theirs)
    assert ours[-1].also


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"text": "a", "categories": ["oos", "billing"]}, "can't have one beside that"),
        ({"text": "a", "categories": []}, "needs a text and a label"),
        ({"text": "a", "categories": ["billing", 3]}, "needs a text and categories"),
        ({"text": "", "categories": ["billing", "delivery"]}, "needs a text and categories"),
        ({"text": "a", "label": "late", "category": "delivery"}, "finer than its category delivery"),
    ],
)
def test_examples_that_make_no_sense_are_refused(home: Path, bad: dict[str, object], words: str) -> None:
    file = write(home / "bad.jsonl", [*rows("train", 5), bad])
    with pytest.raises(DataError, match=words):
        data.names(data.read(file))


def test_the_api_tells_all_of_them(models: Path, made: Path) -> None:
    tagger = Tagger.open(made, models)
    [tagging] = tagger.tag([BOTH])
    told = prediction(tagging, tagger.version, whole=True)
    assert {told["category"], *told["also"]} == {"technical-issue", "delivery"}


def test_learning_from_reviews_of_one_category_is_refused(models: Path, made: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(models, tmp_path / "models", symlinks=True))
    registry.promote(made, own)
    given = adapt.Reviewed(np.zeros((50, 384), np.float32), np.zeros(50, np.int64))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(DataError, match="learns from files only"):
        adapt.make(own, given, [now] * 50, tmp_path / "out", now)


# -- in the plugin -------------------------------------------------------------------------------------------


@pytest.fixture
def kit(models: Path, made: Path, tmp_path: Path) -> Iterator[Kit]:
    own = Path(shutil.copytree(models, tmp_path / "models", symlinks=True))
    registry.promote(made, own)
    with Kit(AutoTag, config={"cache_dir": own}) as found:
        found.grant("ULENA", "tags.write")
        yield found


def file(kit: Kit, key: str, text: str) -> None:
    kit.event("ticket.created", TicketEvent(ticket=kit.tickets.add(key, text)), subject=key, serial=key)


def test_a_ticket_gets_all_its_labels_and_a_correction_takes_all_away(kit: Kit) -> None:
    file(kit, "SUP-1", BOTH)
    assert set(kit.tickets.labels("SUP-1")) == {"technical-issue", "delivery"}
    assert "technical-issue" in kit.chat.messages[0].text
    assert "delivery" in kit.chat.messages[0].text
    kit.choose("Wrong? Choose the right one", "billing", user="ULENA")
    assert kit.tickets.labels("SUP-1") == ("billing",)
    [review] = kit.records("review")
    assert (review.data["verdict"], review.data["category"]) == ("correct", "billing")


def test_one_of_them_alone_may_be_what_was_right(kit: Kit) -> None:
    file(kit, "SUP-1", BOTH)
    kit.choose("Wrong? Choose the right one", "delivery", user="ULENA")
    assert kit.tickets.labels("SUP-1") == ("delivery",)
    assert kit.records("review")[0].data["verdict"] == "correct"


def test_one_that_a_person_takes_away_in_the_helpdesk_is_a_word_against_it(kit: Kit) -> None:
    file(kit, "SUP-1", BOTH)
    kit.tickets.remove_label(key="SUP-1", label="delivery", step_key="by hand")
    changed = TicketEvent(ticket=kit.tickets.get("SUP-1"), labels_removed=("delivery",))
    kit.event("ticket.updated", changed, subject="SUP-1", serial="2")
    assert kit.tickets.labels("SUP-1") == ("technical-issue",), "it is not set again"
    [review] = kit.records("review")
    assert review.data["verdict"] == "reject"


def test_manifests_of_earlier_versions_know_one_category_a_text(models: Path) -> None:
    from ml.tagging.tagger import serving  # noqa: PLC0415

    kept = artifact.read(serving(models))
    earlier = kept.model_dump(mode="json", exclude={"several"})
    assert artifact.Manifest.model_validate(earlier).several is False
