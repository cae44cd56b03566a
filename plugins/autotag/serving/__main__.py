"""Starts the process; a wrong setting ends with a sentence."""

from __future__ import annotations

import gc
import sys
from functools import partial
from pathlib import Path

from bot.core.errors import SignalboxError
from bot.core.logs import configure_logs, known_secrets
from bot.core.settings import Settings
from bot.core.settings_loader import load_settings
from plugins.autotag.serving.model import loading, newer


def main() -> None:
    try:
        serve(load_settings().settings)
    except SignalboxError as exc:
        sys.stderr.write(f"signalbox: {exc}\n")
        sys.exit(2)


def serve(settings: Settings) -> None:
    """Serve until told to stop; what was accepted is answered first."""
    configure_logs(settings, known_secrets(settings))
    gc.disable()  # what is imported stays
    cache = cache_of(settings)
    model = loading(cache)
    # The model loads in a thread while these are imported.
    import uvicorn  # noqa: PLC0415

    from bot.web.protocol import BoundedProtocol  # noqa: PLC0415
    from plugins.autotag.serving.app import Service, build  # noqa: PLC0415

    app = build(Service(model, settings.nlp.max_queue, settings.nlp.threads, partial(newer, cache)))
    gc.enable()
    # The event loop gets its turn back after 1 ms, not 5, while the other thread tags.
    sys.setswitchinterval(0.001)
    uvicorn.run(
        app,
        host=settings.nlp.host,
        port=settings.nlp.port,
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def cache_of(settings: Settings) -> Path:
    """Where the plugin's workers keep the same model."""
    return Path(settings.plugins.get("autotag", {}).get("cache_dir") or settings.data_dir / "models")


if __name__ == "__main__":
    main()
