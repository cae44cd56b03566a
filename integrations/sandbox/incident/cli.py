"""signalbox demo incident: a fault, from the rule that fires to the service that is healed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from bot.core.errors import ConfigError
from integrations.sandbox.incident.monitoring import Site, free_port, missing, running
from integrations.sandbox.incident.shop import SERVICE

_START_SECONDS = 90.0
_OURS = ("SIGNALBOX_", "SLACK_", "JIRA_", "ALERTMANAGER_", "PROMETHEUS_")


def incident(
    port: Annotated[int, typer.Option(help="Port of Signalbox; 0: a free one.")] = 0,
    sandbox_port: Annotated[int, typer.Option(help="Port of the sandbox; 0: a free one.")] = 0,
    keep: Annotated[
        Path | None,
        typer.Option(help="Empty directory for everything that is written; default: a passing one."),
    ] = None,
) -> None:
    """Break a small shop that Prometheus watches, and heal it from the alert's message."""
    if absent := missing():
        raise ConfigError(
            f"{' and '.join(absent)} must be installed for this: apt-get install {' '.join(absent)} "
            "(elsewhere: prometheus.io/download), then run it again."
        )
    ports = (port or free_port(), sandbox_port or free_port())
    with tempfile.TemporaryDirectory(prefix="signalbox-demo-") as passing:
        _play(keep or Path(passing), *ports)


def _play(folder: Path, port: int, sandbox_port: int) -> None:
    site_folder, log = folder / "site", folder / "up.log"
    site_folder.mkdir(parents=True, exist_ok=True)
    with running(Site(site_folder, f"http://127.0.0.1:{port}/webhooks/alertmanager")) as site:
        typer.echo(f"prometheus {site.url('prometheus')}\nalertmanager {site.url('alertmanager')}")
        typer.echo("Signalbox starts; that takes some twenty seconds.")
        product = _start(site, folder, log, port, sandbox_port)
        try:
            _wait(product, log)
            site.break_shop()
            typer.echo(_TOLD.format(service=SERVICE, sandbox=f"http://127.0.0.1:{sandbox_port}"))
            product.wait()
        except KeyboardInterrupt:
            typer.echo("stopping")
        finally:
            product.terminate()
            product.wait()


_TOLD = """
The shop's service {service!r} now fails 40 % of its requests. In about five seconds its rule fires.

  1. Open {sandbox} and the channel #alerts.
  2. Press "Restart {service}" on the message, read the dialog, and run it.
  3. Become Bob (the menu at the upper left) and press "Approve".
  4. In the thread: the restart, its verification against Prometheus, the end, and two pictures.
  5. Say /signalbox stats for the figures.

Ctrl-C ends it all.
"""


def _start(site: Site, folder: Path, log: Path, port: int, sandbox_port: int) -> subprocess.Popen[bytes]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}  # noqa: TID251  # for a child
    argv = [
        sys.executable, "-m", "bot", "up", "--port", str(port), "--sandbox-port", str(sandbox_port),
        "--data", str(folder / "data"), "--sandbox",
    ]  # fmt: skip
    with log.open("wb") as out:
        env = {**inherited, **site.environment()}
        return subprocess.Popen(argv, env=env, stdout=out, stderr=out)  # noqa: S603  # our own arguments


def _wait(product: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while "ready: " not in log.read_text(encoding="utf-8"):
        if product.poll() is not None or time.monotonic() > deadline:
            raise ConfigError(f"Signalbox did not start:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.2)
