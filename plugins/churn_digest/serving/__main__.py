"""Starts the process; a wrong setting ends with a sentence."""

from __future__ import annotations

import sys

import uvicorn

from bot.core.errors import SignalboxError
from bot.core.logs import configure_logs, known_secrets
from bot.core.settings import Settings
from bot.core.settings_loader import load_settings
from bot.web.protocol import BoundedProtocol
from plugins.churn_digest.serving.app import Service, build
from plugins.churn_digest.serving.model import Model


def main() -> None:
    try:
        serve(load_settings().settings)
    except SignalboxError as exc:
        sys.stderr.write(f"signalbox: {exc}\n")
        sys.exit(2)


def serve(settings: Settings) -> None:
    """Serve until told to stop; what was accepted is answered first."""
    configure_logs(settings, known_secrets(settings))
    uvicorn.run(
        build(Service(Model(settings.data_dir / "churn"))),
        host=settings.churn.host,
        port=settings.churn.port,
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
