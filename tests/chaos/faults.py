"""What goes wrong, one function each. A fault ends by itself; the product has to mend what is left."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import random
import secrets
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
import psycopg
import redis
from redis.exceptions import RedisError

from tests.conftest import _connects, _postgres_bin, free_port, wait_until
from tests.e2e.product import Product, clean_environment


class Postgres:
    """A server that syncs to disk and can be restarted in the middle of everything."""

    def __init__(self) -> None:
        binaries = _postgres_bin()
        assert binaries is not None
        self.base = Path(f"/tmp/signalbox-chaos-{secrets.token_hex(4)}")  # noqa: S108  # socket paths are short
        self.base.mkdir()
        self.as_user: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.base, "postgres", "postgres")
            self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.bin, self.port = binaries, free_port()
        make = ["initdb", "-D", str(self.base / "data"), "-U", "signalbox", "-A", "trust", "-N"]
        self._run(make)
        self.start()
        with psycopg.connect(f"{self.server}/postgres", autocommit=True) as admin:
            admin.execute("CREATE DATABASE signalbox")

    @property
    def server(self) -> str:
        return f"postgresql://signalbox@127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.server}/signalbox"

    def _run(self, argv: list[str]) -> None:
        whole = [*self.as_user, str(self.bin / argv[0]), *argv[1:]]
        subprocess.run(whole, check=True, stdout=subprocess.DEVNULL, cwd=self.base)

    def start(self) -> None:
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.base}"]
        self.process = subprocess.Popen(
            [*self.as_user, str(self.bin / "postgres"), "-D", str(self.base / "data"), "-p", str(self.port), *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.base,
        )  # fmt: skip
        wait_until(lambda: _connects(self.server), 60, "PostgreSQL")

    def stop(self) -> None:
        """At once, as after a crash: the next start recovers from its log."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)


class Clock:
    """The time of day of all processes that were started with its environment."""

    def __init__(self, folder: Path, hours: int = 0) -> None:
        self._file = folder / f"clock-{secrets.token_hex(4)}"
        self._library = folder / "clock.so"
        if not self._library.exists():
            source = Path(__file__).with_name("clock.c")
            argv = ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source)]
            subprocess.run(argv, check=True)
        self.set(hours)

    @staticmethod
    def is_possible() -> bool:
        return sys.platform == "linux" and shutil.which("cc") is not None

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "CHAOS_CLOCK": str(self._file)}

    def set(self, hours: int) -> None:
        """In place: the processes have the file mapped into their memory."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=q", hours * 3600))


@dataclass
class Chaos:
    """The product under attack, and the dice."""

    product: Product
    draw: random.Random
    postgres: Postgres | None = None
    clock: Clock | None = None
    worker_kills: int = 6
    thorough: bool = False
    acknowledged: list[str] = field(default_factory=list)
    """Subjects of what was sent beside the load, and taken."""
    kills: int = 0
    helpers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def database_url(self) -> str:
        return self.postgres.url if self.postgres else f"sqlite:///{self.product.data / 'signalbox.db'}"

    def is_up(self) -> bool:
        try:
            return self.product.http.get(f"{self.product.url}/api/health").status_code == 200
        except httpx2.TransportError:
            return False

    def secret(self, name: str) -> str:
        return str(json.loads((self.product.data / "secrets.json").read_text())[name])

    def environment(self) -> dict[str, str]:
        made: dict[str, str] = json.loads((self.product.data / "environment.json").read_text())
        return clean_environment() | self.product.env | made

    def kill(self, *words: str) -> bool:
        """Whether there was one: who was killed before may be on its way up."""
        if found := self.product.find(*words):
            with suppress(psutil.NoSuchProcess):
                self.draw.choice(found).send_signal(signal.SIGKILL)
                self.kills += 1
                return True
        return False

    def pause(self, least: float = 0.3, most: float = 1.0) -> None:
        time.sleep(self.draw.uniform(least, most))


Fault = Callable[[Chaos], None]


def workers_killed(chaos: Chaos) -> None:
    ends, killed = time.monotonic() + 4 * chaos.worker_kills, 0
    while killed < chaos.worker_kills and time.monotonic() < ends:
        killed += chaos.kill("celery", "worker")
        chaos.pause()


def web_killed_in_mid_request(chaos: Chaos) -> None:
    """Ten senders are at it; which of their deliveries were acknowledged is remembered."""
    before, over = len(chaos.acknowledged), threading.Event()

    def send(sender: int) -> None:
        for number in itertools.count():
            key = f"MID-{chaos.kills}{sender}{number:04}"
            if deliver(chaos, webhook(key, "jira:issue_updated")) == 202:
                chaos.acknowledged.append(key)
            if over.is_set():
                return

    sending = [threading.Thread(target=send, args=(sender,)) for sender in range(10)]
    for thread in sending:
        thread.start()
    ends = time.monotonic() + 5
    while len(chaos.acknowledged) < before + 10 and time.monotonic() < ends:
        time.sleep(0.001)
    chaos.kill("-m bot web")
    over.set()
    for thread in sending:
        thread.join()
    chaos.pause(1, 2)


def deliver(chaos: Chaos, body: bytes) -> int:
    """As Jira does; 0 when nobody answered."""
    digest = hmac.new(chaos.secret("jira_webhook").encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-Hub-Signature": f"sha256={digest}",
        "X-Atlassian-Webhook-Identifier": hashlib.sha256(body).hexdigest()[:32],
        "Content-Type": "application/json",
    }
    url = f"{chaos.product.url}/webhooks/jira"
    with suppress(httpx2.HTTPError):
        return httpx2.post(url, content=body, headers=headers, timeout=10).status_code
    return 0


def redis_killed_with_its_data(chaos: Chaos) -> None:
    chaos.kill("redis-server")
    chaos.pause(1, 2)


def redis_killed_without_its_data(chaos: Chaos) -> None:
    with suppress(RedisError), redis.Redis.from_url(chaos.environment()["REDIS_URL"]) as client:
        client.flushall()
    redis_killed_with_its_data(chaos)


def database_locked(chaos: Chaos) -> None:
    if chaos.postgres:
        return
    with closing(
        sqlite3.connect(chaos.product.data / "signalbox.db", isolation_level=None, timeout=10)
    ) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        chaos.pause(2, 3)
        lock.rollback()


def database_restarted(chaos: Chaos) -> None:
    if chaos.postgres:
        chaos.postgres.stop()
        chaos.pause(1, 2)
        chaos.postgres.start()


LATE = {"answer_delay_seconds": 30}
TROUBLES: tuple[dict[str, Any], ...] = (
    {"status": 500},
    {"status": 429, "retry_after": 1},
    {"drop_after": True},
    {"half_body": True},
    {"delay_seconds": 3},
    LATE,
)


METHODS = ("chat.postMessage", "chat.update", "response_url", "*")


def slack_in_trouble(chaos: Chaos) -> None:
    """Each trouble once, dealt to the methods in turn; thoroughly: each with each method."""
    dealt = zip(itertools.cycle(METHODS), TROUBLES)  # the first never ends
    for method, trouble in itertools.product(METHODS, TROUBLES) if chaos.thorough else dealt:
        url = f"{chaos.product.sandbox}/page/slack/faults"
        chaos.product.http.post(url, json={"method": method, **trouble}).raise_for_status()
        chaos.pause(0.1, 0.4)


def jira_in_trouble(chaos: Chaos) -> None:
    for trouble in TROUBLES:
        chaos.product.page(
            "POST",
            "jira/faults",
            path_prefix="/rest/api/3/issue",
            times=2 if chaos.thorough else 1,
            **trouble,
        )
        chaos.pause()


def alertmanager_in_trouble(chaos: Chaos) -> None:
    for trouble in TROUBLES:
        chaos.product.page(
            "POST", "alerts/faults", path_prefix="/api/v2", times=2 if chaos.thorough else 1, **trouble
        )
        chaos.pause()


def deliveries_doubled_late_and_out_of_order(chaos: Chaos) -> None:
    """What Jira sent for the newest tickets, again and again, the oldest last."""
    issues = chaos.product.page("GET", "jira/state")["issues"][-3:]
    bodies = [
        webhook(issue["key"], event)
        for issue in issues
        for event in ("jira:issue_updated", "jira:issue_created")
    ]
    batch = bodies * 3
    chaos.draw.shuffle(batch)
    for body in batch:
        deliver(chaos, body)


def webhook(key: str, event: str) -> bytes:
    issue = {"id": key, "key": key, "fields": {"summary": "Refund, please", "labels": []}}
    return json.dumps({"webhookEvent": event, "timestamp": 1, "issue": issue}).encode()


def clock_jumps(chaos: Chaos) -> None:
    """The machine's clock goes wrong by hours, in both directions, and is put right."""
    if chaos.clock:
        for hours in (3, -6, 0):
            chaos.clock.set(hours)
            chaos.pause(1, 2)  # a sweep and a look at the clock each


def a_worker_with_a_wrong_clock(chaos: Chaos) -> None:
    """Another machine, whose clock is hours off for good."""
    if not chaos.clock:
        return
    argv = [sys.executable, "-m", "bot", "worker", "--queues", "interactive,control,io", "--processes", "2"]
    wrong = Clock(chaos.product.data.parent, chaos.draw.choice([3, -3]))
    env = chaos.environment() | wrong.environment
    chaos.helpers.append(
        subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    )


def two_schedulers(chaos: Chaos) -> None:
    argv = [sys.executable, "-m", "bot", "beat", "--state", str(chaos.product.data / "second-beat")]
    chaos.helpers.append(
        subprocess.Popen(argv, env=chaos.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    )


def poison(chaos: Chaos) -> None:
    """An authentic alert that no parser can read: kept, told, never tried again and again."""
    headers = {"Authorization": f"Bearer {chaos.secret('alertmanager')}"}
    for body in (b"{", b'{"version":"4","alerts":"\\u0000"}', b"[" * 100_000):
        with suppress(httpx2.HTTPError):
            httpx2.post(
                f"{chaos.product.url}/webhooks/alertmanager", content=body, headers=headers, timeout=10
            )


# What goes on by itself once it was started.
ONCE: tuple[Fault, ...] = (two_schedulers, a_worker_with_a_wrong_clock)
FAULTS: tuple[Fault, ...] = (
    workers_killed,
    web_killed_in_mid_request,
    redis_killed_with_its_data,
    redis_killed_without_its_data,
    database_locked,
    database_restarted,
    slack_in_trouble,
    jira_in_trouble,
    alertmanager_in_trouble,
    deliveries_doubled_late_and_out_of_order,
    poison,
    clock_jumps,
)
