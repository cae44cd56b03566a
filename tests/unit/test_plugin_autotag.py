"""Autotag with the real model: sure tags by itself, doubtful ones by asking, people's word above all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.core.memory import Documents
from bot.plugin import SharedLinks, Ticket, TicketEvent, Transient, User
from bot.testing import Conformance, Delivered, Kit
from bot.testing.conformance import Samples
from plugins.autotag import AutoTag, challenger_messages, model
from plugins.autotag.challengers import Challenger
from plugins.autotag.policy import BY_A_PERSON

pytestmark = pytest.mark.unit
REFUND = "I was charged twice, please refund my money"
DOUBTFUL = "The invoice page crashes when I log in"
NOISE = "asdf qwer zxcv"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def kit(models: Path) -> Iterator[Kit]:
    with make(models) as made:
        yield made


def make(models: Path, **config: object) -> Kit:
    made = Kit(AutoTag, config={"cache_dir": models, "ticket_project": "SUP", **config})
    made.grant("ULENA", "tags.write")
    return made


def file(kit: Kit, key: str, summary: str, *, kind: str = "created", **fields: object) -> Delivered:
    """Deliver the webhook of a ticket that says `summary`."""
    return deliver(kit, kit.tickets.add(key, summary, **fields), kind=kind)


def deliver(kit: Kit, ticket: Ticket, *, kind: str = "updated", **about: object) -> Delivered:
    event = TicketEvent(ticket=ticket, **about)
    return kit.event(f"ticket.{kind}", event, subject=ticket.key, serial=ticket.key)


class TestAutoTag(Conformance):
    plugin = AutoTag

    @pytest.fixture(autouse=True)
    def _models(self, models: Path) -> None:
        self.models = models

    def kit(self) -> Kit:
        return make(self.models)

    def prepare(self, kit: Kit) -> None:
        kit.grant("U1", "*")
        file(kit, "SUP-1", DOUBTFUL)
        file(kit, "SUP-8", REFUND)
        kit.tickets.add("SUP-9", REFUND)

    def samples(self) -> Samples:
        return {
            "a sure one": lambda kit: file(kit, "SUP-2", REFUND),
            "a doubtful one": lambda kit: file(kit, "SUP-3", DOUBTFUL),
            "an update": lambda kit: file(kit, "SUP-4", REFUND, kind="updated"),
            "a correction": lambda kit: kit.click(kit.chat.messages[0].buttons[1]),
            "a rejection": lambda kit: kit.click("None of these"),
            "another category": lambda kit: kit.choose("Another category", "delivery"),
            "a wrong tag": lambda kit: kit.choose("Wrong? Choose the right one", "delivery"),
            "a message": lambda kit: kit.shortcut(
                "Tag this as a ticket", kit.chat.say(REFUND, user="UBOB", channel="#support")
            ),
            "a link": lambda kit: kit.event(
                "slack.links",
                SharedLinks(
                    urls=("https://tickets.example/browse/SUP-9",), user=User(id="U1"), channel="C1", ts="5.1"
                ),
            ),
            "a command": lambda kit: kit.command("/signalbox tag SUP-9", user="U1"),
            "a challenger": lambda kit: press(kit, self.models, "Let it serve"),
            "a challenger that is not wanted": lambda kit: press(kit, self.models, "Keep the present one"),
        }


def press(kit: Kit, models: Path, button: str) -> Delivered:
    """Press a button of an offer; the model in it is the one that serves already."""
    serving = model.load(models).version
    offer = Challenger(
        id="tick",
        at=kit.clock(),
        against=serving,
        version=serving,
        why="-",
        dropped=False,
        learned=60,
        state="ready",
        folder=str(models / "challengers" / "tick"),
    )
    Documents(kit.kernel.db, "autotag", kit.clock).put("challenger:tick", offer.model_dump(mode="json"))
    shown = kit.kernel.buttons.register(challenger_messages.message(offer), "autotag", "sample")
    return kit.click(button, message=shown)


def test_a_sure_ticket_is_tagged_and_told(kit: Kit) -> None:
    file(kit, "SUP-1", REFUND, labels=("vip",))
    assert set(kit.tickets.labels("SUP-1")) == {"vip", "payment-refund"}
    [shown] = kit.chat.in_channel("#support")
    assert "payment-refund" in shown.text
    [decision] = kit.records("decision")
    assert decision.data["model_version"]
    assert decision.data["confidence"] > 0.9
    [row] = kit.audit
    assert (row.actor, row.action, row.subject) == ("plugin:autotag", "tags.apply", "SUP-1")
    assert row.before == {"labels": ["vip"]}
    assert row.after["label"] == "payment-refund"
    assert sum(decision.data["scores"].values()) == pytest.approx(1, abs=0.01)


def test_a_doubtful_ticket_is_asked_about_and_one_click_settles_it(kit: Kit) -> None:
    file(kit, "SUP-1", DOUBTFUL)
    assert kit.tickets.labels("SUP-1") == ()
    [shown] = kit.chat.in_channel("#support")
    second = shown.buttons[1]
    kit.click(second, user="ULENA")
    assert kit.tickets.labels("SUP-1") == (second.split()[0],)
    [review] = kit.records("review")
    assert review.data["verdict"] == "correct"
    assert review.data["by"] == "ULENA"


def test_none_of_these_is_remembered_and_sets_nothing(kit: Kit) -> None:
    file(kit, "SUP-1", DOUBTFUL)
    kit.click("None of these", user="ULENA")
    assert kit.tickets.labels("SUP-1") == ()
    assert kit.records("review")[0].data["verdict"] == "reject"


def test_any_category_can_be_chosen(kit: Kit) -> None:
    file(kit, "SUP-1", DOUBTFUL)
    kit.choose("Another category", "delivery", user="ULENA")
    assert kit.tickets.labels("SUP-1") == ("delivery",)
    assert kit.records("review")[0].data["verdict"] == "correct"


def test_a_wrong_tag_is_taken_back_with_one_choice(kit: Kit) -> None:
    file(kit, "SUP-1", REFUND, labels=("vip",))
    kit.choose("Wrong? Choose the right one", "billing", user="ULENA")
    assert set(kit.tickets.labels("SUP-1")) == {"vip", "billing"}
    [review] = kit.records("review")
    assert (review.data["verdict"], review.data["category"]) == ("correct", "billing")
    assert [row.action for row in kit.audit] == ["tags.apply", "tags.undo", "tags.correct"]


def test_a_wrong_tag_can_be_taken_back_without_another(kit: Kit) -> None:
    file(kit, "SUP-1", REFUND)
    kit.choose("Wrong? Choose the right one", "none", user="ULENA")
    assert kit.tickets.labels("SUP-1") == ()
    assert kit.records("review")[0].data["verdict"] == "reject"


@pytest.mark.parametrize(
    ("text", "change", "verdict", "category"),
    [
        (REFUND, {"labels_removed": ("payment-refund",)}, "reject", None),
        (REFUND, {"labels_removed": ("payment-refund",), "labels_added": ("billing",)}, "correct", "billing"),
        (DOUBTFUL, {"labels_added": ("billing",)}, "accept", "billing"),
        (DOUBTFUL, {"labels_added": ("delivery",)}, "correct", "delivery"),
        (NOISE, {"labels_added": ("delivery",)}, "correct", "delivery"),
    ],
)
def test_labels_changed_in_the_helpdesk_are_a_review(
    kit: Kit, text: str, change: dict[str, tuple[str, ...]], verdict: str, category: str | None
) -> None:
    file(kit, "SUP-1", text)
    deliver(kit, kit.tickets.relabel("SUP-1", *change.get("labels_added", ())), actor="lena", **change)
    [review] = kit.records("review")
    assert (review.data["verdict"], review.data["category"]) == (verdict, category)
    assert review.data["by"] == "lena"


def test_other_labels_say_nothing(kit: Kit) -> None:
    file(kit, "SUP-1", REFUND)
    deliver(kit, kit.tickets.relabel("SUP-1", "payment-refund", "vip"), labels_added=("vip",))
    assert kit.records("review") == []


def test_effort_is_counted_from_what_happened(kit: Kit) -> None:
    file(kit, "SUP-1", REFUND)
    file(kit, "SUP-2", REFUND + ".")
    file(kit, "SUP-3", DOUBTFUL)
    file(kit, "SUP-4", NOISE)
    kit.click("None of these", user="ULENA")
    deliver(kit, kit.tickets.relabel("SUP-2"), labels_removed=("payment-refund",))
    kit.command("/signalbox tags 7")
    assert "25 % (1 of 4) of the tickets needed nobody" in kit.reply.text
    assert (
        "*1* of those tagged without asking were corrected or undone: 50 % (1 of 2) stood" in kit.reply.text
    )
    kit.advance(days=8)
    kit.command("/signalbox tags 7")
    assert "*0* tickets decided" in kit.reply.text


def test_who_may_not_tag_is_told_so(kit: Kit) -> None:
    file(kit, "SUP-1", DOUBTFUL)
    [shown] = kit.chat.messages
    kit.click(shown.buttons[0], user="UCAROL")
    assert kit.tickets.labels("SUP-1") == ()
    assert "tags.write" in kit.reply.text


def test_what_says_nothing_is_left_alone_until_it_says_more(kit: Kit) -> None:
    file(kit, "SUP-1", NOISE)
    assert kit.tickets.labels("SUP-1") == ()
    assert kit.chat.messages == []
    deliver(kit, kit.tickets.add("SUP-1", REFUND))
    assert kit.tickets.labels("SUP-1") == ("payment-refund",)


def test_a_label_by_a_person_is_the_last_word(kit: Kit) -> None:
    file(kit, "SUP-1", REFUND, labels=("billing",))
    assert kit.tickets.labels("SUP-1") == ("billing",)
    assert kit.records("decision")[0].data["reason"] == BY_A_PERSON


def test_a_label_that_a_person_removed_is_not_set_again(kit: Kit) -> None:
    file(kit, "SUP-1", REFUND)
    deliver(kit, kit.tickets.relabel("SUP-1"), labels_removed=("payment-refund",))
    kit.command("/signalbox tag SUP-1", user="ULENA")
    assert kit.tickets.labels("SUP-1") == ()
    assert "took payment-refund away" in kit.reply.text


def test_a_label_that_came_and_went_in_the_helpdesk_is_not_set_later(kit: Kit) -> None:
    file(kit, "SUP-1", NOISE)
    deliver(kit, kit.tickets.relabel("SUP-1", "payment-refund"), labels_added=("payment-refund",))
    deliver(kit, kit.tickets.relabel("SUP-1"), labels_removed=("payment-refund",))
    deliver(kit, kit.tickets.add("SUP-1", REFUND))
    assert kit.tickets.labels("SUP-1") == ()


def test_a_press_that_comes_late_sets_no_second_label(kit: Kit) -> None:
    file(kit, "SUP-1", DOUBTFUL)
    deliver(kit, kit.tickets.relabel("SUP-1", "billing"), labels_added=("billing",), actor="lena")
    kit.choose("Another category", "delivery", user="ULENA")
    assert kit.tickets.labels("SUP-1") == ("billing",)
    assert "SUP-1 is billing by now; nothing was set." in kit.reply.text
    assert [review.data["by"] for review in kit.records("review")] == ["lena"]


def test_our_own_change_does_not_come_back_to_us(kit: Kit) -> None:
    deliver(kit, kit.tickets.add("SUP-1", REFUND), by_us=True)
    assert kit.tickets.labels("SUP-1") == ()


@pytest.mark.parametrize(
    ("config", "fields"),
    [({}, {"status": "Done"}), ({"projects": ("OPS",)}, {"project": "SUP"})],
    ids=["closed", "another project"],
)
def test_tickets_that_are_none_of_our_business(
    models: Path, config: dict[str, object], fields: dict[str, str]
) -> None:
    with make(models, **config) as kit:
        file(kit, "SUP-1", REFUND, **fields)
        assert kit.tickets.labels("SUP-1") == ()
        assert kit.records("decision") == []


def test_prefix_is_part_of_the_label(models: Path) -> None:
    with make(models, label_prefix="q-", announce=False) as kit:
        file(kit, "SUP-1", REFUND)
        assert kit.tickets.labels("SUP-1") == ("q-payment-refund",)
        assert kit.chat.messages == []


def test_hostile_text_is_text(kit: Kit) -> None:
    file(kit, "SUP-1", f"<!channel> <https://evil.example|Reset> {REFUND}")
    [shown] = kit.chat.messages
    assert "<!channel>" not in shown.message.model_dump_json()


def test_a_model_that_cannot_be_loaded_delays_and_shows(
    kit: Kit, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Path) -> model.Tagger:
        raise Transient("The tagging model can't be loaded: disk full")

    with monkeypatch.context() as broken:
        broken.setattr(model, "load", away)
        file(kit, "SUP-1", REFUND)
        assert kit.health().status == "degraded"
    kit.settle()
    assert kit.tickets.labels("SUP-1") == ("payment-refund",)
    assert kit.health().status == "ok"


@pytest.mark.parametrize("typed", ["", "no key", "../../rest/api/3/user", "SUP-404"])
def test_a_mistyped_key_is_answered_and_is_no_dead_letter(kit: Kit, typed: str) -> None:
    kit.command(f"/signalbox tag {typed}", user="ULENA")
    assert kit.reply.text
    assert kit.deadletters == []
