"""Logs: structlog for our own and foreign loggers, JSON unless somebody reads a terminal.

Event names are constants (`run.finished`), data stands in keywords, secrets are masked by key and value.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from bot.core.masking import MASK, passwords_in
from bot.core.settings import Settings
from bot.core.texts import printable

_SECRET_KEY = re.compile(r"token|secret|password|authorization|cookie|api_key|signature", re.IGNORECASE)
# People's addresses come along in tickets, and in the errors that quote them.
# Each run of signs is looked at once, without going back or starting anew: a stranger's line may be long.
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")
# Those of other workspaces come while the process runs, so that nobody could name them when it started.
_SLACK_TOKEN = re.compile(r"\bx(?:ox[a-z](?:\.xox[a-z])?|app)-[\w-]+")
_SHORTEST_SECRET = 6
_OURS = {"exception", "timestamp", "level"}


def configure_logs(settings: Settings, secrets: Iterable[str] = ()) -> None:
    """Set up logging for this process; `secrets` are masked wherever they appear."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask(frozenset(s for s in secrets if len(s) >= _SHORTEST_SECRET)),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # A cached logger keeps writing to where the process logged before it was configured again.
        cache_logger_on_first_use=False,
    )
    renderers: list[Processor] = (
        [structlog.processors.JSONRenderer()]
        if as_json
        else [_one_line, structlog.dev.ConsoleRenderer(colors=True)]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in (
        "httpx2",
        "httpcore2",
        "slack_bolt",
        "slack_sdk",
        "alembic",
        "urllib3",
        "celery.beat",
        "celery.app.trace",
        "celery.worker.strategy",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _one_line(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """On a terminal a text from outside must neither begin a line of its own nor steer the terminal."""
    return {k: v if k in _OURS or not isinstance(v, str) else printable(v) for k, v in event.items()}


def _mask(secrets: frozenset[str]) -> Processor:
    def mask(value: Any) -> Any:
        if isinstance(value, str):
            for secret in secrets:
                value = value.replace(secret, MASK)
            value = _SLACK_TOKEN.sub(MASK, value) if "xox" in value or "xapp-" in value else value
            return _ADDRESS.sub(MASK, value) if "@" in value else value
        if isinstance(value, dict):
            return {k: MASK if _SECRET_KEY.search(str(k)) else mask(v) for k, v in value.items()}
        return [mask(v) for v in value] if isinstance(value, list | tuple) else value

    def process(_logger: Any, _method: str, event: EventDict) -> EventDict:
        masked: EventDict = mask(dict(event))
        return masked

    return process


def known_secrets(settings: Settings) -> list[str]:
    """Every secret among the settings, passwords within addresses too, to be masked in logs."""
    found: list[str] = []

    def collect(value: Any) -> None:
        if hasattr(value, "get_secret_value"):
            found.append(value.get_secret_value())
        elif isinstance(value, str) and "://" in value:
            found.extend(passwords_in(value))
        elif isinstance(value, dict):
            for inner in value.values():
                collect(inner)
        elif isinstance(value, tuple | list):
            for inner in value:
                collect(inner)

    collect(_plain(settings))
    return found


def _plain(model: Any) -> Any:
    if hasattr(model, "model_fields_set"):
        return {name: _plain(getattr(model, name)) for name in type(model).model_fields}
    return {k: _plain(v) for k, v in model.items()} if isinstance(model, dict) else model
