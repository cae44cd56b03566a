"""Which addresses are Slack's."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Nothing but a name: no user, port or sign that another library might read differently.
_SLACKS = re.compile(r"([a-z0-9-]+\.)+(slack|slack-gov)\.com", re.IGNORECASE)


def is_slack_url(url: str, api_url: str) -> bool:
    """Only Slack's own addresses: the payload names the URL, and payloads must not steer requests."""
    try:
        wanted, api = urlsplit(url), urlsplit(api_url)
    except ValueError:  # e.g. half an IPv6 address
        return False
    if (wanted.scheme, wanted.netloc) == (api.scheme, api.netloc):
        return True
    return wanted.scheme == "https" and _SLACKS.fullmatch(wanted.netloc) is not None
