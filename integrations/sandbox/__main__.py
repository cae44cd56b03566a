"""`python -m integrations.sandbox`: the stand-ins and their page, on loopback by default."""

from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn

from integrations.sandbox.app import build_app
from integrations.sandbox.options import SandboxOptions

DEFAULTS = SandboxOptions()


def _from_environment(name: str) -> Any:
    """Secrets come by environment alone, where `ps` does not show them."""
    return typer.Option(envvar=name, hidden=True, show_default=False)


def main(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8001,
    bot_url: Annotated[str, typer.Option(help="Where the bot listens.")] = DEFAULTS.bot_url,
    public_url: Annotated[str, typer.Option(help="The sandbox's address, when not http://HOST:PORT.")] = "",
    data: Annotated[Path | None, typer.Option(help="Folder that keeps the state.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="The Slack app's manifest, as `signalbox manifest` prints it.")
    ] = None,
    retry_scale: Annotated[float, typer.Option(min=0, help="Factor on Slack's redelivery delays.")] = 1.0,
    *,
    rate_limits: Annotated[bool, typer.Option(help="Enforce Slack's rate tiers.")] = True,
    own_messages: Annotated[bool, typer.Option(help="Send the bot events for its own messages.")] = True,
    slack_signing_secret: Annotated[str, _from_environment("SLACK_SIGNING_SECRET")] = "",
    slack_bot_token: Annotated[str, _from_environment("SLACK_BOT_TOKEN")] = "",
    slack_app_token: Annotated[str, _from_environment("SLACK_APP_TOKEN")] = "",
    jira_email: Annotated[str, _from_environment("JIRA_EMAIL")] = "",
    jira_api_token: Annotated[str, _from_environment("JIRA_API_TOKEN")] = "",
    jira_webhook_secret: Annotated[str, _from_environment("JIRA_WEBHOOK_SECRET")] = "",
    alertmanager_webhook_token: Annotated[str, _from_environment("SIGNALBOX_ALERTMANAGER_TOKEN")] = "",
) -> None:
    """Run local stand-ins for Slack, Jira and Alertmanager until Ctrl-C."""
    given = {
        "slack_signing_secret": slack_signing_secret,
        "slack_bot_token": slack_bot_token,
        "slack_app_token": slack_app_token,
        "jira_email": jira_email,
        "jira_api_token": jira_api_token,
        "jira_webhook_secret": jira_webhook_secret,
        "alertmanager_webhook_token": alertmanager_webhook_token,
    }
    options = SandboxOptions(
        bot_url=bot_url,
        public_url=public_url or f"http://{host}:{port}",
        data_dir=data,
        slack_manifest=manifest,
        rate_limits=rate_limits,
        retry_scale=retry_scale,
        echo_own_messages=own_messages,
        **{name: value for name, value in given.items() if value},
    )
    typer.echo(f"sandbox: {options.public_url} (delivers to the bot at {options.bot_url})")
    uvicorn.run(build_app(options), host=host, port=port, log_level="warning", timeout_graceful_shutdown=3)


if __name__ == "__main__":
    typer.run(main)
