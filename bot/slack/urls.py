"""Which addresses are Slack's."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_slack_url(url: str, api_url: str) -> bool:
    """Only Slack's own addresses: the payload names the URL, and payloads must not steer requests."""
    wanted, api = urlsplit(url), urlsplit(api_url)
    return wanted.netloc == api.netloc or (
        wanted.scheme == "https" and (wanted.hostname or "").endswith((".slack.com", ".slack-gov.com"))
    )
