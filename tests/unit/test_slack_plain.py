"""What Slack writes as markup, a ticket and a timeline have as plain text."""

from __future__ import annotations

import pytest

from bot.slack.plain import plain

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("mrkdwn", "text"),
    [
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("&amp;lt;", "&lt;"),
        ("<https://a.example/x?y=1&amp;z=2>", "https://a.example/x?y=1&z=2"),
        ("<https://a.example|a page>", "a page (https://a.example)"),
        ("<https://a.example|https://a.example>", "https://a.example"),
        ("<mailto:ann@a.example|ann@a.example>", "ann@a.example"),
        ("<@U1> <@U1|ann> <#C1|general> <#C1>", "@U1 @ann #general #C1"),
        ("<!here> <!subteam^S1|@oncall> <!subteam^S1>", "@here @oncall @subteam"),
        ("<!date^1700000000^{date}|14 Nov>", "14 Nov"),
        ("1 < 2 <> <|x>", "1 < 2 <> x"),
    ],
)
def test_plain(mrkdwn: str, text: str) -> None:
    assert plain(mrkdwn) == text
