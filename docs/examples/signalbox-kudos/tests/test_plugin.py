from __future__ import annotations

from signalbox_kudos import Kudos

from bot.testing import Conformance, Kit, text_of


def test_somebody_is_thanked_in_public_and_counted() -> None:
    with Kit(Kudos) as kit:
        kit.command("/signalbox kudos <@U2> for the quick fix", user="U1")
        assert "for the quick fix" in text_of(kit.reply.message)
        kit.advance(hours=1)
        kit.tick("count")
        assert "<@U2>: 1" in text_of(kit.chat.messages[-1].message)


def test_nobody_thanks_themselves() -> None:
    with Kit(Kudos) as kit:
        kit.command("/signalbox kudos <@U1> for all", user="U1")
        assert kit.records("kudos") == []


def test_what_is_said_can_call_nobody() -> None:
    with Kit(Kudos) as kit:
        kit.command("/signalbox kudos <@U2> for <!channel>", user="U1")
        assert "<!channel>" not in kit.reply.message.text


class TestKudos(Conformance):
    plugin = Kudos
