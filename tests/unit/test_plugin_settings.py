"""Settings changed in the chat: the form, who may, what wins, and that it is obeyed at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from bot.core import settings_form
from bot.core.overrides import Overrides
from bot.core.service_ledger import StoredRecord
from bot.core.settings_loader import plugin_variables
from bot.plugin import Command, Context, Plugin, PluginConfig, Tick, command, schedule
from bot.testing import Kit
from integrations.slack.renderer import render_modal
from plugins.core import Core

pytestmark = pytest.mark.unit
CONFIGS = {entry.name: entry.load().Config for entry in entry_points(group="signalbox.plugins")}


class GreeterConfig(PluginConfig):
    words: str = Field("Hello", description="What it says.")
    times: int = Field(1, ge=1, le=3, description="How often.")
    share: float = 0.5
    loud: bool = False
    tone: Literal["kind", "curt"] = "kind"
    names: tuple[str, ...] = ("Ann",)
    at: time = time(8, 0)
    cron: str = "0 9 * * *"
    folder: Path | None = None
    secret: SecretStr = SecretStr("hush")
    owners: dict[str, str] = Field(default_factory=dict)
    guarded: int = Field(7, json_schema_extra={"form": False})


class Greeter(Plugin[GreeterConfig]):
    name = "greeter"
    Config = GreeterConfig

    @command("greet", help="Greet.")
    def greet(self, asked: Command, ctx: Context) -> None:
        ctx.reply(" ".join([self.config.words] * self.config.times))

    @schedule("config:cron")
    def wake(self, tick: Tick, ctx: Context) -> None: ...


PLAIN = {"words", "times", "share", "loud", "tone", "names", "at", "cron"}
SHOWN = {
    "words": "Hello", "times": "1", "share": "0.5", "loud": "off", "tone": "kind", "names": "Ann",
    "at": "08:00:00", "cron": "0 9 * * *",
}  # fmt: skip


# -- the form ------------------------------------------------------------------------------------------------


def test_fields_of_plain_types_are_offered_as_they_stand() -> None:
    modal = settings_form.form("greeter", GreeterConfig(), {}, 3)
    assert {field.id: field.initial for field in modal.inputs} == SHOWN
    assert [option.value for field in modal.inputs if field.id == "tone" for option in field.options] == [
        "kind",
        "curt",
    ]
    assert modal.private == {"plugin": "greeter", "version": 3}
    assert "hush" not in modal.model_dump_json()


def test_what_the_environment_sets_is_named_and_not_asked_for() -> None:
    modal = settings_form.form("greeter", GreeterConfig(), {"words": "SIGNALBOX_PLUGINS__GREETER__WORDS"}, 0)
    assert {field.id for field in modal.inputs} == PLAIN - {"words"}
    assert "SIGNALBOX_PLUGINS__GREETER__WORDS" in str(modal.blocks)


def test_a_form_that_is_sent_back_unchanged_changes_nothing() -> None:
    assert settings_form.entered(GreeterConfig(), SHOWN, ()) == {}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_every_shipped_plugin_has_a_form_that_slack_takes_and_that_round_trips(name: str) -> None:
    config = CONFIGS[name]()
    modal = settings_form.form(name, config, {}, 0)
    sent = {field.id: field.initial for field in modal.inputs}
    assert settings_form.entered(config, sent, ()) == {}
    if not modal.inputs:
        return
    view = render_modal(modal.model_copy(update={"view": "core:settings"}), "C1")
    assert len(view["blocks"]) <= 100  # as Slack documents for modals


@given(
    st.builds(
        GreeterConfig,
        words=st.text(st.characters(exclude_categories=["C", "Z"])),
        times=st.integers(1, 3),
        share=st.floats(0, 1e6, allow_nan=False),
        loud=st.booleans(),
        tone=st.sampled_from(["kind", "curt"]),
        names=st.lists(st.text("abc", min_size=1)).map(tuple),
    )
)
def test_any_settings_can_be_entered_from_any_others(wanted: GreeterConfig) -> None:
    sent = {field.id: field.initial for field in settings_form.form("greeter", wanted, {}, 0).inputs}
    start = GreeterConfig()
    changed = settings_form.entered(start, sent, ())
    made = GreeterConfig.model_validate(start.model_dump(mode="python") | changed)
    assert {name: getattr(made, name) for name in PLAIN - {"share"}} == {
        name: getattr(wanted, name) for name in PLAIN - {"share"}
    }
    assert made.share == pytest.approx(wanted.share, rel=1e-5)


# -- in the chat ---------------------------------------------------------------------------------------------


@pytest.fixture
def kit() -> Iterator[Kit]:
    with Kit(Core, beside=[Greeter]) as made:
        made.grant("U1", "plugins.configure")
        yield made


def set_to(kit: Kit, **values: Any) -> str:
    kit.command("/signalbox settings greeter")
    kit.submit(SHOWN | values)
    return kit.reply.text


def said(kit: Kit, line: str, user: str = "U1") -> str:
    kit.command(line, user=user)
    return kit.reply.text


def test_a_change_is_obeyed_at_once_told_and_audited(kit: Kit) -> None:
    assert "times: `2`" in set_to(kit, times="2", words="Moin")
    assert said(kit, "/signalbox greet") == "Moin Moin"
    [row] = [row for row in kit.audit if row.action == "plugin.settings"]
    assert (row.actor, row.before, row.after) == (
        "U1",
        {"times": 1, "words": "Hello"},
        {"times": 2, "words": "Moin"},
    )
    assert "changed by U1" in kit.kernel.overrides.origin("greeter", "times")
    assert kit.kernel.overrides.origin("greeter", "share") == "default"


def test_it_can_be_chosen_from_a_menu_and_set_back(kit: Kit) -> None:
    kit.command("/signalbox settings")
    kit.choose("Choose a plugin", "greeter")
    kit.submit(SHOWN | {"words": "Moin"})
    assert said(kit, "/signalbox greet") == "Moin"
    assert "words: `Hello`" in said(kit, "/signalbox settings greeter reset")
    assert said(kit, "/signalbox greet") == "Hello"
    assert kit.kernel.overrides.origin("greeter", "words") == "default"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"times": "9"}, "times: Input should be less than or equal to 3"),
        ({"times": "many"}, "times: Input should be a valid integer"),
        ({"tone": "rude"}, "tone: Input should be 'kind' or 'curt'"),
        ({"cron": "whenever"}, "'whenever' is not a cron expression"),
    ],
)
def test_what_does_not_do_is_refused_with_the_reason(kit: Kit, values: dict[str, str], words: str) -> None:
    assert words in set_to(kit, **values)
    assert said(kit, "/signalbox greet") == "Hello"
    assert kit.kernel.overrides.of("greeter") is None


def test_fields_that_are_not_offered_can_not_be_slipped_in(kit: Kit) -> None:
    set_to(kit, folder="/etc", secret="mine", guarded="1")
    config = kit.kernel.registry.plugins["greeter"].config
    assert (config.folder, config.guarded) == (None, 7)


def test_who_may_not_is_refused(kit: Kit) -> None:
    assert "plugins.configure" in said(kit, "/signalbox settings greeter", user="UEVE")
    assert kit.chat.modals == []


def test_of_two_who_change_at_once_the_second_is_told(kit: Kit) -> None:
    kit.command("/signalbox settings greeter")
    first = kit.chat.modals[-1]
    set_to(kit, words="Moin")
    kit.chat.modals.append(first)
    kit.submit(SHOWN | {"words": "Servus"})
    assert "Somebody changed these settings meanwhile" in kit.reply.text
    assert said(kit, "/signalbox greet") == "Moin"


def test_a_plugin_without_settings_or_without_a_name_is_said_so(kit: Kit) -> None:
    assert "no settings that can be changed" in said(kit, "/signalbox settings core")
    assert "There is no plugin 'gretr'" in said(kit, "/signalbox settings gretr")


def test_the_clock_goes_by_the_new_settings(kit: Kit) -> None:
    set_to(kit, cron="30 6 * * *")
    [wake] = [h for h in kit.kernel.registry.schedules() if h.plugin == "greeter"]
    assert wake.declaration.match == "30 6 * * *"


def test_the_environment_wins_even_over_what_was_stored_before(kit: Kit) -> None:
    set_to(kit, words="Moin", times="2")
    kernel = kit.kernel
    fixed = plugin_variables({"SIGNALBOX_PLUGINS__GREETER__WORDS": "Hi"})
    assert fixed == {("greeter", "words"): "SIGNALBOX_PLUGINS__GREETER__WORDS"}
    kernel.registry.replace(Greeter(GreeterConfig(words="Hi")))
    later = Overrides(kernel.db, kernel.audit, kernel.registry, fixed, kit.clock)
    later.refresh()
    assert said(kit, "/signalbox greet") == "Hi Hi"
    assert later.origin("greeter", "words") == "SIGNALBOX_PLUGINS__GREETER__WORDS"


def test_a_stored_value_that_a_later_version_refuses_leaves_the_plugin_as_it_was(kit: Kit) -> None:
    from bot.core.memory import Documents  # noqa: PLC0415

    stored = {"values": {"times": 99}, "by": "U1"}
    Documents(kit.kernel.db, "signalbox.settings", kit.clock).put("greeter", stored)
    kernel = kit.kernel
    Overrides(kernel.db, kernel.audit, kernel.registry, {}, kit.clock).refresh()
    assert said(kit, "/signalbox greet") == "Hello"


# -- as changes ----------------------------------------------------------------------------------------------


def changes(kit: Kit) -> list[StoredRecord]:
    return kit.kernel.ledger.find(record_type="change")


def test_setting_is_a_standard_change_with_before_and_after(kit: Kit) -> None:
    set_to(kit, words="Moin")
    [change] = changes(kit)
    assert (change.status, change.body["change_type"], change.body["initiator"]) == (
        "closed",
        "standard",
        "U1",
    )
    assert (change.body["before"], change.body["after"]) == ({"words": "Hello"}, {"words": "Moin"})
    assert kit.kernel.ledger.faults() == []


def test_what_does_not_do_is_no_change(kit: Kit) -> None:
    set_to(kit, times="9")
    assert changes(kit) == []


@pytest.fixture
def strict() -> Iterator[Kit]:
    """No change of settings is allowed in advance."""
    with Kit(Core, beside=[Greeter], settings={"records": {"templates": []}}) as made:
        made.grant("U1", "plugins.configure")
        made.grant("U2", "plugins.configure")
        yield made


def test_without_the_template_another_person_decides(strict: Kit) -> None:
    assert "until another person" in set_to(strict, words="Moin")
    assert said(strict, "/signalbox greet") == "Hello"
    said(strict, "/signalbox settings waiting")
    assert strict.click("Approve", user="U1").refused
    strict.click("Approve", user="U2")
    assert said(strict, "/signalbox greet") == "Moin"
    [change] = changes(strict)
    assert (change.status, change.body["change_type"]) == ("implemented", "normal")
    assert [word["authority"] for word in change.body["authorisation"]] == ["U2"]
    assert "No change of settings waits" in said(strict, "/signalbox settings waiting")


def test_a_rejected_one_is_closed_and_nothing_was_set(strict: Kit) -> None:
    set_to(strict, words="Moin")
    said(strict, "/signalbox settings waiting", user="U2")
    strict.click("Reject", user="U2")
    assert said(strict, "/signalbox greet") == "Hello"
    assert changes(strict)[0].body["ended_as"] == "rejected"


def test_one_that_was_overtaken_fails_and_says_so(strict: Kit) -> None:
    set_to(strict, words="Moin")
    said(strict, "/signalbox settings waiting", user="U2")
    strict.kernel.overrides.change("greeter", {"words": "Servus"}, "U9")
    assert strict.click("Approve", user="U2").refused
    assert "Somebody changed these settings meanwhile" in strict.reply.text
    assert changes(strict)[0].status == "failed"


def test_switching_a_plugin_off_is_an_emergency_change(kit: Kit) -> None:
    kit.grant("U1", "plugins.switch")
    said(kit, "/signalbox plugins disable greeter it greets too loudly")
    said(kit, "/signalbox plugins enable greeter")
    assert [(c.body["title"], c.body["change_type"], c.status) for c in changes(kit)][::-1] == [
        ("Switch the plugin greeter off", "emergency", "implemented"),
        ("Switch the plugin greeter on", "emergency", "implemented"),
    ]
    assert "too loudly" in changes(kit)[1].body["reason"]
    said(kit, "/signalbox plugins disable core")
    assert len(changes(kit)) == 2
