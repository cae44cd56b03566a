"""What the sandbox is started with; one value, handed to every stand-in."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr


class SandboxOptions(BaseModel):
    """Defaults fit a bot on port 8000 and a sandbox on port 8001 of the same machine."""

    model_config = ConfigDict(frozen=True)

    bot_url: str = "http://127.0.0.1:8000"
    public_url: str = "http://127.0.0.1:8001"
    data_dir: Path | None = None
    """State survives a restart when this is given."""

    slack_manifest: Path | None = None
    """The app's manifest, as `signalbox manifest` prints it; without one, no shortcuts and no domains."""

    slack_signing_secret: SecretStr = SecretStr("sandbox-signing-secret")
    slack_bot_token: SecretStr = SecretStr("xoxb-sandbox")
    slack_app_token: SecretStr = SecretStr("xapp-sandbox")
    jira_email: str = "signalbox@sandbox.invalid"
    jira_api_token: SecretStr = SecretStr("sandbox-jira-token")
    jira_webhook_secret: SecretStr = SecretStr("sandbox-jira-webhook")
    alertmanager_webhook_token: SecretStr = SecretStr("sandbox-alertmanager")

    rate_limits: bool = True
    """Whether Slack's rate tiers are enforced from the start; the page can switch them."""
    retry_scale: float = 1.0
    """Factor on the vendors' redelivery delays (Slack: at once, 60 s, 300 s)."""
    ack_deadline_s: float = 3.0
    """How long the bot has to answer a delivery."""
    echo_own_messages: bool = True
    """Whether the bot gets events for its own messages, as it does from Slack."""
