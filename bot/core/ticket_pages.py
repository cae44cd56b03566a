"""Where a browser shows a helpdesk's tickets: which addresses are a ticket's, and whose. Pure."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

_LONGEST = 3000
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class TicketPages:
    """Args:
    base: the site, e.g. https://acme.atlassian.net; its path, if any, comes before `path`.
    path: pattern of a ticket's path, with named groups.
    key: the ticket's key, made from those groups.
    """

    base: str
    path: str
    key: str = "{key}"

    @property
    def host(self) -> str:
        return urlsplit(self.base).hostname or ""

    def key_at(self, address: str) -> str | None:
        """The key of the ticket that an address shows; None where it is another site's, or no ticket's.

        Ampersands may be escaped, as they are in chats. What follows the path says nothing of the ticket.
        """
        found, site = _split(html.unescape(address)), _split(self.base)
        if found is None or site is None or _origin(found) != _origin(site):
            return None
        matched = re.fullmatch(re.escape(site.path.rstrip("/")) + self.path + "/?", unquote(found.path))
        return self.key.format(**matched.groupdict()) if matched else None


def _split(address: str) -> SplitResult | None:
    """None for what is no plain web address; one with a user's name in it only looks like another's."""
    try:
        found = urlsplit(address)
        is_plain = found.scheme in _PORTS and found.hostname and "@" not in found.netloc
    except ValueError:  # e.g. half an IPv6 address
        return None
    return found if is_plain and len(address) <= _LONGEST and address.isprintable() else None


def _origin(found: SplitResult) -> tuple[str, str | None, int | None]:
    try:
        port = found.port
    except ValueError:  # a port that is no number
        return ("", None, None)
    return (found.scheme, found.hostname, port or _PORTS[found.scheme])
