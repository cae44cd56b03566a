"""Answers of `/signalbox mitigations`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.plugin import Message, Section, Text, User, join, md
from plugins.alert_relay import words
from plugins.alert_relay.mitigation import telling
from plugins.alert_relay.mitigation.ledger import RECORD
from plugins.alert_relay.mitigation.scene import Scene

USAGE = "[status | runs | stop [WHY] | observe [WHY] | resume | auto NAME on|off]"
CONTROL = "mitigation.control"
_SHOWN = 15


def answer(scene: Scene, text: str, user: User) -> Message:
    verb, _, rest = text.strip().partition(" ")
    known: Mapping[str, Callable[[Scene, str, User], Message]] = {
        "": _status,
        "status": _status,
        "runs": _runs,
        "stop": _stop,
        "observe": _observe,
        "resume": _resume,
        "auto": _auto,
    }
    found = known.get(verb.lower())
    if found is None:
        return _message(f"Say `mitigations {USAGE}`.", [])
    return found(scene, rest.strip(), user)


def _status(scene: Scene, rest: str, user: User) -> Message:  # noqa: ARG001  # one signature for all verbs
    held = scene.switch()
    said = {
        "run": "Mitigations may run.",
        "observe": f"Observe only ({held.reason}): nothing is run. {held.remedy}",
        "stop": f"Mitigations are stopped: {held.reason}. {held.remedy}",
    }[held.mode]
    on = scene.ledger.auto_on()
    lines: list[Text] = [
        md(
            "• *{}* ({}): {}{}{}",
            m.title,
            m.name,
            m.executor,
            f", after {m.follows}" if m.follows else "",
            _auto_word(bool(m.auto), on.get(m.name, False)),
        )
        for m in scene.rules.mitigations
    ]
    running = scene.ledger.open_runs()
    lines += [telling.run_line(run, scene.ctx.now()) for run in running[:_SHOWN]]
    if not scene.rules.mitigations:
        lines.append("None is declared; see [[mitigations]] in signalbox.toml.")
    return _message(f"{said} {words.count(len(running), 'run')} open.", lines)


def _auto_word(declared: bool, is_on: bool) -> str:  # noqa: FBT001  # two facts about one word
    if not declared:
        return ""
    return ", runs by itself" if is_on else ", may run by itself, paused"


def _runs(scene: Scene, rest: str, user: User) -> Message:  # noqa: ARG001
    """The newest transition of each of the newest runs."""
    newest: dict[str, Text] = {}
    for record in scene.ctx.records.find(RECORD, limit=300):
        data = record.data
        targets = telling.targets(data["targets"])
        when = f"{record.at:%d %b %H:%M}"
        line = md("{} *{}* on {}: {}", when, data["mitigation"], targets, data["status"])
        newest.setdefault(data["run"], line)
    lines = list(newest.values())[:_SHOWN]
    return _message(f"{words.count(len(lines), 'run')}, the newest first.", lines)


def _stop(scene: Scene, rest: str, user: User) -> Message:
    return _switch(scene, "stop", rest, user)


def _observe(scene: Scene, rest: str, user: User) -> Message:
    return _switch(scene, "observe", rest, user)


def _resume(scene: Scene, rest: str, user: User) -> Message:
    return _switch(scene, "run", rest, user)


def _switch(scene: Scene, mode: str, why: str, user: User) -> Message:
    scene.ctx.permissions.require(user.id, CONTROL, f"{_VERBS[mode]} mitigations")
    scene.ledger.set_switch(mode, user.name or user.id, why[:200])  # type: ignore[arg-type]  # one of _VERBS
    return _status(scene, "", user)


_VERBS = {"stop": "stop", "observe": "stop", "run": "resume"}


def _auto(scene: Scene, rest: str, user: User) -> Message:
    name, _, word = rest.partition(" ")
    found = scene.rules.get(name)
    if found is None or found.auto is None or word not in {"on", "off"}:
        names = ", ".join(m.name for m in scene.rules.mitigations if m.auto is not None) or "none"
        return _message(f"Say `mitigations auto NAME on` or `off`; may run by themselves: {names}.", [])
    scene.ctx.permissions.require(user.id, CONTROL, f"switch {found.title!r}")
    scene.ledger.set_auto(name, word == "on")
    return _status(scene, "", user)


def _message(head: str, lines: list[Text]) -> Message:
    return Message(text=head, blocks=(Section(text=join("\n", [head, *lines])),))
