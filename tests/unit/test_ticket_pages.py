"""Which addresses are tickets of the helpdesk that is set up, and which only look so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.ticket_pages import TicketPages

pytestmark = pytest.mark.unit
JIRA = TicketPages("https://acme.atlassian.net/", r"/browse/(?P<key>[A-Za-z][A-Za-z0-9_]*-[0-9]{1,19})")
BELOW = TicketPages("http://127.0.0.1:8001/jira", r"/browse/(?P<key>[A-Z]+-[0-9]+)")
GITHUB = TicketPages(
    "https://github.com", r"/(?P<owner>[\w-]+)/(?P<name>[\w.-]+)/issues/(?P<n>\d+)", "{owner}/{name}#{n}"
)


@pytest.mark.parametrize(
    ("pages", "address", "key"),
    [
        (JIRA, "https://acme.atlassian.net/browse/SUP-1", "SUP-1"),
        (JIRA, "https://ACME.atlassian.net:443/browse/SUP-1/?focusedCommentId=9&amp;page=2#c", "SUP-1"),
        (BELOW, "http://127.0.0.1:8001/jira/browse/SUP-12", "SUP-12"),
        (GITHUB, "https://github.com/acme/shop/issues/7#issuecomment-1", "acme/shop#7"),
        (JIRA, "https://evil.example/browse/SUP-1", None),
        (JIRA, "https://acme.atlassian.net.evil.example/browse/SUP-1", None),
        (JIRA, "https://acme.atlassian.net@evil.example/browse/SUP-1", None),
        (JIRA, "https://me:x@acme.atlassian.net/browse/SUP-1", None),
        (JIRA, "http://acme.atlassian.net/browse/SUP-1", None),
        (JIRA, "https://acme.atlassian.net:8443/browse/SUP-1", None),
        (JIRA, "https://acme.atlassian.net:x/browse/SUP-1", None),
        (JIRA, "https://acme.atlassian.net/browse/SUP-1/../../rest/api/3/myself", None),
        (JIRA, "https://acme.atlassian.net/browse/SUP-1%2f..%2fmyself", None),
        (JIRA, "https://acme.atlassian.net/wiki/SUP-1", None),
        (JIRA, "javascript:alert(1)", None),
        (JIRA, "https://[::1/browse/SUP-1", None),
        (BELOW, "http://127.0.0.1:8001/browse/SUP-12", None),
        (JIRA, "", None),
    ],
)
def test_key_at(pages: TicketPages, address: str, key: str | None) -> None:
    assert pages.key_at(address) == key


@given(st.text())
def test_no_address_breaks_it(address: str) -> None:
    assert JIRA.key_at(address) is None
    assert JIRA.key_at(f"https://{address}") is None or "acme.atlassian.net" in address.lower()


def test_its_host() -> None:
    assert (JIRA.host, BELOW.host) == ("acme.atlassian.net", "127.0.0.1")
