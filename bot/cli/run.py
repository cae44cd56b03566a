"""Commands that run processes: up, web, worker, beat."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.core.settings_loader import load_settings


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(web)
    app.command()(worker)
    app.command()(beat)


def up(
    port: Annotated[int | None, typer.Option(help="Port of the web process; default: web.port.")] = None,
    sandbox_port: Annotated[int, typer.Option(help="Port of the sandbox.")] = 8001,
    data: Annotated[
        Path | None, typer.Option(help="Directory for everything that is written; default: data_dir.")
    ] = None,
    sandbox: Annotated[
        bool | None, typer.Option(help="Play Slack, Jira and Alertmanager; default: when none is set up.")
    ] = None,
) -> None:
    """Start everything on this machine, with the sandbox when no Slack and no Jira are configured."""
    from bot.supervisor.plan import Options  # noqa: PLC0415  # see the package's docstring
    from bot.supervisor.up import up as run_up  # noqa: PLC0415

    settings = load_settings().settings
    configured = settings.slack.bot_token is not None or bool(settings.jira.url)
    options = Options(
        (data or settings.data_dir).absolute(),
        settings.web.port if port is None else port,
        sandbox_port,
        not configured if sandbox is None else sandbox,
    )
    asyncio.run(run_up(settings, options, lambda line: print(line, flush=True)))


def web() -> None:
    """Serve Slack, webhooks, API and metrics."""
    gc.disable()  # imports make much that stays: a twentieth of the start; `serve` turns it on again
    from bot.web.server import serve  # noqa: PLC0415

    serve(load_settings().settings)


def worker(
    queues: Annotated[str, typer.Option(help="Comma-separated: control, interactive, io, model, spark.")] = (
        "control,interactive,io,model"
    ),
    processes: Annotated[int, typer.Option(help="Child processes; default: from the settings.")] = 0,
) -> None:
    """Work on runs from some queues."""
    settings = load_settings().settings
    first = queues.split(",")[-1]
    count = processes or getattr(settings.workers, first, 1)
    _celery(
        "worker", "-Q", queues, "-c", str(count), "-n", f"{first}-%h-%i@%h", "--without-gossip",
        "--without-mingle", "--without-heartbeat", "-O", "fair", "--loglevel", settings.log_level,
    )  # fmt: skip


def beat(
    state: Annotated[Path, typer.Option(help="File whose age tells when something was sent last.")] = Path(
        "beat"
    ),
) -> None:
    """Give the workers their rhythm: sweeps, schedules, unsent messages. More than one is harmless."""
    _celery("beat", "-s", str(state), "--pidfile=", "--loglevel", load_settings().settings.log_level)


def _celery(*arguments: str) -> None:
    """Become Celery: bot must not import workers."""
    import os  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    env = dict(os.environ)  # noqa: TID251  # Celery inherits the operator's environment
    # A worker's processes share their figures through a folder; `up` gives one to the whole node.
    env.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="signalbox-metrics-"))
    os.execve(sys.executable, [sys.executable, "-m", "celery", "-A", "workers.app", *arguments], env)  # noqa: S606
