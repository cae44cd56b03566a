"""When the tagger learns anew, what it learns, and who lets the result serve."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.core.memory import Record, Records
from bot.testing import START, Kit
from ml.tagging import DataError, Tagger, artifact
from ml.tagging.tagger import CHAMPION, examples, serving
from ml.tagging.training import adapt
from plugins.autotag import AutoTag, retraining, similar
from plugins.autotag.policy import Decision
from plugins.autotag.retraining import Outcome

pytestmark = pytest.mark.unit
SEED = "seed"


def decided(ticket: str, *, band: str = "apply", confidence: float = 0.9, days_ago: float = 10) -> Record:
    decision = Decision(
        ticket=ticket, band=band, reason="clear match", text_hash="h", category="billing",
        confidence=confidence, scores={"billing": confidence}, model_version=SEED,
    )  # fmt: skip
    at = START - timedelta(days=days_ago)
    return Record(ticket, "decision", ticket, None, at, decision.model_dump(mode="json"))


def said(ticket: str, category: str | None, days_ago: float = 5) -> Record:
    data = {"verdict": "correct", "category": category, "by": "ULENA", "decided": None}
    return Record(ticket, "review", ticket, None, START - timedelta(days=days_ago), data)


def found(decisions: Sequence[Record], reviews: Sequence[Record] = ()) -> list[Outcome]:
    return retraining.outcomes(decisions, reviews, START)


def test_a_tag_that_nobody_changed_for_three_days_counts_as_right() -> None:
    [old] = found([decided("A", days_ago=4), decided("B", days_ago=2)])
    assert (old.ticket, old.truth, old.right, old.reviewed) == ("A", "billing", True, False)


def test_suggestions_that_nobody_answered_count_for_nothing() -> None:
    assert found([decided("A", band="suggest")]) == []


def test_what_people_said_counts_and_stands_in_order() -> None:
    [first, second] = found([decided("A"), decided("B")], [said("A", "delivery", 1), said("B", None, 2)])
    assert [(o.ticket, o.truth, o.right) for o in (first, second)] == [
        ("B", "", False),
        ("A", "delivery", False),
    ]


def test_it_is_due_when_enough_was_said_and_a_week_has_passed() -> None:
    reviewed = found([decided(str(n)) for n in range(50)], [said(str(n), "billing", 2) for n in range(50)])
    week = timedelta(days=7)
    assert "50 tickets" in retraining.due(reviewed, None, week, START)
    assert retraining.due(reviewed[:49], None, week, START) == ""
    assert retraining.due(reviewed, START - timedelta(days=6), week, START) == ""
    assert retraining.due(reviewed, START - timedelta(days=8), week, START)
    assert retraining.due(reviewed, START - timedelta(days=1), timedelta(hours=1), START) == ""


def test_too_many_wrong_tags_are_a_drop_of_precision() -> None:
    decisions = [decided(str(n)) for n in range(60)]
    good = found(decisions, [said("0", "delivery")])
    bad = found(decisions, [said(str(n), "delivery") for n in range(12)])
    assert retraining.degraded(good, SEED, 0.95, START) == ""
    assert "80% were right; 95%" in retraining.degraded(bad, SEED, 0.95, START)
    assert retraining.degraded(bad, "another", 0.95, START) == "", "of a model that serves no more"
    assert retraining.degraded(bad[:40], SEED, 0.95, START) == "", "too few to tell from chance"
    assert retraining.degraded(bad, SEED, 0.95, START + timedelta(days=30)) == "", "long ago"


def test_a_confidence_that_is_not_kept_is_a_drop_even_where_nothing_is_applied() -> None:
    decisions = [decided(str(n), band="suggest", confidence=0.8) for n in range(60)]
    kept = found(decisions, [said(str(n), "billing" if n < 46 else "delivery") for n in range(60)])
    broken = found(decisions, [said(str(n), "billing" if n < 30 else "delivery") for n in range(60)])
    assert retraining.degraded(kept, SEED, 0.95, START) == ""
    assert "promised 48" in retraining.degraded(broken, SEED, 0.95, START)


# -- learning ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp() / "learning-models"
    folder.mkdir(exist_ok=True)
    Tagger.load(folder)
    return folder


@pytest.fixture
def models(built: Path, tmp_path: Path) -> Path:
    """A copy, in which another model may be promoted."""
    return Path(shutil.copytree(built, tmp_path / "models", symlinks=True))


def house_rules() -> list[tuple[str, str]]:
    """Texts with what this team calls them: what others call billing is a product question here."""
    rows = [(text, "product-question" if name == "billing" else name) for text, name in examples("train")]
    order = np.random.default_rng(1).permutation(len(rows)).tolist()
    return [rows[place] for place in order]


def reviewed(models: Path, *, right: bool = False) -> adapt.Reviewed:
    tagger = Tagger.load(models)
    categories = list(tagger_scores(models))
    rows = house_rules()
    vectors = np.array([tagger.embed(text) for text, _ in rows], np.float32)
    names = [max(t.scores, key=t.scores.__getitem__) for t in tagger.tag([text for text, _ in rows])]
    wanted = names if right else [name for _, name in rows]
    return adapt.Reviewed(vectors, np.array([categories.index(name) for name in wanted], np.int64))


def tagger_scores(models: Path) -> tuple[str, ...]:
    from ml.tagging import artifact  # noqa: PLC0415

    return artifact.read(serving(models)).categories


def test_it_learns_what_people_say_and_forgets_nothing_else(models: Path, tmp_path: Path) -> None:
    given = reviewed(models)
    manifest, comparison = adapt.make(models, given, [START] * len(given), tmp_path / "new", START)
    assert comparison.low > 0, str(comparison)
    new, old = Tagger.open(tmp_path / "new", models), Tagger.load(models)
    assert manifest.facts.settings["parent"] == old.version
    rest = [(text, name) for text, name in examples("heldout") if name not in {"billing", "product-question"}]
    before, after = (
        sum(max(t.scores, key=t.scores.__getitem__) == name for t, (_, name) in
            zip(tagger.tag([text for text, _ in rest]), rest, strict=True))
        for tagger in (old, new)
    )  # fmt: skip
    assert after >= before - 2, "what nobody reviewed must stay"
    bill = new.tag(["My invoice shows a charge that I do not understand"])[0].scores
    assert max(bill, key=bill.__getitem__) == "product-question"


def test_reviews_that_agree_give_nothing_better(models: Path, tmp_path: Path) -> None:
    given = reviewed(models, right=True)
    _, comparison = adapt.make(models, given, [START] * len(given), tmp_path / "new", START)
    assert comparison.gain <= 0


def test_rejections_without_a_category_lower_the_bands_only(models: Path) -> None:
    from ml.tagging import artifact  # noqa: PLC0415

    head = artifact.read(serving(models)).head(serving(models))
    given = reviewed(models, right=True)
    half = np.where(np.arange(len(given)) % 2, given.wanted, adapt.NONE)
    sure, doubted = (
        adapt.adapted(head, given, 0.95),
        adapt.adapted(head, adapt.Reviewed(given.vectors, half), 0.95),
    )
    assert min(b.apply_at for b in doubted.bands.values()) > max(b.apply_at for b in sure.bands.values())


def test_an_adapted_model_is_judged_by_what_came_after_it_and_learns_from_its_own_prior(
    models: Path, tmp_path: Path
) -> None:
    from ml.tagging import artifact, registry  # noqa: PLC0415

    given = reviewed(models)
    root = serving(models)
    adapt.make(models, given, [START] * len(given), tmp_path / "first", START)
    registry.promote(tmp_path / "first", models)
    old = [START - timedelta(days=1)] * len(given)
    with pytest.raises(DataError, match="0 new reviews are too few"):
        adapt.make(models, given, old, tmp_path / "none", START + timedelta(days=7))
    later = [*old[:-40], *[START + timedelta(days=1)] * 40]
    second, comparison = adapt.make(models, given, later, tmp_path / "second", START + timedelta(days=7))
    assert abs(comparison.gain) < 0.1, "both know what was said"
    prior = artifact.read(root).head(root)
    assert second.facts.settings["prior_temperature"] == prior.temperature
    again, first = (artifact.read(tmp_path / name).head(tmp_path / name) for name in ("second", "first"))
    assert np.allclose(again.weights, first.weights, atol=1e-5), "the same reviews on the same prior"


def test_a_folder_that_holds_a_model_is_not_written_over(models: Path, tmp_path: Path) -> None:
    given = reviewed(models)
    shutil.copytree(serving(models), tmp_path / "taken")
    with pytest.raises(DataError, match="Choose another folder"):
        adapt.make(models, given, [START] * len(given), tmp_path / "taken", START)


# -- in the plugin -------------------------------------------------------------------------------------------


@pytest.fixture
def kit(models: Path) -> Iterator[Kit]:
    with Kit(AutoTag, config={"cache_dir": models}) as made:
        made.grant("ULENA", "tags.promote")
        yield made


def remember(kit: Kit, models: Path, *, agree: bool = False) -> None:
    """As if people had reviewed tickets for some days."""
    tagger = Tagger.load(models)
    records = Records(kit.kernel.db, "autotag", None, kit.clock)
    ctx = type("Ctx", (), {"records": records})()
    rows = house_rules()
    for number, ((text, truth), tagging) in enumerate(
        zip(rows, tagger.tag([text for text, _ in rows]), strict=True)
    ):
        key = f"SUP-{number}"
        ticket = kit.tickets.add(key, text)
        best = max(tagging.scores, key=tagging.scores.__getitem__)
        decision = Decision(
            ticket=key, band="suggest", reason="-", text_hash="h", category=best,
            confidence=tagging.confidence, scores=tagging.scores, model_version=tagger.version,
        )  # fmt: skip
        records.append("decision", key, decision.model_dump(mode="json"))
        similar.remember(ticket, tagger.embed(text), tagger.encoder_version, ctx)
        category = best if agree else truth
        records.append("review", key, {"verdict": "x", "category": category, "by": "ULENA", "decided": None})
    kit.advance(days=1)


def told(kit: Kit) -> str:
    return "\n".join(shown.text for shown in kit.chat.messages)


def test_what_it_learned_is_offered_and_serves_when_a_person_says_so(kit: Kit, models: Path) -> None:
    before = Tagger.load(models).version
    remember(kit, models)
    kit.tick("retrain")
    assert "Tagging learned from your reviews" in told(kit)
    assert Tagger.load(models).version == before, "nothing serves without a word"
    kit.rerun()
    assert len(kit.chat.messages) == 1
    kit.click("Let it serve", user="ULENA")
    assert "/adapted/" in Tagger.load(models).version
    assert "It serves" in told(kit)
    assert [a.action for a in kit.audit if a.action.startswith("tags.")] == ["tags.model_promoted"]
    assert not list((models / "challengers").iterdir()), "what serves is a copy"
    [change] = kit.kernel.ledger.find(record_type="change")
    assert (change.status, change.body["change_type"]) == ("implemented", "normal")
    assert [word["authority"] for word in change.body["authorisation"]] == ["ULENA"]
    assert change.body["before"] == {"champion": before}
    # From a tag's line, which names the model, to its digest, that of the examples, and who approved it.
    model, data = change.body["items"]
    champion = (models / CHAMPION).resolve()
    assert (model["version"], model["digest"]) == (Tagger.load(models).version, artifact.digest(champion))
    assert data["digest"] == artifact.read(champion).facts.data_sha256


def test_keeping_the_present_one_changes_nothing(kit: Kit, models: Path) -> None:
    before = Tagger.load(models).version
    remember(kit, models)
    kit.tick("retrain")
    kit.click("Keep the present one", user="ULENA")
    assert Tagger.load(models).version == before
    assert "kept" in told(kit)


def test_who_may_not_is_refused(kit: Kit, models: Path) -> None:
    before = Tagger.load(models).version
    remember(kit, models)
    kit.tick("retrain")
    kit.click("Let it serve", user="UEVE")
    assert Tagger.load(models).version == before


def test_the_policy_lets_serve_what_is_surely_better(models: Path) -> None:
    with Kit(AutoTag, config={"cache_dir": models, "retrain": "gate"}) as kit:
        remember(kit, models)
        kit.tick("retrain")
        assert "/adapted/" in Tagger.load(models).version
        assert "the policy" in told(kit)
        [change] = kit.kernel.ledger.find(record_type="change")
        assert (change.status, change.body["change_type"]) == ("closed", "standard")


def test_without_the_template_the_policy_asks(models: Path) -> None:
    before = Tagger.load(models).version
    config = {"cache_dir": models, "retrain": "gate"}
    with Kit(AutoTag, config=config, settings={"records": {"templates": []}}) as kit:
        remember(kit, models)
        kit.tick("retrain")
        assert Tagger.load(models).version == before
        assert "Tagging learned from your reviews" in told(kit)


def test_where_people_agree_nothing_is_said(kit: Kit, models: Path) -> None:
    remember(kit, models, agree=True)
    kit.tick("retrain")
    assert kit.chat.messages == []
    assert Tagger.load(models).version.startswith("seed/")


def test_switched_off_it_does_nothing(models: Path) -> None:
    with Kit(AutoTag, config={"cache_dir": models, "retrain": "off"}) as kit:
        remember(kit, models)
        kit.tick("retrain")
        assert kit.chat.messages == []
        assert not (models / "challengers").exists()


def test_an_offer_beside_a_model_that_serves_no_more_says_so(kit: Kit, models: Path, tmp_path: Path) -> None:
    from ml.tagging import registry  # noqa: PLC0415

    remember(kit, models)
    kit.tick("retrain")
    given = reviewed(models)
    adapt.make(models, given, [START] * len(given), tmp_path / "other", START)
    registry.promote(tmp_path / "other", models)
    kit.click("Let it serve", user="ULENA")
    assert "Not to be decided any more" in told(kit)


def test_a_challenger_that_was_tampered_with_does_not_serve(kit: Kit, models: Path) -> None:
    before = Tagger.load(models).version
    remember(kit, models)
    kit.tick("retrain")
    [made] = (models / "challengers").iterdir()
    (made / "head.safetensors").write_bytes(b"other")
    kit.click("Let it serve", user="ULENA")
    assert Tagger.load(models).version == before
    assert "Not to be decided any more" in told(kit)


def test_a_label_set_that_changed_under_way_refuses_what_is_no_category_any_more(
    models: Path, tmp_path: Path
) -> None:
    from bot.plugin import TicketEvent  # noqa: PLC0415
    from ml.tagging import registry  # noqa: PLC0415
    from ml.tagging.training.data import Example, Parts  # noqa: PLC0415
    from ml.tagging.training.run import Plan, train  # noqa: PLC0415

    with Kit(AutoTag, config={"cache_dir": models}) as kit:
        kit.grant("ULENA", "tags.write")
        ticket = kit.tickets.add("SUP-1", "The invoice app crashes when I log in")
        kit.event("ticket.created", TicketEvent(ticket=ticket), subject="SUP-1", serial="1")
        offered = kit.chat.messages[0].buttons[0].split()[0]
        given = [Example(text, f"our-{name}", f"our-{name}") for text, name in examples("train")]
        train(
            Parts(given, ()),
            Plan("house", "few-shot"),
            tmp_path / "house",
            models,
            lambda _what, _share: None,
        )
        registry.promote(tmp_path / "house", models)
        kit.click(kit.chat.messages[0].buttons[0], user="ULENA")
        assert f"'{offered}' is not a category any more" in kit.reply.text
        assert kit.tickets.labels("SUP-1") == ()
        kit.event("ticket.updated", TicketEvent(ticket=ticket), subject="SUP-1", serial="2")
        assert kit.tickets.labels("SUP-1") == (), "what was decided stays decided"
