"""Settings changed by one process are obeyed by the others, on both databases, and survive a restart."""

from __future__ import annotations

import threading

import pytest

from bot.core import overrides
from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import Refused
from bot.core.overrides import Overrides
from bot.core.registry import Registry
from bot.plugin import Plugin, PluginConfig

pytestmark = pytest.mark.integration


class LampConfig(PluginConfig):
    level: int = 1
    colour: str = "red"


class Lamp(Plugin[LampConfig]):
    name = "lamp"
    Config = LampConfig


class Process:
    """As one of several: a connection, a registry and what it has read."""

    def __init__(self, url: str) -> None:
        self.db = Database(url)
        self.db.migrate()
        self.registry = Registry()
        self.registry.add(Lamp(LampConfig()))
        self.overrides = Overrides(self.db, Audit(self.db), self.registry, {})

    @property
    def level(self) -> int:
        self.overrides.refresh()
        return self.registry.plugins["lamp"].config.level


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overrides, "KNOWN_SECONDS", 0.0)


def test_a_change_reaches_the_others_and_outlasts_a_restart(database_url: str) -> None:
    one, other = Process(database_url), Process(database_url)
    assert one.overrides.change("lamp", {"level": 5}, "U1") == {"level": 5}
    assert (one.level, other.level, Process(database_url).level) == (5, 5, 5)
    assert other.overrides.reset("lamp", "U2") == {"level": 1}
    assert (one.level, other.level) == (1, 1)
    assert [(row.actor, row.after) for row in Audit(one.db).rows()] == [
        ("U1", {"level": 5}),
        ("U2", {"level": 1}),
    ]


def test_of_many_who_change_the_same_settings_at_once_one_is_heard(database_url: str) -> None:
    people = [Process(database_url) for _ in range(4)]
    heard, start = [], threading.Barrier(len(people))

    def change(number: int, process: Process) -> None:
        start.wait()
        try:
            process.overrides.change("lamp", {"level": 10 + number}, f"U{number}", version=0)
        except Refused:
            return
        heard.append(10 + number)

    threads = [threading.Thread(target=change, args=pair) for pair in enumerate(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 1
    assert {process.level for process in people} == set(heard)
