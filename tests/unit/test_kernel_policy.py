"""Declarations, routing, permissions and backoff as values."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from bot.core.declare import Plugin, PluginConfig, action, command, on, schedule
from bot.core.errors import ConfigError, Refused, Transient
from bot.core.permissions import Permissions
from bot.core.registry import Registry, load_plugins
from bot.core.retry import CAP_SECONDS, LONGEST_WAIT, next_attempt
from bot.core.settings import Role, Settings

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Cfg(PluginConfig):
    cron: str = "0 9 * * *"


class One(Plugin[Cfg]):
    name = "one"
    Config = Cfg

    @command("status")
    def status(self, cmd: object, ctx: object) -> None:
        """Show the status.

        More words.
        """

    @on("ticket.created", queue="model")
    def created(self, event: object, ctx: object) -> None: ...

    @action("go", permission="one.go")
    def go(self, click: object, ctx: object) -> None: ...

    @schedule("config:cron", zone="Europe/Berlin")
    def daily(self, tick: object, ctx: object) -> None: ...


class Two(Plugin):
    name = "two"

    @command("status", help="Another status.")
    def status(self, cmd: object, ctx: object) -> None: ...


def registry() -> Registry:
    made = Registry()
    made.add(One(Cfg()))
    return made


def test_declarations_become_routes() -> None:
    made = registry()
    found = made.command("status")
    assert found is not None
    assert (found.name, found.declaration.help) == ("one.status", "Show the status.")
    assert [h.declaration.queue for h in made.handlers_for("ticket.created")] == ["model"]
    assert made.action("one", "go") is not None
    assert made.action("two", "go") is None
    [daily] = made.schedules()
    assert (daily.declaration.match, daily.declaration.zone) == ("0 9 * * *", "Europe/Berlin")


def test_a_misspelt_command_finds_its_neighbours() -> None:
    assert registry().nearest("statsu") == ["status"]
    assert registry().nearest("zzzzzz") == []


def test_two_plugins_cannot_own_one_command() -> None:
    made = registry()
    with pytest.raises(ConfigError, match="belongs to the plugin 'one' already"):
        made.add(Two(PluginConfig()))
    assert "two" not in made.plugins


def test_a_faulty_declaration_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(ConfigError, match="declared twice"):

        class Twice(Plugin):
            name = "twice"

            @command("a")
            def a(self, cmd: object, ctx: object) -> None: ...

            @command("a")
            def b(self, cmd: object, ctx: object) -> None: ...

    with pytest.raises(ConfigError, match="lower-case words"):

        class Nameless(Plugin):
            name = "Bad Name"


def test_a_wrong_cron_is_refused_with_an_example() -> None:
    with pytest.raises(ConfigError, match="0 9 \\* \\* MON-FRI"):
        Registry().add(One(Cfg(cron="every day")))


def test_one_bad_plugin_stops_nobody_else() -> None:
    entries = [
        EntryPoint("core", "plugins.core:Core", "signalbox.plugins"),
        EntryPoint("gone", "no_such_package:Gone", "signalbox.plugins"),
        EntryPoint("wrong", "json:dumps", "signalbox.plugins"),
    ]
    settings = Settings(disabled_plugins=("core",), plugins={"autotagg": {}})
    report = {
        status.name: (status.status, status.detail) for status in load_plugins(settings, entries).report
    }
    assert report["core"][0] == "disabled"
    assert "No module named" in report["gone"][1]
    assert "not a subclass" in report["wrong"][1]
    assert "names no installed plugin" in report["autotagg"][1]


class Silent(Plugin):
    """Says nothing of the plugin API, as one from before it was said."""

    name = "silent"


class Newer(Plugin):
    name = "newer"
    api = 2


@dataclass
class Installed:
    """As much of an entry point as loading asks for."""

    plugin: type[Plugin]
    dist: None = None

    @property
    def name(self) -> str:
        return self.plugin.name

    @property
    def value(self) -> str:
        return f"there:{self.plugin.__name__}"

    def load(self) -> type[Plugin]:
        return self.plugin


@pytest.mark.parametrize(("here", "refused", "loaded"), [(1, Newer, Silent), (2, Silent, Newer)])
def test_a_plugin_made_for_another_version_of_the_api_is_refused_and_the_others_load(
    monkeypatch: pytest.MonkeyPatch, here: int, refused: type[Plugin], loaded: type[Plugin]
) -> None:
    monkeypatch.setattr("bot.core.registry.API_VERSION", here)
    found: Any = [Installed(Silent), Installed(Newer)]
    report = {status.name: status for status in load_plugins(Settings(), found).report}
    assert report[loaded.name].status == "loaded"
    assert report[refused.name].status == "refused"
    assert f"made for plugin API {refused.api}, this Signalbox has {here}" in report[refused.name].detail


def test_a_plugin_under_another_s_name_is_refused() -> None:
    """It would take that one's place, settings and permissions, and could not be disabled by its own name."""
    found: Any = [
        EntryPoint("aaa", "plugins.core:Core", "signalbox.plugins"),
        EntryPoint("core", "plugins.core:Core", "signalbox.plugins"),
    ]
    registry = load_plugins(Settings(), found)
    assert [(status.name, status.status) for status in registry.report] == [
        ("aaa", "refused"),
        ("core", "loaded"),
    ]
    assert "calls itself 'core'" in registry.report[0].detail


ROLES = {
    "admin": Role(members=("U1",), permissions=("*",)),
    "oncall": Role(members=("@oncall",), permissions=("alerts.*", "mitigation.run")),
}


@pytest.mark.parametrize(
    ("user", "permission", "allowed"),
    [
        ("U1", "anything.at.all", True),
        ("U2", "alerts.silence", True),
        ("U2", "alerts", False),
        ("U2", "alertsx.silence", False),
        ("U2", "mitigation.run", True),
        ("U2", "mitigation.run.all", False),
        ("U3", "alerts.silence", False),
        ("U3", None, True),
    ],
)
def test_permissions_deny_by_default(user: str, permission: str | None, allowed: bool) -> None:
    permissions = Permissions(ROLES, lambda u: frozenset({"oncall"}) if u == "U2" else frozenset())
    assert permissions.allowed(user, permission) is allowed


def test_a_refusal_says_whom_to_ask() -> None:
    permissions = Permissions(ROLES, lambda _: frozenset())
    with pytest.raises(Refused, match="ask somebody with the role admin or oncall"):
        permissions.require("U3", "alerts.silence", "silence alerts")


def test_backoff_is_spread_over_the_whole_span_and_capped() -> None:
    draw = random.Random(1)
    waits = [(next_attempt(Transient("x"), 30, NOW, draw) - NOW).total_seconds() for _ in range(500)]
    assert 0 <= min(waits) < CAP_SECONDS * 0.05
    assert CAP_SECONDS * 0.95 < max(waits) <= CAP_SECONDS


@pytest.mark.parametrize("asked", [1e9, 1e20, float("inf")])
def test_a_retry_after_of_centuries_is_asked_again_soon(asked: float) -> None:
    wait = next_attempt(Transient("x", retry_after=asked), 1, NOW, random.Random(1)) - NOW
    assert timedelta(minutes=10) < wait <= LONGEST_WAIT


def test_retry_after_is_a_floor() -> None:
    draw = random.Random(1)
    waits = [
        (next_attempt(Transient("x", retry_after=30), 1, NOW, draw) - NOW).total_seconds() for _ in range(100)
    ]
    assert min(waits) >= 30
    assert max(waits) <= 33
