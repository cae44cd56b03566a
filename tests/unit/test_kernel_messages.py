"""Text from outside never becomes a mention, a link or a button."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.messages import Markup, join, link, md, mention

pytestmark = pytest.mark.unit

ATTACKS = [
    "<!channel>",
    "<!here|x>",
    "<@U123>",
    "<https://evil.example|click>",
    "a & b < c > d",
    "{0}",
    "{name}",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_arguments_are_escaped_and_templates_in_them_are_text(attack: str) -> None:
    made = md("*{}* and {name}", attack, name=attack).mrkdwn
    assert "<" not in made
    assert ">" not in made
    assert made.count("{") == attack.count("{") * 2


@given(st.text())
def test_no_text_can_open_a_slack_control_sequence(text: str) -> None:
    assert not set("<>") & set(md("{}", text).mrkdwn)
    assert not set("<>") & set(join(text, ["a", text]).mrkdwn)


def test_markup_passes_through_markup() -> None:
    assert md("by {}", mention("U1")).mrkdwn == "by <@U1>"
    assert join(" · ", [md("*{}*", "a"), "b"]).mrkdwn == "*a* · b"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://x", "https://x|y", "https://x>", "nonsense", ""]
)
def test_only_web_addresses_become_links(url: str) -> None:
    assert link(url, "label") == Markup(mrkdwn="label")


def test_a_label_cannot_break_out_of_its_link() -> None:
    assert link("https://a.example/x", "a|b>c").mrkdwn == "<https://a.example/x|a/b&gt;c>"


def test_a_strange_user_id_is_not_a_mention() -> None:
    assert mention("!channel").mrkdwn == "!channel"
