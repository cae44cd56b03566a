"""`signalbox up`: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path

from bot.console.sign_in import Links
from bot.core.database import Database
from bot.core.errors import ConfigError
from bot.core.settings import Settings
from bot.supervisor import plan
from bot.supervisor.children import Child, ChildFailedError, Children
from bot.supervisor.data_dir import local_secrets, locked, save_environment


async def up(settings: Settings, options: plan.Options, say: Callable[[str], None]) -> None:
    """Start everything, say so line by line, watch it, and stop it on SIGINT or SIGTERM."""
    with locked(options.data):
        _check_ports(options)
        children = Children(options.data / "logs", say)
        stop = _stop_signal()
        try:
            await _start(children, settings, options, say, stop)
            await stop.wait()
            say("stopping")
        finally:
            await children.stop()
            say("stopped")


async def _start(
    children: Children,
    settings: Settings,
    options: plan.Options,
    say: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    started = time.monotonic()
    secrets = local_secrets(options.data)
    redis_url = settings.redis_url
    if not redis_url:
        port = plan.free_port()
        redis_url = f"redis://:{secrets['redis_password']}@127.0.0.1:{port}/0"
        await _one(children, plan.redis_child(options.data, port, secrets["redis_password"]), say)
    made = plan.environment(settings, options, secrets, redis_url)
    save_environment(options.data, made)
    env = {**os.environ, **made}  # noqa: TID251  # children inherit the operator's environment
    _migrate(settings, options)
    rest = [plan.web_child(options, env), plan.beat_child(env, options.data)]
    rest += [plan.worker_child(queue, settings, env, options.data) for queue in plan.QUEUES]
    if plan.starts_nlp(settings):
        rest.append(plan.nlp_child(settings, env))
    if plan.starts_churn(settings):
        rest.append(plan.churn_child(settings, env))
    if options.sandbox:
        rest.insert(0, plan.sandbox_child(options, _sandbox_env(env, secrets)))
    # Started side by side: the processes spend most of their start importing.
    starts = [_one(children, child, say) for child in rest]
    if options.sandbox:
        starts.append(_install_app(plan.manifest_file(options), env))
    await _all_or_stop(starts, stop)
    if stop.is_set():
        return
    if not settings.api_tokens:
        say(f"API token (scope admin): {secrets['api']}")
    say(f"started in {time.monotonic() - started:.1f} s; logs in {options.data / 'logs'}")
    if options.sandbox:
        say(f"open the sandbox: http://127.0.0.1:{options.sandbox_port}")
    say(f"console, sign in once within 10 minutes: {_sign_in_link(settings, options)}")
    say(f"ready: http://127.0.0.1:{options.port}")


async def _all_or_stop(starts: Sequence[Coroutine[None, None, None]], stop: asyncio.Event) -> None:
    async def start_all() -> None:
        await asyncio.gather(*starts)

    work, waiting = asyncio.create_task(start_all()), asyncio.create_task(stop.wait())
    await asyncio.wait([work, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if work.done():
        work.result()
    else:
        work.cancel()


async def _one(children: Children, child: Child, say: Callable[[str], None]) -> None:
    try:
        await children.start(child)
    except ChildFailedError as exc:
        raise ConfigError(str(exc)) from exc
    say(child.describe or child.name)


async def _install_app(file: Path, env: Mapping[str, str]) -> None:
    """Give the sandbox the app's manifest, as one pastes it into Slack."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "manifest", env=dict(env), stdout=PIPE, stderr=PIPE
    )
    try:
        manifest, wrong = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise ConfigError(f"The Slack app's manifest could not be made: {wrong.decode().strip()[-500:]}")
    file.parent.mkdir(exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(manifest)
    part.replace(file)


def _sandbox_env(env: dict[str, str], secrets: dict[str, str]) -> dict[str, str]:
    """The sandbox knows the secrets of both ends; it gets nothing of the operator's."""
    return {
        **env,
        "SIGNALBOX_ALERTMANAGER_TOKEN": secrets["alertmanager"],
        "SLACK_APP_TOKEN": "xapp-sandbox",
    }


def _sign_in_link(settings: Settings, options: plan.Options) -> str:
    placed = settings.model_copy(update={"data_dir": options.data})
    db = Database(placed.resolved_database_url())
    try:
        return f"http://127.0.0.1:{options.port}/sign-in?code={Links(db).make()}"
    finally:
        db.close()


def _migrate(settings: Settings, options: plan.Options) -> None:
    placed = settings.model_copy(update={"data_dir": options.data})
    db = Database(placed.resolved_database_url())
    db.migrate()
    db.close()


def _check_ports(options: plan.Options) -> None:
    if options.sandbox and options.port == options.sandbox_port:
        raise ConfigError(f"Port {options.port} is given twice. Choose another with --sandbox-port.")
    for port in (options.port, *((options.sandbox_port,) if options.sandbox else ())):
        _refuse_taken(port)


def _refuse_taken(port: int) -> None:
    if not 0 < port < 65536:
        raise ConfigError(f"There is no port {port}. Choose one from 1 to 65535, for example 8000.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as exc:
            raise ConfigError(f"Port {port} needs a privileged user. Choose one above 1023.") from exc
        except OSError as exc:
            raise ConfigError(
                f"Port {port} is taken by another program. Choose others with --port and --sandbox-port."
            ) from exc


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
