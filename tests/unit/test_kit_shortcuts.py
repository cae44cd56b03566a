"""Shortcuts as a plugin's author declares and tests them."""

from __future__ import annotations

import pytest

from bot.core.errors import ConfigError
from bot.plugin import Context, Message, Modal, Plugin, PluginConfig, Shortcut, md, mention, shortcut
from bot.testing import Conformance, Kit, Samples

pytestmark = pytest.mark.unit


class Kudos(Plugin):
    name = "kudos"

    @shortcut("praise", title="Praise this", permission="kudos.give")
    def praise(self, asked: Shortcut, ctx: Context) -> None:
        """Thank who wrote this message."""
        ctx.step("thank", ctx.chat.post, channel=asked.message.channel, message=Message(text="Thank you!"))
        ctx.reply(md("{} will be glad.", mention(asked.message.user.id)))

    @shortcut("why", title="Praise with words", help="Asks why.", permission="kudos.give")
    def why(self, asked: Shortcut, ctx: Context) -> None:
        ctx.step(
            "form", ctx.chat.open_modal, trigger_id=asked.trigger_id, modal=Modal(view="w", title="Why?")
        )


class TestKudos(Conformance):
    plugin = Kudos

    def prepare(self, kit: Kit) -> None:
        kit.grant("U1", "*")
        self.said = kit.chat.say("Done!", user="UBOB", channel="#general")

    def samples(self) -> Samples:
        return {
            "praise": lambda kit: kit.shortcut("Praise this", self.said),
            "a form": lambda kit: kit.shortcut("Praise with words", self.said),
        }


def test_who_chooses_it_is_answered_alone() -> None:
    with Kit(Kudos) as kit:
        kit.grant("UANN", "kudos.give")
        said = kit.chat.say("Done!", user="UBOB", channel="#general")
        kit.shortcut("Praise this", said, user="UANN")
        assert [shown.text for shown in kit.chat.in_channel("#general")] == ["Thank you!"]
        assert (kit.reply.user, kit.reply.public, "UBOB" in kit.reply.text) == ("UANN", False, True)
        kit.kernel.switches.turn_off("kudos", "U1")
        assert kit.shortcut("Praise this", said, user="UANN").refused
        assert "was switched off by U1" in kit.reply.text
        with pytest.raises(AssertionError, match="there are: \\['Praise this', 'Praise with words'\\]"):
            kit.shortcut("Prise this", said)


def test_its_docstring_explains_it() -> None:
    [one, _] = Kudos(PluginConfig()).handlers()
    assert one.declaration.help == "Thank who wrote this message."


@pytest.mark.parametrize(("title", "about"), [("", "Helps."), ("x" * 25, "Helps."), ("Fine", "x" * 151)])
def test_what_slack_has_no_room_for_is_refused(title: str, about: str) -> None:
    with pytest.raises(ConfigError, match="a shortcut's title has 1 to 24 characters"):

        class Long(Plugin):
            name = "long"

            @shortcut("a", title=title, help=about, permission="a.b")
            def a(self, asked: Shortcut, ctx: Context) -> None: ...
