"""The plugin test kit: what it promises to plugin authors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from bot.plugin import (
    Actions,
    Alert,
    AlertGroup,
    Button,
    Click,
    Command,
    Context,
    Hook,
    Input,
    Matcher,
    Message,
    Modal,
    Option,
    Permanent,
    Plugin,
    PluginConfig,
    Select,
    Submission,
    Throttled,
    Tick,
    Transient,
    action,
    command,
    md,
    on,
    schedule,
    view,
)
from bot.testing import START, Kit, WorkerKilled, text_of

pytest_plugins = ["bot.testing.pytest_plugin"]
pytestmark = pytest.mark.unit


class ToyConfig(PluginConfig):
    channel: str = "#toys"


class Toy(Plugin[ToyConfig]):
    name = "toy"
    Config = ToyConfig

    @on("generic.toy")
    def toy(self, hook: Hook, ctx: Context) -> None:
        ctx.step("label", ctx.tickets.add_label, key="OPS-1", label="toy")
        ctx.step("comment", ctx.tickets.comment, key="OPS-1", text="played")
        ctx.step(
            "post", ctx.chat.upsert, channel=self.config.channel, key="toy", message=strip(str(hook.data))
        )
        ctx.records.append("played", "OPS-1", {"with": hook.name})

    @command("silence", help="Be quiet.", permission="toy.silence")
    def silence(self, cmd: Command, ctx: Context) -> None:
        ctx.step(
            "silence",
            ctx.alerts.silence,
            matchers=(Matcher(name="alertname", value="Noise"),),
            ends_at=ctx.now() + timedelta(hours=1),
            created_by=cmd.user.id,
            comment="noise",
        )
        ctx.reply(f"quiet: {cmd.text}")

    @command("form", help="Open a form.")
    def form(self, cmd: Command, ctx: Context) -> None:
        modal = Modal(view="form", title="A form", inputs=(Input(id="why", label="Why?"),), private={"n": 1})
        ctx.step("open", ctx.chat.open_modal, trigger_id=cmd.trigger_id, modal=modal)

    @view("form", permission="toy.form")
    def filled(self, form: Submission, ctx: Context) -> None:
        ctx.reply(f"{form.private['n']}: {form.values['why']}")

    @action("press", permission="toy.press")
    def press(self, click: Click, ctx: Context) -> str:
        ctx.step("comment", ctx.tickets.comment, key="OPS-1", text=f"{click.args['what']} {click.selected}")
        return "it worked"

    @schedule("0 9 * * *")
    def daily(self, tick: Tick, ctx: Context) -> None:
        ctx.step("post", ctx.chat.post, channel="#daily", message=Message(text=f"{tick.due_at:%A}"))


def strip(text: str) -> Message:
    press = Button(text="Press", action="press", args={"what": "it"})
    menu = Select(
        placeholder="Pick",
        action="press",
        options=(Option(text="One", value="1"),),
        args={"what": "one"},
        group="menu",
    )
    return Message(text=text, blocks=(Actions(elements=(press, menu)),))


@pytest.fixture
def kit() -> Iterator[Kit]:
    with Kit(Toy, config={"channel": "#play"}) as made:
        made.tickets.add("OPS-1", "It is broken", labels=("human",))
        yield made


def play(kit: Kit) -> None:
    kit.event("generic.toy", Hook(name="toy", data="hello"))


def test_an_event_reaches_the_plugin_and_leaves_steps_and_effects(kit: Kit) -> None:
    done = kit.event("generic.toy", Hook(name="toy", data="hello"))
    assert done.status == "done"
    assert [step.name for step in kit.steps] == ["toy.toy/label", "toy.toy/comment", "toy.toy/post"]
    assert kit.tickets.labels("OPS-1") == ("human", "toy")
    assert kit.tickets.comments("OPS-1") == ["played"]
    assert [shown.channel for shown in kit.chat.messages] == ["#play"]
    assert [record.data for record in kit.records("played")] == [{"with": "toy"}]


def test_a_fault_is_retried_by_moving_the_clock(kit: Kit) -> None:
    kit.tickets.fail(Transient("Jira is away."), times=2)
    delivered = kit.event("generic.toy", Hook(name="toy"))
    assert (delivered.status, delivered.error) == ("pending", "Jira is away.")
    assert kit.clock() == START
    kit.settle()
    assert delivered.status == "done"
    assert kit.clock() > START
    assert len(kit.chat.messages) == 1


def test_a_permanent_fault_is_a_dead_letter(kit: Kit) -> None:
    kit.tickets.fail(Permanent("No such ticket."), on="comment")
    play(kit)
    [letter] = kit.deadletters
    assert letter.error == "No such ticket."


@pytest.mark.parametrize("port", ["chat", "tickets"])
@pytest.mark.parametrize(
    ("error", "after"),
    [
        (Transient("cut off"), False),
        (Transient("cut off"), True),
        (WorkerKilled(), False),
        (WorkerKilled(), True),
        (Throttled("slow down"), False),
    ],
)
def test_a_call_that_was_cut_off_is_reconciled(
    kit: Kit, port: str, error: BaseException, after: bool
) -> None:
    getattr(kit, port).fail(error, after=after, on="upsert" if port == "chat" else "comment")
    play(kit)
    kit.settle()
    assert kit.deadletters == []
    assert kit.tickets.comments("OPS-1") == ["played"]
    assert len(kit.chat.messages) == 1
    assert [e.method for e in kit.effects].count("comment") == 1


def test_handling_once_more_repeats_no_step(kit: Kit) -> None:
    play(kit)
    before = len(kit.effects)
    kit.rerun()
    assert len(kit.effects) == before
    assert len(kit.records("played")) == 2  # the toy does not look whether it noted it already


def test_a_click_claims_and_the_second_person_is_told(kit: Kit) -> None:
    kit.grant("U1", "toy.*")
    kit.grant("U2", "toy.press")
    play(kit)
    assert kit.chat.messages[0].buttons == ["Press", "Pick"]
    kit.click("Press", user="U1")
    kit.click("Press", user="U2")
    assert kit.tickets.comments("OPS-1")[1:] == ["it ()"]
    assert "already taken by <@U1>" in kit.reply.text
    assert kit.chat.messages[0].buttons == ["Pick"]
    assert "*Press* by <@U1> · it worked" in kit.chat.messages[0].text


def test_a_menu_carries_the_choice(kit: Kit) -> None:
    kit.grant("U1", "toy.press")
    play(kit)
    kit.choose("Pick", "1")
    assert kit.tickets.comments("OPS-1")[1:] == ["one ('1',)"]


def test_permissions_hold(kit: Kit) -> None:
    assert kit.command("/signalbox silence now", user="U9").refused
    assert kit.alerts.silences() == ()
    kit.grant("U9", "toy.silence")
    assert not kit.command("/signalbox silence now", user="U9").refused
    [silence] = kit.alerts.silences()
    assert silence.created_by == "U9"
    assert kit.reply.text == "quiet: now"


def test_user_groups_give_roles() -> None:
    with Kit(Toy, roles={"oncall": {"members": ["@oncall"], "permissions": ["toy.*"]}}) as kit:  # type: ignore[dict-item]
        kit.chat.groups["U3"] = frozenset({"oncall"})
        assert not kit.command("silence", user="U3").refused


def test_a_form_is_opened_and_submitted(kit: Kit) -> None:
    kit.grant("U1", "toy.form")
    kit.command("/signalbox form")
    kit.submit({"why": "because"})
    assert kit.reply.text == "1: because"


def test_the_clock_delivers_each_planned_time_once(kit: Kit) -> None:
    assert not kit.tick("daily").duplicate
    assert kit.tick("daily").duplicate
    kit.advance(days=1)
    assert not kit.tick("daily").duplicate
    assert [shown.text for shown in kit.chat.in_channel("#daily")] == ["Monday", "Tuesday"]


def test_silences_must_end_later_and_match_something(kit: Kit) -> None:
    with pytest.raises(Permanent, match="in the past"):
        kit.alerts.silence(
            matchers=(Matcher(name="a", value="b"),),
            ends_at=kit.clock(),
            created_by="U1",
            comment="c",
            step_key="k",
        )
    with pytest.raises(Permanent, match="matcher"):
        kit.alerts.silence(
            matchers=(), ends_at=kit.clock() + timedelta(1), created_by="U1", comment="c", step_key="k"
        )


def test_silences_expire_and_groups_are_what_was_set(kit: Kit) -> None:
    alert = Alert(fingerprint="f", status="firing", starts_at=kit.clock())
    kit.alerts.set([AlertGroup(key="k", receiver="r", status="firing", alerts=(alert,))])
    assert [group.key for group in kit.alerts.groups()] == ["k"]
    made = kit.alerts.silence(
        matchers=(Matcher(name="a", value="b"),),
        ends_at=kit.clock() + timedelta(hours=1),
        created_by="U1",
        comment="c",
        step_key="k",
    )
    kit.alerts.expire(silence_id=made.id, step_key="e")
    assert [silence.state for silence in kit.alerts.silences()] == ["expired"]


def test_a_healed_port_works_again(kit: Kit) -> None:
    kit.tickets.fail(Transient("down"), times=100)
    assert kit.tickets.health().status == "down"
    kit.tickets.heal()
    assert kit.tickets.health().status == "ok"
    assert kit.tickets.get("OPS-1").summary == "It is broken"


def test_untrusted_text_appears_escaped() -> None:
    assert text_of(strip("<!channel>")) == "[Press] [Pick]"
    assert text_of(Message(text="<!channel>")) == "&lt;!channel&gt;"
    assert (
        text_of(Message(text="x", blocks=(Actions(elements=(Button(text="<b>", action="a"),)),)))
        == "[&lt;b&gt;]"
    )
    assert md("{}", "<@U1>").mrkdwn == "&lt;@U1&gt;"


def test_mistakes_in_a_test_are_named(kit: Kit) -> None:
    with pytest.raises(AssertionError, match="similar ones: silence"):
        kit.command("/signalbox silense")
    with pytest.raises(AssertionError, match=r"No message has a button 'Nope'"):
        kit.click("Nope")
    with pytest.raises(AssertionError, match=r"asked for events of kind 'ticket.created'"):
        kit.event("ticket.created", Hook(name="x"))
    with pytest.raises(AssertionError, match="not a scheduled method"):
        kit.tick("toy")
    with pytest.raises(AssertionError, match="Nobody was answered"):
        _ = kit.reply
    with pytest.raises(AssertionError, match="No dialog"):
        kit.submit({})
    with pytest.raises(Permanent, match=r"kit\.tickets\.add"):
        kit.tickets.get("OPS-404")


def test_the_pytest_fixture_makes_kits(kit_factory: Callable[..., Kit]) -> None:
    assert kit_factory(Toy).plugin.config == ToyConfig()
