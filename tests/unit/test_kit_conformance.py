"""The conformance suite accepts a good plugin and names the fault of a bad one."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pydantic import Field

from bot.plugin import Click, Command, Context, Hook, Message, Plugin, PluginConfig, action, command, on
from bot.testing import Conformance, Delivered, Kit
from bot.testing.conformance import Samples

pytestmark = pytest.mark.unit


class GoodConfig(PluginConfig):
    channel: str = Field("#good", description="Where it posts.")


class Good(Plugin[GoodConfig]):
    name = "good"
    Config = GoodConfig

    @on("generic.good")
    def good(self, hook: Hook, ctx: Context) -> None:
        ctx.step("post", ctx.chat.post, channel=self.config.channel, message=Message(text=hook.name))

    @command("good", help="Answer.", permission="good.ask")
    def ask(self, cmd: Command, ctx: Context) -> None:
        ctx.reply("good")


def hook(kit: Kit) -> Delivered:
    [handler] = [h for h in kit.plugin.handlers() if h.declaration.trigger == "event"]
    return kit.event(handler.declaration.match, Hook(name="x"))


class TestGood(Conformance):
    plugin = Good

    def samples(self) -> Samples:
        return {"a hook": hook}


class Suite(Conformance):
    def samples(self) -> Samples:
        return {"a hook": hook}


def suite(bad: type[Plugin[Any]]) -> Suite:
    made = Suite()
    made.plugin = bad  # type: ignore[misc]
    return made


class UndescribedConfig(PluginConfig):
    channel: str = Field("#bad", description="No full stop")


class Undescribed(Plugin[UndescribedConfig]):
    name = "undescribed"
    Config = UndescribedConfig

    @command("mute", permission="Mute")
    def mute(self, cmd: Command, ctx: Context) -> None:
        ctx.reply("")


class Doubling(Plugin):
    """Goes around ctx.step and notes things twice."""

    name = "doubling"
    posts: ClassVar[int] = 0

    @on("generic.bad")
    def bad(self, hook: Hook, ctx: Context) -> None:
        type(self).posts += 1
        ctx.chat.post(channel="#bad", message=Message(text="x"), step_key=f"k{self.posts}")


class Forgetful(Plugin):
    """Takes an outage for an answer."""

    name = "forgetful"

    @on("generic.bad")
    def bad(self, hook: Hook, ctx: Context) -> None:
        try:
            ctx.step("post", ctx.chat.post, channel="#bad", message=Message(text="x"))
        except Exception:  # noqa: BLE001  # the fault that the suite must find
            ctx.log.info("never mind")


class Noting(Plugin):
    name = "noting"

    @on("generic.bad")
    def bad(self, hook: Hook, ctx: Context) -> None:
        ctx.records.append("seen", "x", {})


class Unreached(Plugin):
    name = "unreached"

    @on("generic.bad")
    def bad(self, hook: Hook, ctx: Context) -> None:
        ctx.log.info("seen")

    @action("press", permission="unreached.press")
    def press(self, click: Click, ctx: Context) -> str:
        return "pressed"


@pytest.mark.parametrize(
    ("bad", "test", "fault"),
    [
        (Undescribed, "test_every_setting_is_described_in_a_sentence", "Setting 'channel'"),
        (Undescribed, "test_every_command_says_what_it_does", "give it help"),
        (Undescribed, "test_permissions_have_names_of_the_form_area_verb", "'Mute' is not of the form"),
        (Doubling, "test_handling_twice_has_one_effect", r"Handled twice: \[\('chat.post', 2\)\]"),
        (Doubling, "test_a_worker_killed_anywhere_leaves_one_effect", "A worker killed at chat"),
        (Noting, "test_handling_twice_has_one_effect", r"\(records, audit\) grew"),
        (Forgetful, "test_an_outage_delays_and_loses_nothing", r"never done: \['chat.post'\]"),
        (Unreached, "test_every_handler_is_reached_by_a_sample", r"No sample reaches \['unreached.press'\]"),
    ],
)
def test_a_bad_plugin_is_told_its_fault(bad: type[Plugin[Any]], test: str, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        getattr(suite(bad), test)()
