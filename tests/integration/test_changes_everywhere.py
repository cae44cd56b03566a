"""Whoever changes the service, and through whichever door, leaves a change record; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from bot.core.configuration import AUTHOR, note_start
from bot.core.database import Database
from bot.core.kernel import Kernel
from bot.core.memory import Documents
from bot.core.registry import Registry
from bot.core.service_desk import as_model
from bot.core.service_models import Change
from bot.core.settings import Settings
from bot.plugin import Command, Context, Plugin, PluginConfig, command

pytestmark = pytest.mark.integration
KEY = "k" * 40
Start = Callable[..., Kernel]


class LampConfig(PluginConfig):
    level: int = 1
    password: str = ""


class Lamp(Plugin[LampConfig]):
    name = "lamp"
    Config = LampConfig

    @command("glow", help="Glow.")
    def glow(self, asked: Command, ctx: Context) -> None: ...


@pytest.fixture
def start(database_url: str) -> Iterator[Start]:
    """A process of the product, as it starts with these settings."""
    made: list[Kernel] = []

    def build(key: str = KEY, **settings: Any) -> Kernel:
        given = Settings.model_validate({"secret_key": key, **settings})
        registry = Registry()
        registry.add(Lamp(LampConfig.model_validate(given.plugins.get("lamp", {}))))
        db = Database(database_url)
        db.migrate()
        made.append(Kernel(given, db, registry, ()))
        return made[-1]

    yield build
    for kernel in made:
        kernel.close()


def changes(kernel: Kernel) -> list[Change]:
    """The oldest first."""
    return [as_model(found) for found in kernel.ledger.find(record_type="change")][::-1]  # type: ignore[misc]


# -- switches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "via"), [("U1", "slack"), ("console:U1", "console"), ("cli:ann", "cli")])
def test_a_plugin_is_switched_by_an_emergency_change_with_its_way_back(
    start: Start, by: str, via: str
) -> None:
    kernel = start()
    off = kernel.switches.turn_off("lamp", by, "too bright")
    assert kernel.switches.turn_on("lamp", by)
    assert kernel.switches.turn_on("lamp", by) == "", "it was on"
    first, second = changes(kernel)
    assert (first.id, first.title) == (off.change, "Switch the plugin lamp off")
    for change in (first, second):
        assert (change.change_type, change.status, change.initiator) == ("emergency", "implemented", by)
        assert change.authorisation[0].authority == "emergency rule"
    assert first.reason == "too bright"
    assert "signalbox plugins enable lamp" in first.backout_plan
    assert "signalbox plugins disable lamp" in second.backout_plan
    assert (first.before, first.after) == ({"on": True}, {"on": False})
    doors = {version["actor"]["via"] for version in kernel.ledger.history()}
    assert doors == {via}
    assert kernel.ledger.faults() == []


def test_an_event_that_is_handled_once_more_switches_once(start: Start) -> None:
    kernel = start()
    for _ in range(2):
        kernel.switches.turn_off("lamp", "U1", event_id="e1")
    assert len(changes(kernel)) == 1


# -- the file and the environment ----------------------------------------------------------------------------


def test_the_first_start_and_one_with_the_same_settings_change_nothing(start: Start) -> None:
    assert note_start(start(log_level="debug")) is None
    assert note_start(start(log_level="debug")) is None
    assert changes(start()) == []


def test_settings_that_became_others_are_one_change_with_their_values(start: Start) -> None:
    note_start(start(environment="production", plugins={"lamp": {"level": 2}}))
    changed = {"log_level": "debug", "plugins": {"lamp": {"level": 3}}}
    for _ in range(2):  # of two processes that start with the same
        note_start(start(**changed))
    [change] = changes(start())
    assert [item.name for item in change.items] == ["environment", "log_level", "plugins.lamp.level"]
    assert change.before == {"environment": "production", "log_level": "not set", "plugins.lamp.level": "2"}
    assert change.after == {"environment": "not set", "log_level": "debug", "plugins.lamp.level": "3"}
    assert (change.initiator, change.change_type, change.status) == (AUTHOR, "standard", "closed")
    assert change.authorisation[0].authority == "template configuration-file"


def test_without_the_template_it_is_an_emergency_that_waits_for_its_review(start: Start) -> None:
    note_start(start())
    note_start(start(log_level="debug", records={"templates": ()}))
    [change] = changes(start())
    assert (change.change_type, change.status) == ("emergency", "implemented")


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ({"jira": {"api_token": "one-secret"}}, {"jira": {"api_token": "another-secret"}}, "jira.api_token"),
        ({}, {"api_tokens": {"admin": "another-secret"}}, "api_tokens.admin"),
        (
            {"plugins": {"lamp": {"password": "one-secret"}}},
            {"plugins": {"lamp": {"password": "another-secret"}}},
            "plugins.lamp.password",
        ),
        ({}, {"key": "another-secret" * 4}, "secret_key"),
    ],
)
def test_a_secret_that_was_exchanged_is_named_and_never_shown(
    start: Start, before: dict[str, Any], after: dict[str, Any], name: str
) -> None:
    note_start(start(**before))
    note_start(start(**after))
    kernel = start()
    [change] = changes(kernel)
    assert (change.change_type, [item.name for item in change.items]) == ("emergency", [name])
    kept = f"{list(kernel.ledger.history())} {Documents(kernel.db, 'signalbox.configuration').having('')}"
    assert "one-secret" not in kept
    assert "another-secret" not in kept


def test_passwords_in_addresses_are_left_out_and_where_a_node_listens_does_not_count(start: Start) -> None:
    note_start(start(web={"port": 8000}))
    note_start(start(web={"port": 9000}, redis_url="redis://:hush@here/0", data_dir="/elsewhere"))
    assert changes(start()) == []
    note_start(start(mlflow={"tracking_uri": "postgresql://ml:hush@db/mlflow"}))
    [change] = changes(start())
    assert change.after == {"mlflow.tracking_uri": "postgresql://ml:***@db/mlflow"}
    note_start(start(mlflow={"tracking_uri": "postgresql://db/mlflow?user=ml&password=hush"}))
    assert "hush" not in str(changes(start()))


def test_of_nodes_that_start_at_once_with_the_same_one_change_is_left(start: Start) -> None:
    note_start(start())
    nodes = [start(log_level="debug") for _ in range(4)]
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(note_start, nodes))
    assert len(changes(nodes[0])) == 1


# -- looking --------------------------------------------------------------------------------------------------


def test_a_record_is_found_by_what_it_is_about_and_shown_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGNALBOX_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SIGNALBOX_SECRET_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")
    db = Database(f"sqlite:///{tmp_path / 'signalbox.db'}")
    db.migrate()
    db.close()

    def call(*words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        return f"{done.output}{done.exception or ''}"

    assert "records review" in call("plugins", "disable", "daily-digest", "--why", "a quiet week")
    listed = call("records", "list", "--about", "plugin daily-digest")
    assert "daily-digest" in listed
    assert "daily-digest" not in call("records", "list", "--about", "nothing else")
    record = next(word for word in listed.split() if len(word) == 32)
    shown = call("records", "show", record)
    assert '"a quiet week"' in shown
    assert f'"id": "{record}"' in shown
    assert "There is no record 'x'" in call("records", "show", "x")
