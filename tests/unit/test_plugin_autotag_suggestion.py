"""What a suggestion tells besides the categories: words, priority, similar tickets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.plugin import TicketEvent
from bot.testing import Kit, text_of
from plugins.autotag import AutoTag, similar

pytestmark = pytest.mark.unit
REFUND = "I was charged twice, please refund my money"
DOUBTFUL = "The invoice app crashes when I log in"


@pytest.fixture
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    folder: Path = tmp_path_factory.getbasetemp() / "suggestion-models"
    with Kit(AutoTag, config={"cache_dir": folder}) as made:
        made.grant("ULENA", "tags.write")
        yield made


def file(kit: Kit, key: str, summary: str, **fields: object) -> None:
    event = TicketEvent(ticket=kit.tickets.add(key, summary, **fields))
    kit.event("ticket.created", event, subject=key, serial=key)


def test_the_words_that_spoke_stand_in_the_decision_and_the_message(kit: Kit) -> None:
    file(kit, "SUP-1", REFUND, priority="High")
    [decision] = kit.records("decision")
    assert "refund" in decision.data["words"]
    said = text_of(kit.chat.messages[-1].message)
    assert "because of: " in said
    assert "language en · priority High" in said


def test_similar_past_tickets_are_shown_with_what_people_called_them(kit: Kit) -> None:
    file(kit, "SUP-1", "The invoice app crashes after I log in")
    kit.choose("Another category", "delivery", user="ULENA")
    file(kit, "SUP-2", "Where is my parcel, it should have come on Monday")
    file(kit, "SUP-3", DOUBTFUL)
    said = text_of(kit.chat.messages[-1].message)
    assert "Similar:" in said
    assert "SUP-1" in said.partition("Similar:")[2]
    assert "delivery" in said.partition("Similar:")[2]
    assert "SUP-2" not in said.partition("Similar:")[2]


def test_hostile_words_of_a_similar_ticket_stay_words(kit: Kit) -> None:
    file(kit, "SUP-1", f"{DOUBTFUL} <!channel>")
    file(kit, "SUP-2", DOUBTFUL)
    assert "<!channel>" not in kit.chat.messages[-1].message.model_dump_json()


def test_a_ticket_is_remembered_once_and_not_similar_to_itself(kit: Kit) -> None:
    file(kit, "SUP-1", DOUBTFUL)
    kit.rerun()
    assert len(kit.records(similar.VECTOR)) == 1
    assert "Similar:" not in text_of(kit.chat.messages[-1].message)


def test_vectors_of_another_encoder_are_not_compared(kit: Kit) -> None:
    file(kit, "SUP-1", DOUBTFUL)
    ctx_like = [record.data | {"encoder": "another"} for record in kit.records(similar.VECTOR)]
    assert ctx_like[0]["encoder"] == "another"
    from bot.core.memory import Records  # noqa: PLC0415

    Records(kit.kernel.db, "autotag").append(similar.VECTOR, "SUP-0", ctx_like[0])
    file(kit, "SUP-2", DOUBTFUL)
    assert "SUP-0" not in text_of(kit.chat.messages[-1].message)
