"""Any message can join the timeline of an open incident, from its menu."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alert_kit import fires, relay_kit

from bot.core.errors import Permanent
from bot.plugin import MessageRef, Reaction, User
from bot.testing import Delivered, Kit

pytestmark = pytest.mark.unit
SAID = "Rolled back to 4.2 <!channel>"


@pytest.fixture
def kit() -> Iterator[Kit]:
    with relay_kit() as made:
        yield made


def say(kit: Kit, text: str = SAID) -> MessageRef:
    return kit.chat.say(text, user="UEVE", channel="#deploys")


def choose(kit: Kit, said: MessageRef, user: str = "UANN", **more: bool) -> Delivered:
    return kit.shortcut("Add to incident", said, user=user, **more)


def story(kit: Kit, key: str = "INC-1") -> str:
    kit.command(f"/signalbox incident {key}", user="UANN")
    return kit.reply.text


def test_a_message_joins_the_chosen_incident(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    fires(kit, "DiskFull", service="database")
    said = say(kit)
    choose(kit, said)
    modal = kit.chat.modals[-1]
    assert [option.value for option in modal.inputs[0].options] == ["INC-2", "INC-1"]
    kit.submit({"incident": "INC-1"}, user="UANN")
    assert "Added to the timeline of" in kit.reply.text
    shown = story(kit)
    assert "Rolled back to 4.2" in shown
    assert "<!channel>" not in kit.reply.message.model_dump_json()
    assert f"https://chat.example/{said.ts}" in str(kit.reply.message)
    assert "Rolled back" not in story(kit, "INC-2")
    [mark] = kit.records("marked")
    assert (mark.data["author"], mark.data["by"]) == ("UEVE", "UANN")
    assert [row.subject for row in kit.audit if row.action == "incident.note"] == ["INC-1"]


def test_added_twice_it_stands_there_once(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    said = say(kit)
    for user in ("UANN", "UBOB"):
        choose(kit, said, user)
        kit.submit({"incident": "INC-1"}, user=user)
    assert "stands already in the timeline of" in kit.reply.text
    assert story(kit).count("Rolled back") == 1
    assert len(kit.records("marked")) == 1


def test_marked_and_added_it_stands_there_once(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    [line] = kit.chat.in_channel("#alerts")
    said = kit.chat.say(SAID, user="UEVE", channel="#alerts", thread=line.ts)
    kit.event("slack.reaction", Reaction(emoji="memo", user=User(id="UBOB"), channel="#alerts", ts=said.ts))
    choose(kit, said)
    kit.submit({"incident": "INC-1"}, user="UANN")
    assert "stands already" in kit.reply.text
    assert story(kit).count("Rolled back") == 1


def test_without_an_open_incident_no_form_opens(kit: Kit) -> None:
    choose(kit, say(kit))
    assert "No incident is open" in kit.reply.text
    assert kit.chat.modals == []


def test_an_incident_that_is_over_is_not_offered(kit: Kit) -> None:
    started = kit.clock()
    fires(kit, "HighErrorRate")
    fires(kit, "HighErrorRate", started=started, ended=kit.clock())
    choose(kit, say(kit))
    assert "No incident is open" in kit.reply.text


def test_what_apps_say_may_join_and_what_says_nothing_may_not(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    choose(kit, say(kit), by_app=True)
    assert len(kit.chat.modals) == 1
    assert choose(kit, say(kit, "")).refused
    assert "has no text" in kit.reply.text


def test_who_may_not_is_told_before_and_after_the_form(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    said = say(kit)
    assert choose(kit, said, "UEVE").refused
    choose(kit, said)
    assert kit.submit({"incident": "INC-1"}, user="UEVE").refused
    assert kit.records("marked") == []


def test_a_form_that_waited_for_weeks_says_so(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    choose(kit, say(kit))
    kit.advance(days=8)
    kit.tick("tidy")
    assert kit.submit({"incident": "INC-1"}, user="UANN").refused
    assert "too old" in kit.reply.text


def test_where_the_bot_may_not_look_the_text_is_added_without_a_link(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    choose(kit, say(kit))
    kit.chat.fail(Permanent("The bot is not in this channel."), on="permalink")
    kit.submit({"incident": "INC-1"}, user="UANN")
    assert kit.records("marked")[0].data["address"] == ""
    assert "Rolled back" in story(kit)


def test_the_post_mortem_links_to_the_message(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    said = say(kit)
    choose(kit, said)
    kit.submit({"incident": "INC-1"}, user="UANN")
    kit.command("/signalbox incident export INC-1", user="UANN")
    [markdown] = [file.content.decode() for file in kit.chat.files if file.filename == "INC-1.md"]
    assert f"([message](https://chat.example/{said.ts}))" in markdown
