"""The core plugin: help, status, plugins, ping, trace, dead letters, why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

import pytest

from bot.core.registry import PluginStatus
from bot.plugin import (
    Actions,
    Block,
    Button,
    ChatMessage,
    Click,
    Command,
    Context,
    Health,
    Hook,
    Permanent,
    Plugin,
    PluginConfig,
    Section,
    Transient,
    User,
    action,
    command,
    on,
)
from bot.testing import Conformance, Delivered, Kit
from bot.testing.chat import text_of
from bot.testing.conformance import Samples
from plugins.core import Core
from plugins.core.policy import span, user_id

pytestmark = pytest.mark.unit
BODY = Hook(name="work", data={"secret": "hush"})


class Other(Plugin):
    name = "other"
    condition = Health(status="degraded", detail="The model is away.")

    @command("open", help="Open to all.", usage="open [THING]")
    def open(self, cmd: Command, ctx: Context) -> None:
        ctx.reply("open")

    @command("look", help="Whatever there is.", usage="[THING]")
    def look(self, cmd: Command, ctx: Context) -> None:
        ctx.reply("look")

    @command("shut", help="For the few.", permission="other.shut")
    def shut(self, cmd: Command, ctx: Context) -> None:
        ctx.reply("shut")

    @on("generic.work")
    def work(self, hook: Hook, ctx: Context) -> None:
        ctx.step("comment", ctx.tickets.comment, key="OPS-1", text="x")
        ctx.audit("worked", "OPS-1")

    def health(self, ctx: Context) -> Health:
        return self.condition


class KudosConfig(PluginConfig):
    greeting: str = "Hello"


class Kudos(Plugin[KudosConfig]):
    name = "kudos"
    Config = KudosConfig

    @command("greet", help="Greet.")
    def greet(self, cmd: Command, ctx: Context) -> None:
        ctx.reply(self.config.greeting)


class Broken(Other):
    name = "broken"
    fault: Exception = KeyError("x")

    @command("broken", help="Nothing.")
    def open(self, cmd: Command, ctx: Context) -> None: ...

    @command("broken-too", help="Nothing.")
    def shut(self, cmd: Command, ctx: Context) -> None: ...

    def health(self, ctx: Context) -> Health:
        raise self.fault


@pytest.fixture
def kit() -> Iterator[Kit]:
    with Kit(Core, beside=[Other]) as made:
        made.tickets.add("OPS-1")
        yield made


def die(kit: Kit, error: str = "No such ticket.") -> None:
    kit.tickets.fail(Permanent(error))
    kit.event("generic.work", BODY, subject="OPS-1")


class TestCore(Conformance):
    plugin = Core

    def kit(self) -> Kit:
        """No change of settings is allowed in advance, so that those wait for a second person, too."""
        return Kit(Core, beside=[Other, Kudos], settings={"records": {"templates": []}})

    def prepare(self, kit: Kit) -> None:
        kit.grant("U1", "*")
        kit.grant("U2", "*")
        kit.command("/signalbox settings kudos", user="U2")
        kit.submit({"greeting": "Servus"}, user="U2")
        kit.command("/signalbox settings waiting")
        kit.command("/signalbox settings")
        kit.command("/signalbox settings kudos")
        kit.tickets.add("OPS-1")
        die(kit)
        kit.command("deadletters")

    def samples(self) -> Samples:
        return {
            "a click on Show": lambda kit: kit.click("Show"),
            "a click on Replay": lambda kit: kit.click("Replay"),
            "the Home tab": lambda kit: kit.event("slack.home", said_by("U1"), subject="D1"),
            "a choice of a plugin": lambda kit: kit.choose("Choose a plugin", "kudos"),
            "a change of settings": lambda kit: kit.submit({"greeting": "Moin"}),
            "a second person's yes": lambda kit: kit.click("Approve"),
            "a second person's no": lambda kit: kit.click("Reject"),
            "a mention": lambda kit: mention_bot(kit, "<@UBOT> hello"),
        }


def said_by(user: str) -> ChatMessage:
    return ChatMessage(text="", user=User(id=user), channel="D1", ts="1.0", thread_ts="")


def mention_bot(kit: Kit, text: str) -> Delivered:
    return kit.event("slack.mention", ChatMessage(text=text, user=User(id="U1"), channel="C1", ts="1.1"))


@pytest.mark.parametrize(
    ("text", "answer"), [("<@UBOT> hello", "`/signalbox help`"), ("<@UBOT> Ping please", "`/signalbox ping`")]
)
def test_who_calls_the_bot_by_name_is_shown_the_command(kit: Kit, text: str, answer: str) -> None:
    mention_bot(kit, text)
    assert answer in kit.reply.text
    assert kit.reply.user == "U1"


def test_help_lists_what_the_asker_may_use_by_plugin(kit: Kit) -> None:
    kit.command("/signalbox help", user="U1")
    text = kit.reply.text
    assert text.index("*core*") < text.index("*other*")
    assert "`/signalbox open [THING]` Open to all." in text
    assert "`/signalbox look [THING]` Whatever there is." in text
    assert "shut" not in text
    assert "deadletters" not in text
    kit.grant("U1", "other.shut")
    kit.command("/signalbox help", user="U1")
    assert "`/signalbox shut` For the few." in kit.reply.text


def test_help_explains_one_command(kit: Kit) -> None:
    kit.command("/signalbox help open")
    assert "Open to everybody. From the plugin other." in kit.reply.text
    kit.command("/signalbox help shut")
    assert "Needs the permission 'other.shut', which you do not have." in kit.reply.text
    kit.command("/signalbox help opne")
    assert "Did you mean open" in kit.reply.text
    kit.command("/signalbox help <!channel>")
    assert "<!channel>" not in kit.reply.text


def test_status_puts_the_worst_first(kit: Kit) -> None:
    die(kit)
    kit.kernel.registry.report.append(PluginStatus("odd", "refused", "It has no name."))
    kit.command("/signalbox status")
    text = kit.reply.text
    assert "dead letters 1" in text
    assert text.index("*other* The model is away.") < text.index("*core*")
    assert "*odd* refused: It has no name." in text
    assert kit.reply.message.severity == "warning"


def test_status_says_how_long_the_oldest_waits(kit: Kit) -> None:
    kit.tickets.fail(Transient("away"), times=50)
    kit.event("generic.work", BODY)
    kit.clock.advance(timedelta(minutes=5))
    kit.command("/signalbox status")
    assert "waiting" in kit.reply.text
    assert "the oldest waits" in kit.reply.text


@pytest.mark.parametrize(
    ("fault", "said"),
    [(KeyError("x"), "failed with KeyError"), (Transient("Jira is away."), "Jira is away.")],
)
def test_status_survives_a_health_check_that_raises(fault: Exception, said: str) -> None:
    Broken.fault = fault
    with Kit(Core, beside=[Broken]) as kit:
        kit.command("/signalbox status")
        assert said in kit.reply.text


def test_plugins_says_what_was_not_loaded_and_why(kit: Kit) -> None:
    kit.kernel.registry.report += [
        PluginStatus("odd", "refused", "It has no name."),
        PluginStatus("quiet", "disabled", "by the setting disabled_plugins"),
    ]
    kit.command("/signalbox plugins")
    assert "*core* test" in kit.reply.text
    assert "*odd*  refused: It has no name." in kit.reply.text
    assert "*quiet*  disabled: by the setting disabled_plugins" in kit.reply.text


def test_ping_says_where_the_time_went(kit: Kit) -> None:
    kit.command("/signalbox ping")
    assert "*pong*" in kit.reply.text
    assert "inbox and queue" in kit.reply.text
    assert "one database read" in kit.reply.text


def test_trace_follows_an_event_by_the_beginning_of_its_id(kit: Kit) -> None:
    done = kit.event("generic.work", BODY, subject="OPS-1")
    kit.command(f"/signalbox trace {done.event_id[:-4]}")
    text = kit.reply.text
    assert "*generic.work* OPS-1 from kit" in text
    assert "run *other.work* on io, done, attempt 1" in text
    assert "step *comment* FakeTickets.comment" in text
    assert "audit *worked* on OPS-1 by plugin:other, done" in text
    assert "hush" not in text


def test_trace_of_what_does_not_exist_is_an_answer_not_a_dead_letter(kit: Kit) -> None:
    kit.command("/signalbox trace nonsense")
    assert "is not the id of any event" in kit.reply.text
    kit.command("/signalbox trace")
    assert "slack.command" in kit.reply.text
    assert kit.deadletters == []


def test_dead_letters_can_be_shown_and_replayed_once_per_death(kit: Kit) -> None:
    kit.grant("U1", "inbox.replay")
    die(kit)
    kit.command("/signalbox deadletters")
    assert "No such ticket." in kit.reply.text
    kit.click("Show")
    assert "run *other.work*" in kit.reply.text
    kit.click("Replay")
    assert kit.tickets.comments("OPS-1") == ["x"]
    assert kit.deadletters == []
    assert [(row.action, row.actor) for row in kit.audit if row.action == "replay"] == [("replay", "U1")]
    kit.click("Replay", user="U1")
    assert "already taken by <@U1>" in kit.reply.text
    kit.command("/signalbox deadletters")
    assert kit.reply.text == "No dead letters."


def test_a_letter_that_dies_again_can_be_replayed_again(kit: Kit) -> None:
    kit.grant("U1", "inbox.replay")
    die(kit)
    kit.command("/signalbox deadletters")
    kit.tickets.fail(Permanent("Still not."))
    kit.advance(minutes=1)
    kit.click("Replay")
    kit.command("/signalbox deadletters")
    assert "Still not." in kit.reply.text
    kit.click("Replay")
    assert kit.deadletters == []


def test_a_letter_that_somebody_else_replayed_is_no_fault(kit: Kit) -> None:
    kit.grant("U1", "inbox.replay")
    die(kit)
    kit.command("/signalbox deadletters")
    kit.kernel.inbox.replay(kit.deadletters[0].id)
    kit.click("Replay")
    assert "nothing to replay" in kit.reply.text
    assert kit.deadletters == []


def test_many_dead_letters_are_counted_and_hostile_text_is_escaped(kit: Kit) -> None:
    kit.grant("U1", "inbox.replay")
    for number in range(12):
        die(kit, f"<!channel> *{number}*")
    kit.command("/signalbox deadletters")
    assert "the newest 10 of 12" in kit.reply.text
    assert "<!channel>" not in kit.reply.text


def test_why_names_the_roles(kit: Kit) -> None:
    kit.grant("U7", "alerts.silence")
    kit.command("/signalbox why <@U7|bob> can alerts.silence")
    assert "<@U7> may use" in kit.reply.text
    assert "kit-U7" in kit.reply.text
    kit.command("/signalbox why @U8 mitigation.run")
    assert "<@U8> may not use" in kit.reply.text
    assert "No role grants it." in kit.reply.text
    kit.command("/signalbox why")
    assert "Usage" in kit.reply.text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0124, "12 ms"), (5, "5 s"), (180, "3 min"), (7200, "2:00 h"), (100_000, "1 day, 3:46 h")],
)
def test_spans_are_short(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_mentions_are_read() -> None:
    assert [user_id(text) for text in ("<@U1|x>", "<@U1>", "@U1", "U1")] == ["U1"] * 4


def said(kit: Kit, line: str, user: str = "U1") -> str:
    kit.command(line, user=user)
    return kit.reply.text


def test_a_plugin_is_switched_off_and_on_without_a_restart(kit: Kit) -> None:
    kit.grant("U1", "plugins.switch")
    assert "switched off by U1" in said(kit, "/signalbox plugins disable other it is too loud")
    assert "it is too loud" in said(kit, "/signalbox open")
    assert "it is too loud" in said(kit, "/signalbox plugins")
    kit.event("generic.work", BODY, subject="OPS-1")
    assert kit.kernel.inbox.open_counts()["pending"] == 1, "its event waits"
    assert kit.tickets.comments("OPS-1") == []
    assert "on again" in said(kit, "/signalbox plugins enable other")
    kit.advance(seconds=70)
    assert kit.tickets.comments("OPS-1") == ["x"]
    assert said(kit, "/signalbox open") == "open"
    trail = [(row.action, row.subject) for row in kit.kernel.audit.rows() if row.action.startswith("plugin.")]
    assert trail == [("plugin.off", "other"), ("plugin.on", "other")]


def test_who_may_not_switch_is_told_and_the_core_stays_on(kit: Kit) -> None:
    assert "plugins.switch" in said(kit, "/signalbox plugins disable other", user="UCAROL")
    kit.grant("U1", "plugins.switch")
    assert "stays on" in said(kit, "/signalbox plugins disable core")
    assert "There is no plugin 'othr'" in said(kit, "/signalbox plugins disable othr")
    assert said(kit, "/signalbox open") == "open"


class Homely(Plugin):
    name = "homely"
    fault: ClassVar[Exception | None] = None
    once: ClassVar[bool] = False
    letters: ClassVar[int] = 2

    @action("press", permission=None)
    def press(self, click: Click, ctx: Context) -> None:
        Homely.letters -= 1
        ctx.show_home(click.user)

    def home(self, user: User, ctx: Context) -> list[Block]:
        if self.fault:
            raise self.fault
        press = Button(text="Press", action="press", once=self.once)
        letters = Section(text=f"{self.letters} letters for {user.id}, kept in {ctx.handler.plugin}")
        return [letters, Actions(elements=(press,))]


def opened(kit: Kit, user: str) -> str:
    kit.event("slack.home", said_by(user), subject="D1")
    return text_of(kit.chat.homes[user])


def test_the_home_tab_shows_every_plugin_s_part_and_a_failing_one_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Homely, "letters", 2)
    with Kit(Core, beside=[Other, Homely]) as kit:
        assert "2 letters for UANN, kept in homely" in opened(kit, "UANN")
        kit.click("Press", user="UANN")
        assert "1 letters for UANN" in text_of(kit.chat.homes["UANN"])
        monkeypatch.setattr(Homely, "fault", KeyError("x"))
        assert "homely could not be asked" in opened(kit, "UBOB")
        monkeypatch.setattr(Homely, "fault", None)
        monkeypatch.setattr(Homely, "once", True)
        assert "homely could not be asked" in opened(kit, "UDORA")
        kit.kernel.switches.turn_off("homely", "U1")
        assert "Nothing waits for you." in opened(kit, "UCAROL")
