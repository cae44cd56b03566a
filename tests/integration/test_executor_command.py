"""The command executor: real processes, real limits."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from bot.core.errors import Permanent, Refused
from bot.core.settings import AllowedCommand, CommandExecutor
from integrations.mitigations.command import CommandParameters, Commands
from integrations.mitigations.output import Masker
from tests.conftest import wait_until

pytestmark = pytest.mark.integration
PYTHON = sys.executable


def commands(*argv: str, **more: object) -> Commands:
    allowed = AllowedCommand.model_validate({"argv": argv, **more})
    return Commands(CommandExecutor(allow={"heal": allowed}), Masker(["hidden-secret"]))


def asking(**arguments: str) -> CommandParameters:
    return CommandParameters(command="heal", arguments=arguments)


def script(code: str, *argv: str, **more: object) -> Commands:
    return commands(PYTHON, "-S", "-c", code, *argv, **more)


def _ended(pid: int) -> bool:
    """A killed process is there until the kernel has taken it down, and as a zombie until somebody asks."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_arguments_stay_arguments_whatever_they_hold() -> None:
    outcome = script("import sys; print(sys.argv[1:])", "--unit={unit}", "{unit}").run(
        asking(unit="web-1"), key="k", timeout=10
    )
    assert (outcome.progress, outcome.output) == ("done", "['--unit=web-1', 'web-1']")


@pytest.mark.parametrize(
    "value", ["a b", "$(id)", "`id`", "a;b", "--force", "-rf", "", "a\nb", "a|b", "x" * 201]
)
def test_what_could_be_more_than_a_name_is_no_argument(value: str) -> None:
    with pytest.raises(ValidationError):
        asking(unit=value)


def test_only_allowed_commands_are_run() -> None:
    with pytest.raises(Refused, match="not in"):
        commands("/bin/true").run(CommandParameters(command="rm"), key="k", timeout=1)


@pytest.mark.parametrize("arguments", [{}, {"unit": "a", "other": "b"}])
def test_arguments_must_be_those_of_the_command(arguments: dict) -> None:
    with pytest.raises(Refused, match="takes the arguments"):
        commands("/bin/echo", "{unit}").run(asking(**arguments), key="k", timeout=1)


def test_a_failure_is_told_with_its_output() -> None:
    outcome = script("import sys; print('no such unit'); sys.exit(3)").run(asking(), key="k", timeout=10)
    assert (outcome.progress, outcome.detail, outcome.output) == (
        "failed", "It ended with exit status 3.", "no such unit",
    )  # fmt: skip


def test_a_program_that_is_not_there_is_told() -> None:
    outcome = commands("/no/such/program").run(asking(), key="k", timeout=10)
    assert outcome.progress == "failed"
    assert "could not be started" in outcome.output


def test_when_time_is_up_the_whole_group_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen(['/bin/sleep', '600']);"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid)); print('begun', flush=True); time.sleep(600)"
    )
    before = time.monotonic()
    outcome = script(code).run(asking(), key="k", timeout=1)
    assert time.monotonic() - before < 15
    assert outcome.progress == "unknown"
    assert outcome.output == "begun"
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: _ended(pid), 5, "the end of what it started")


def test_what_it_left_running_is_ended_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess; child = subprocess.Popen(['/bin/sleep', '600']);"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))"
    )
    assert script(code).run(asking(), key="k", timeout=10).progress == "done"
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: _ended(pid), 5, "the end of what it started")


def test_memory_and_processor_time_are_limited() -> None:
    greedy = script("x = bytearray(400 * 1024 * 1024)", memory_mb=128).run(asking(), key="k", timeout=20)
    assert greedy.progress == "failed"
    assert "MemoryError" in greedy.output
    busy = script("while True: pass", cpu_seconds=1).run(asking(), key="k", timeout=20)
    assert (busy.progress, busy.detail) == ("failed", "It ended with signal 9.")


def test_a_flood_of_output_is_cut_and_secrets_are_masked() -> None:
    code = "print('x' * 5_000_000); print('password: swordfish hidden-secret the end')"
    output = script(code).run(asking(), key="k", timeout=20).output
    assert len(output) <= 2000
    assert output.endswith("the end")
    assert "swordfish" not in output
    assert "hidden-secret" not in output


def test_it_sees_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    output = script("import os; print(sorted(os.environ))").run(asking(), key="k", timeout=10).output
    assert "SLACK" not in output
    assert "SIGNALBOX_RUN" in output


@pytest.mark.parametrize("word", ["absent", "running", "done", "failed"])
def test_the_state_command_tells_what_became_of_a_run(word: str) -> None:
    executor = commands("/bin/true", state=("/bin/echo", word))
    assert executor.state(asking(), key="k", timeout=10).progress == word


def test_without_a_state_command_nobody_can_tell() -> None:
    assert commands("/bin/true").state(asking(), key="k", timeout=10).progress == "unknown"
    odd = commands("/bin/true", state=("/bin/echo", "{key}")).state(asking(), key="k7", timeout=10)
    assert (odd.progress, odd.detail) == ("unknown", "It says: k7")


def test_the_dry_run_is_part_of_the_plan() -> None:
    more = {"dry_run": ("/bin/echo", "would restart {unit}"), "target": "unit/{unit}"}
    plan = commands("/bin/false", "{unit}", **more).plan(asking(unit="web"), timeout=10)
    assert plan.targets == ("unit/web",)
    assert plan.effect == "/bin/false web will be run. Its dry run says: would restart web"
    with pytest.raises(Permanent, match="exit status 1"):
        commands("/bin/true", dry_run=("/bin/false",)).plan(asking(), timeout=10)


def test_what_restores_is_another_allowed_command() -> None:
    executor = commands("/bin/true", "{unit}", undo="back")
    plan = executor.plan(asking(unit="web"), timeout=1)
    assert executor.inverse(asking(unit="web"), plan) == CommandParameters(
        command="back", arguments={"unit": "web"}
    )
    assert commands("/bin/true").inverse(asking(), plan) is None
