"""signalbox manifest: the Slack app that Signalbox needs.

The format is documented at docs.slack.dev/reference/app-manifest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from bot.core.declare import Handler
from bot.core.errors import ConfigError
from bot.core.kernel import declared_kernel
from bot.core.settings_loader import load_settings
from bot.slack.install import DONE
from bot.slack.scopes import EVENTS, SCOPES

SHORTCUTS = 10
app = typer.Typer(help="Print the manifest of the Slack app.")


def manifest(
    command: str, url: str = "", shortcuts: Sequence[Handler] = (), domains: Sequence[str] = ()
) -> dict[str, Any]:
    """The app's manifest; without a `url` it uses Socket Mode, for hosts that Slack can't reach.

    Links to `domains` are told to the app.
    """
    address = f"{url.rstrip('/')}/slack/events" if url else ""
    asked: dict[str, Any] = {"command": command, "description": "Talk to Signalbox", "usage_hint": "help"}
    events: dict[str, Any] = {"bot_events": list(EVENTS)}
    interactivity: dict[str, Any] = {"is_enabled": True}
    if address:
        asked["url"] = events["request_url"] = interactivity["request_url"] = address
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": "Signalbox",
            "description": "Tags tickets, relays alerts with levers, warns of churn.",
            "background_color": "#3b2a4a",
        },
        "features": {
            "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
            "bot_user": {"display_name": "Signalbox", "always_online": True},
            "slash_commands": [asked],
            **({"shortcuts": _shortcuts(shortcuts)} if shortcuts else {}),
            **({"unfurl_domains": list(domains)} if domains else {}),
        },
        "oauth_config": _redirects(url) | {"scopes": {"bot": list(SCOPES), "user": ["openid", "profile"]}},
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": False,
            "socket_mode_enabled": not address,
            "token_rotation_enabled": False,
        },
    }


def _redirects(url: str) -> dict[str, Any]:
    """Where Slack may send people back to who sign in to the console, or add the app to their workspace."""
    base = url.rstrip("/")
    return {"redirect_urls": [f"{base}/sign-in/slack/done", f"{base}{DONE}"]} if url else {}


def _shortcuts(handlers: Sequence[Handler]) -> list[dict[str, str]]:
    if len(handlers) > SHORTCUTS:
        names = ", ".join(f"{handler.declaration.title} ({handler.plugin})" for handler in handlers)
        raise ConfigError(
            f"Slack shows {SHORTCUTS} shortcuts of an app at most, and the plugins have {len(handlers)}: "
            f"{names}. Take plugins out with the setting disabled_plugins."
        )
    return [
        {
            "name": handler.declaration.title,
            "type": "message",
            "callback_id": f"{handler.plugin}:{handler.declaration.match}",
            "description": handler.declaration.help,
        }
        for handler in handlers
    ]


@app.callback(invoke_without_command=True)
def show(
    url: Annotated[
        str, typer.Option(help="Public https address of the web process; without one: Socket Mode.")
    ] = "",
) -> None:
    """Print the manifest as JSON: paste it at https://api.slack.com/apps, Create New App, From a manifest."""
    if url and urlsplit(url).scheme != "https":
        raise ConfigError(f"Slack calls https addresses only, not {url!r}. Example: https://bot.example.com")
    settings = load_settings().settings
    kernel = declared_kernel(settings)
    domains = [kernel.ticket_pages.host] if kernel.ticket_pages else []
    made = manifest(settings.slack.command, url, kernel.registry.shortcuts(), domains)
    kernel.close()
    typer.echo(json.dumps(made, indent=2))
