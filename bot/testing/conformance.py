"""What every plugin must hold to, whoever wrote it.

Inherit, name the plugin, and say what it lives on:

    class TestHello(Conformance):
        plugin = Hello

        def samples(self) -> Samples:
            return {"a greeting": lambda kit: kit.event("slack.mention", GREETING)}

Scheduled methods and commands are exercised without being named; a handler that no sample reaches
fails the suite, because then nothing is known about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, ClassVar

from bot.core.declare import Handler, Plugin
from bot.core.errors import Transient
from bot.core.messages import Actions, Button, Message
from bot.core.ports import Health
from bot.testing.faults import Faulty, WorkerKilled
from bot.testing.kit import Kit
from bot.testing.outcome import Delivered

Sample = Callable[[Kit], Delivered]
Samples = Mapping[str, Sample]
_PERMISSION = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+")
_PORTS = ("chat", "tickets", "alerts")
# An answer to a click whose fate is unknown is not sent again: the strip tells what happened.
_UNREPEATED = {"chat.reply"}
# Slack opens a dialog within three seconds of the press; somebody who waited longer is answered instead.
_TOO_LATE = {"chat.open_modal": "chat.reply"}
_ADMIN, _NOBODY = "UADMIN", "UNOBODY"


@dataclass(frozen=True, slots=True)
class _Healthy:
    """What a sample did while all was well, and the ports that it called: only those can fail it."""

    methods: frozenset[str]
    visible: Mapping[str, int]
    ports: tuple[str, ...]


class Conformance:
    plugin: ClassVar[type[Plugin[Any]]]
    config: ClassVar[Mapping[str, Any]] = {}
    elsewhere: ClassVar[frozenset[str]] = frozenset()
    """Methods that another suite of the same plugin looks after."""

    def prepare(self, kit: Kit) -> None:
        """Set up what the samples need, e.g. `kit.tickets.add("OPS-1", "It is broken")`.

        Effects and dead letters that this leaves are not counted.
        """

    def samples(self) -> Samples:
        """Name to a function that makes one delivery; it must leave an effect that a retry could double."""
        return {}

    # -- what it declares --------------------------------------------------------------------------

    def test_every_setting_is_described_in_a_sentence(self) -> None:
        for name, field in self.plugin.Config.model_fields.items():
            _check(
                (field.description or "").endswith("."), f"Setting {name!r}: end its description with '.'."
            )

    def test_every_command_says_what_it_does(self) -> None:
        for handler in self._of("command"):
            _check(handler.declaration.help, f"Command {handler.declaration.match!r}: give it help.")

    def test_permissions_have_names_of_the_form_area_verb(self) -> None:
        for handler in self._handlers():
            permission = handler.declaration.permission
            needed = handler.declaration.trigger in {"view", "shortcut"}  # an action says None knowingly
            _check(permission or not needed, f"{handler.name}: name the permission that it needs.")
            _check(
                permission is None or _PERMISSION.fullmatch(permission),
                f"{handler.name}: {permission!r} is not of the form 'area.verb'.",
            )

    def test_health_is_answered_without_an_effect(self) -> None:
        for kit in self._kits():
            found = kit.health()
            _check(isinstance(found, Health), "health() must return a Health.")
            _check(not kit.effects, "health() must change nothing.")

    # -- who may -----------------------------------------------------------------------------------

    def test_a_stranger_is_refused_where_a_permission_is_needed(self) -> None:
        for handler in self._of("command", "action", "shortcut"):
            if handler.declaration.permission is not None:
                for kit in self._kits():
                    self._refuses_stranger(kit, handler)

    def _refuses_stranger(self, kit: Kit, handler: Handler) -> None:
        match handler.declaration.trigger:
            case "command":
                delivered = kit.command(f"/signalbox {handler.declaration.match}", user=_NOBODY)
            case "shortcut":
                said = kit.chat.say("It is broken.", user=_NOBODY, channel="C1")
                delivered = kit.shortcut(handler.declaration.title, said, user=_NOBODY)
            case _:
                delivered = kit.click("Press", user=_NOBODY, message=_strip(kit, handler))
        _check(delivered.refused, f"{handler.name}: a person without the permission was let through.")
        kinds = {effect.method for effect in kit.effects}
        _check(kinds <= {"reply"}, f"{handler.name}: a refused person still caused {kinds - {'reply'}}.")
        _check(kit.replies, f"{handler.name}: a refused person must be told.")

    # -- what can go wrong -------------------------------------------------------------------------

    def test_every_handler_is_reached_by_a_sample(self) -> None:
        reached: set[str] = set()
        for kit, deliver in self._each():
            deliver(kit)
            reached |= {run.handler for run in kit.kernel.inbox.runs(limit=1000)}
        missed = {handler.name for handler in self._handlers()} - reached
        _check(not missed, f"No sample reaches {sorted(missed)}; add one to samples().")

    def test_samples_work_when_all_is_well(self) -> None:
        for kit, deliver in self._each():
            deliver(kit)
            kit.settle()
            self._nothing_lost(kit, "All was well, but")

    def test_handling_twice_has_one_effect(self) -> None:
        for kit, deliver in self._each():
            delivered = deliver(kit)
            kit.settle()
            effects, facts = _effects(kit), (kit.all_records(), len(kit.audit))
            kit.rerun(delivered)
            kit.settle()
            _check(_effects(kit) == effects, f"Handled twice: {_more(_effects(kit), effects)}.")
            again = (kit.all_records(), len(kit.audit))
            _check(again == facts, f"Handled twice, (records, audit) grew from {facts} to {again}.")

    def test_an_outage_delays_and_loses_nothing(self) -> None:
        for deliver, healthy in self._when_healthy():
            for port in healthy.ports:
                for kit in self._kits():
                    _port(kit, port).fail(Transient(f"{port} is away."), times=2)
                    deliver(kit)
                    kit.settle()
                    self._nothing_lost(kit, f"While {port} was away")
                    missing = _missing(healthy.methods, {method for method, _ in _effects(kit)})
                    _check(not missing, f"After an outage of {port}, never done: {sorted(missing)}.")

    def test_a_worker_killed_anywhere_leaves_one_effect(self) -> None:
        for deliver, healthy in self._when_healthy():
            for port, after in product(healthy.ports, (False, True)):
                for kit in self._kits():
                    _port(kit, port).fail(WorkerKilled(), after=after)
                    deliver(kit)
                    kit.settle()
                    self._nothing_lost(kit, f"After a worker was killed at {port}")
                    found = _visible(kit)
                    same = found == healthy.visible
                    _check(same, f"A worker killed at {port}: {found} and not {healthy.visible}.")

    # -- helpers -----------------------------------------------------------------------------------

    def kit(self) -> Kit:
        return Kit(self.plugin, config=self.config)

    def _kits(self) -> Iterator[Kit]:
        """One prepared kit, closed afterwards."""
        with self.kit() as kit:
            kit.grant(_ADMIN, "*")
            self.prepare(kit)
            for port in _PORTS:
                _port(kit, port).effects.clear()
            for executor in kit.executors.fakes:
                executor.effects.clear()
            self._dead_before = len(kit.deadletters)
            yield kit

    def _nothing_lost(self, kit: Kit, when: str) -> None:
        dead = kit.deadletters
        lost = len(dead) > self._dead_before
        _check(not lost, f"{when}, events became dead letters: {[run.error for run in dead]}.")

    def _each(self) -> Iterator[tuple[Kit, Sample]]:
        for deliver in (*self.samples().values(), *self._declared_samples()):
            for kit in self._kits():
                yield kit, deliver

    def _when_healthy(self) -> Iterator[tuple[Sample, _Healthy]]:
        for kit, deliver in self._each():
            calls = {port: len(_port(kit, port).calls) for port in _PORTS}
            deliver(kit)
            kit.settle()
            used = tuple(port for port in _PORTS if len(_port(kit, port).calls) > calls[port])
            yield deliver, _Healthy(frozenset(method for method, _ in _effects(kit)), _visible(kit), used)

    def _declared_samples(self) -> Iterator[Sample]:
        for handler in self._of("schedule"):
            yield partial(Kit.tick, method=handler.method)
        for handler in self._of("command"):
            yield partial(Kit.command, line=handler.declaration.match, user=_ADMIN)

    def _handlers(self) -> list[Handler]:
        with self.kit() as kit:
            return [handler for handler in kit.plugin.handlers() if handler.method not in self.elsewhere]

    def _of(self, *triggers: str) -> list[Handler]:
        return [handler for handler in self._handlers() if handler.declaration.trigger in triggers]


def _strip(kit: Kit, handler: Handler) -> Message:
    button = Button(text="Press", action=handler.declaration.match, group="conformance")
    message = Message(text="A strip.", blocks=(Actions(elements=(button,)),))
    return kit.kernel.buttons.register(message, handler.plugin, "conformance")


def _missing(expected: frozenset[str], done: set[str]) -> frozenset[str]:
    """What an outage prevented, leaving out what it may."""
    late = {method for method, instead in _TOO_LATE.items() if instead in done}
    return expected - done - _UNREPEATED - late


def _port(kit: Kit, name: str) -> Faulty:
    found: Faulty = getattr(kit, name)
    return found


def _effects(kit: Kit) -> list[tuple[str, int]]:
    """How often each thing was done outside, refreshed strips aside."""
    names = [f"{effect.port}.{effect.method}" for effect in kit.effects]
    return sorted((name, names.count(name)) for name in set(names))


def _visible(kit: Kit) -> dict[str, int]:
    """What a person can count afterwards, however often an update was sent."""
    return {
        "messages": len(kit.chat.messages),
        "files": len(kit.chat.files),
        "labels": len({str(e.arguments) for e in kit.tickets.effects if e.method == "add_label"}),
        "comments": sum(e.method == "comment" for e in kit.tickets.effects),
        "silences": sum(e.method == "silence" for e in kit.alerts.effects),
        "records": kit.all_records(),
    }


def _more(now: list[tuple[str, int]], before: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return [pair for pair in now if pair not in before]


def _check(condition: object, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)
