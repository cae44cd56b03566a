"""Mitigation by a program on this machine: one of those that the settings allow, started without a shell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from bot.core.errors import Permanent, Refused
from bot.core.executors import Outcome, Parameters, Plan, Progress
from bot.core.integration import Services
from bot.core.settings import AllowedCommand, CommandExecutor
from integrations.mitigations import process
from integrations.mitigations.fields import Word
from integrations.mitigations.output import Masker

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_PLACE = re.compile(r"\{([a-z_]+)\}")
_STATES: tuple[Progress, ...] = ("absent", "running", "done", "failed")


class CommandParameters(Parameters):
    command: str = Field(description="Name in [executors.command.allow].")
    arguments: Mapping[str, Word] = Field(default_factory=dict, description="Values of its {names}.")


class Commands:
    name: ClassVar[str] = "command"
    Parameters: ClassVar[type[Parameters]] = CommandParameters
    target_kind: ClassVar[str] = "command"
    repeatable: ClassVar[bool] = False

    def __init__(self, settings: CommandExecutor, mask: Masker) -> None:
        self._allowed = settings.allow
        self._mask = mask

    def plan(self, parameters: CommandParameters, *, timeout: float) -> Plan:
        allowed = self._find(parameters)
        argv = _filled(allowed.argv, parameters.arguments)
        [target] = _filled((allowed.target or parameters.command,), parameters.arguments)
        shown = self._mask(" ".join(argv))
        effect = f"{shown} will be run."
        if allowed.dry_run:
            effect += f" Its dry run says: {self._rehearse(parameters, allowed, timeout)}"
        return Plan(targets=(target,), effect=effect)

    def run(self, parameters: CommandParameters, *, key: str, timeout: float) -> Outcome:
        allowed = self._find(parameters)
        ended = _start(allowed, allowed.argv, parameters, key, timeout)
        output = self._mask(ended.output)
        if ended.status is None:
            detail = f"It ran longer than {timeout:g} s and was killed; nobody knows how far it came."
            return Outcome(progress="unknown", detail=detail, output=output)
        if ended.status != 0:
            return Outcome(progress="failed", detail=f"It ended with {_status(ended.status)}.", output=output)
        return Outcome(detail="It ended well.", output=output)

    def state(self, parameters: CommandParameters, *, key: str, timeout: float) -> Outcome:
        allowed = self._find(parameters)
        if not allowed.state:
            return Outcome(progress="unknown", detail="No state command is declared that could tell.")
        ended = _start(allowed, allowed.state, parameters, key, timeout)
        said = self._mask(ended.output)
        found = next((state for state in _STATES if ended.status == 0 and state == said), None)
        return Outcome(progress=found or "unknown", detail="" if found else f"It says: {said[:300]}")

    def inverse(self, parameters: CommandParameters, plan: Plan) -> CommandParameters | None:
        del plan
        undo = self._find(parameters).undo
        return CommandParameters(command=undo, arguments=parameters.arguments) if undo else None

    def _find(self, parameters: CommandParameters) -> AllowedCommand:
        allowed = self._allowed.get(parameters.command)
        if allowed is None:
            raise Refused(
                f"{parameters.command!r} is not in [executors.command.allow]; nothing was run.",
                check="registered",
            )
        texts = " ".join((*allowed.argv, *allowed.dry_run, *allowed.state, allowed.target))
        wanted = set(_PLACE.findall(texts)) - {"key"}
        if wanted != set(parameters.arguments):
            raise Refused(
                f"{parameters.command!r} takes the arguments {sorted(wanted)}, and was given "
                f"{sorted(parameters.arguments)}; nothing was run.",
                check="registered",
            )
        return allowed

    def _rehearse(self, parameters: CommandParameters, allowed: AllowedCommand, timeout: float) -> str:
        ended = _start(allowed, allowed.dry_run, parameters, "dry-run", timeout)
        said = self._mask(ended.output)[:500]
        if ended.status != 0:
            how = "did not end in time" if ended.status is None else f"ended with {_status(ended.status)}"
            raise Permanent(f"The dry run of {parameters.command!r} {how}: {said or 'it said nothing'}")
        return said or "nothing."


def _start(
    allowed: AllowedCommand, argv: tuple[str, ...], parameters: CommandParameters, key: str, timeout: float
) -> process.Ended:
    limits = process.Limits(allowed.cpu_seconds, allowed.memory_mb, allowed.file_mb)
    words = _filled(argv, {**parameters.arguments, "key": key})
    return process.run(words, limits, {**ENVIRONMENT, "SIGNALBOX_RUN": key}, timeout)


def _filled(texts: tuple[str, ...], values: Mapping[str, str]) -> list[str]:
    """Each entry stays one argument, whatever is put into it."""
    return [_PLACE.sub(lambda place: values.get(place[1], place[0]), text) for text in texts]


def _status(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def connect(services: Services) -> Commands:
    return Commands(services.settings.executors.command, Masker.of(services.settings))
