"""`up` with small children: locked, watched, restarted, stopped. The whole product is tested under e2e."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bot.core.errors import ConfigError
from bot.core.settings import Settings
from bot.supervisor import up as up_module
from bot.supervisor.children import Child, ChildFailedError, Children
from bot.supervisor.data_dir import local_secrets, locked, save_environment, saved_environment
from bot.supervisor.plan import Options, environment
from tests.conftest import free_port, wait_until

pytestmark = pytest.mark.integration
SLEEP = "import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); {SLEEP}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', '{SLEEP}']); {SLEEP}"


async def _at_once() -> bool:
    return True


async def _never() -> bool:
    return False


def child(
    code: str, name: str = "toy", ready: Callable[[], Awaitable[bool]] = _at_once, stop_seconds: float = 5.0
) -> Child:
    return Child(name, [sys.executable, "-c", code], dict(os.environ), ready, stop_seconds=stop_seconds)  # noqa: TID251


async def until(check: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(wait_until, check)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


class World:
    def __init__(self, folder: Path) -> None:
        self.logs = folder
        self.said: list[str] = []
        self.children = Children(folder, self.said.append)

    def pid(self, name: str = "toy") -> int:
        return self.children.pids()[name]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.children.stop()


# --- children ----------------------------------------------------------------------------------------


async def test_a_dead_child_is_started_again_and_the_operator_told(world: World) -> None:
    await world.children.start(child(SLEEP))
    before = world.pid()
    os.kill(before, signal.SIGKILL)
    await until(lambda: world.pid() != before)
    assert alive(world.pid())
    assert "toy ended (signal SIGKILL); starting it again in 0.4 s" in world.said[0]
    assert str(world.logs / "toy.log") in world.said[0]


async def test_a_child_that_keeps_dying_is_started_ever_less_often(world: World) -> None:
    await world.children.start(child("print('no luck'); raise SystemExit(3)"))
    await until(lambda: len(world.said) == 3)
    assert [line.partition("again in ")[2][:5] for line in world.said] == ["0.4 s", "0.8 s", "1.6 s"]
    assert all("exit code 3" in line for line in world.said)
    assert (world.logs / "toy.log").read_text().startswith("no luck")


async def test_a_child_that_never_gets_ready_is_an_error_that_names_its_log(world: World) -> None:
    with pytest.raises(ChildFailedError, match=r"toy was not ready within 0 s; see .*toy\.log"):
        await world.children.start(child(SLEEP, ready=_never), patience=0.1)


async def test_a_program_that_does_not_exist_is_an_error_that_names_it(world: World) -> None:
    missing = Child("toy", ["/nonexistent/program"], {}, _at_once)
    with pytest.raises(ChildFailedError, match="toy could not be started: /nonexistent/program"):
        await world.children.start(missing)


async def test_a_stop_ends_all_the_stubborn_and_their_children(world: World) -> None:
    await world.children.start(child(SLEEP, "polite"))
    await world.children.start(child(STUBBORN, "stubborn", stop_seconds=0.2))
    await world.children.start(child(PARENT, "parent"))
    await until(lambda: (world.logs / "stubborn.log").read_text() == "up\n")
    grandchildren = await until(lambda: psutil.Process(world.pid("parent")).children())
    pids = [*world.children.pids().values(), *(process.pid for process in grandchildren)]
    assert len(pids) == 4
    await world.children.stop()
    await until(lambda: not any(map(alive, pids)))
    assert world.said == []


# --- up ----------------------------------------------------------------------------------------------


def options(data: Path, **changed: Any) -> Options:
    given: dict[str, Any] = {"data": data, "port": free_port(), "sandbox_port": free_port(), "sandbox": True}
    return Options(**given | changed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_all_and_frees_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    pids: list[int] = []

    async def start(children: Children, *_: Any) -> None:
        await children.start(child(SLEEP, "one"))
        await children.start(child(SLEEP, "two"))
        pids.extend(children.pids().values())

    monkeypatch.setattr(up_module, "_start", start)
    said: list[str] = []
    running = asyncio.create_task(up_module.up(Settings(), options(tmp_path), said.append))
    await until(lambda: len(pids) == 2)
    os.kill(os.getpid(), number)
    async with asyncio.timeout(15):
        await running
    assert said == ["stopping", "stopped"]
    await until(lambda: not any(map(alive, pids)))
    with locked(tmp_path):
        pass


async def test_a_failed_start_leaves_no_child_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []

    async def start(children: Children, *_: Any) -> None:
        await children.start(child(SLEEP, "one"))
        pids.extend(children.pids().values())
        raise ConfigError("The second one can't start.")

    monkeypatch.setattr(up_module, "_start", start)
    with pytest.raises(ConfigError, match="second one"):
        await up_module.up(Settings(), options(tmp_path), lambda _: None)
    await until(lambda: not any(map(alive, pids)))


async def test_a_second_up_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(ConfigError, match=r"Another `signalbox up` .* another --data"):
        await up_module.up(Settings(), options(tmp_path), lambda _: None)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("which", ["port", "sandbox_port"])
async def test_a_port_in_use_is_named(tmp_path: Path, taken: int, which: str) -> None:
    with pytest.raises(ConfigError, match=f"Port {taken} is taken by another program. Choose others with"):
        await up_module.up(Settings(), options(tmp_path, **{which: taken}), lambda _: None)


@pytest.mark.parametrize(
    ("ports", "words"),
    [((8000, 8000), "given twice"), ((0, 8001), "no port 0"), ((99999, 8001), "no port 99999")],
)
async def test_ports_that_cannot_be_are_refused(tmp_path: Path, ports: tuple[int, int], words: str) -> None:
    wrong = options(tmp_path, port=ports[0], sandbox_port=ports[1])
    with pytest.raises(ConfigError, match=words):
        await up_module.up(Settings(), wrong, lambda _: None)


# --- the data directory ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "plays_jira"),
    [({}, True), ({"zendesk": {"url": "https://acme.example"}}, False), ({"github": {"token": "t"}}, False)],
)
def test_the_sandbox_plays_jira_unless_there_is_a_helpdesk(
    tmp_path: Path, given: dict[str, Any], plays_jira: bool
) -> None:
    options = Options(tmp_path, 8000, 8001, sandbox=True)
    made = environment(
        Settings.model_validate(given), options, local_secrets(tmp_path), "redis://127.0.0.1/0"
    )
    assert ("JIRA_URL" in made) == plays_jira
    assert "SLACK_BOT_TOKEN" in made


def test_secrets_are_made_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    made = local_secrets(tmp_path)
    assert local_secrets(tmp_path) == made
    assert len(set(made.values())) == len(made)
    save_environment(tmp_path, {"REDIS_URL": "redis://:x@127.0.0.1/0"})
    assert saved_environment(tmp_path) == {"REDIS_URL": "redis://:x@127.0.0.1/0"}
    assert {file.stat().st_mode & 0o077 for file in tmp_path.glob("*.json")} == {0}


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with (
        pytest.raises(ConfigError, match=r"data directory .* can't be made: .*--data"),
        locked(file / "data"),
    ):
        pass
