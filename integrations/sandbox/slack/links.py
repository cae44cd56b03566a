"""Links in what people say: written as Slack writes them, and told to the app that asked for their hosts."""

import html
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

# After escaping: an ampersand belongs to an address, an escaped bracket ends it.
_ADDRESS = re.compile(r"(?<![\w<|])https?://(?:(?!&[lg]t;)[^\s<>|])+(?<![.,;:!?)'\"])")
_WRITTEN = re.compile(r"<(https?://[^<>|\s]+)(?:\|[^<>]*)?>")


def linked(escaped: str) -> str:
    """Slack puts addresses that people type into angle brackets."""
    return _ADDRESS.sub(lambda found: f"<{found[0]}>", escaped)


def links_in(text: str) -> list[str]:
    """Addresses in a message's text, each once, as they stand there."""
    return list(dict.fromkeys(_WRITTEN.findall(text)))


def domain_of(address: str, domains: Sequence[str]) -> str | None:
    """Which of the app's domains an address belongs to; subdomains are included."""
    try:
        host = urlsplit(html.unescape(address)).hostname or ""
    except ValueError:  # e.g. half an IPv6 address
        return None
    return next((domain for domain in domains if host == domain or host.endswith(f".{domain}")), None)


def shared(text: str, domains: Sequence[str]) -> list[dict[str, Any]]:
    """The `links` of a link_shared event."""
    found = ((address, domain_of(address, domains)) for address in links_in(text))
    return [{"url": address, "domain": domain} for address, domain in found if domain]
