"""Whatever a plugin says, Slack accepts it, and untrusted text stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import ActionsBlock, ContextBlock, HeaderBlock, SectionBlock
from slack_sdk.models.blocks.block_elements import ButtonElement
from slack_sdk.models.views import View

from bot.core.messages import (
    Actions,
    Block,
    Button,
    Code,
    Confirm,
    Divider,
    Header,
    Image,
    Input,
    LinkButton,
    Message,
    Modal,
    Note,
    Option,
    Section,
    Select,
    link,
    md,
)
from integrations.sandbox.slack.blockkit import check_message_blocks, check_view
from integrations.slack import limits
from integrations.slack.renderer import render, render_modal, split

pytestmark = pytest.mark.unit

HOSTILE = [
    "<!channel>",
    "<@U123>",
    "<#C1>",
    "<http://evil.example|bank>",
    "&lt;@U1&gt;",
    "```",
    "\x00\x07",
    "*_~`>",
]
# Texts worth trying: what a person types, what an attacker types, and far too much of either.
short = st.one_of(st.text(max_size=40), st.sampled_from(["", " ", "\n", *HOSTILE]))
texts = st.one_of(short, st.builds(lambda text, times: text * times, short, st.integers(0, 900)))
urls = st.one_of(st.just("https://example.invalid/x?a=1&b=2"), texts, st.just("javascript:alert(1)"))
confirms = st.none() | st.builds(Confirm, title=texts, text=texts, ok=texts, cancel=texts)
names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
options = st.lists(st.builds(Option, text=texts, value=texts), max_size=120).map(tuple)
buttons = st.builds(
    Button,
    text=texts,
    action=names,
    id=names,
    confirm=confirms,
    style=st.sampled_from(["", "primary", "danger"]),
)
selects = st.builds(Select, placeholder=texts, action=names, id=names, options=options, confirm=confirms)
elements = st.one_of(buttons, st.builds(LinkButton, text=texts, url=urls), selects)
blocks: st.SearchStrategy[Block] = st.one_of(
    st.builds(Header, text=texts),
    st.builds(Section, text=texts, fields=st.lists(texts, max_size=25).map(tuple)),
    st.builds(Note, parts=st.lists(texts, max_size=25).map(tuple)),
    st.just(Divider()),
    st.builds(Actions, elements=st.lists(elements, max_size=60).map(tuple)),
    st.builds(Image, alt=texts, url=urls, file_id=st.sampled_from(["", "F1"])),
    st.builds(Code, text=texts, filename=short),
)
severities = st.sampled_from(["", "good", "info", "warning", "critical"])
many = st.lists(blocks, max_size=70).map(tuple)
messages = st.builds(Message, text=texts, blocks=many, severity=severities)
inputs = st.builds(
    Input, id=names, label=texts, hint=texts, initial=texts, multiline=st.booleans(), options=options
)
modals = st.builds(
    Modal, view=names, title=texts, submit=texts, blocks=many, inputs=st.lists(inputs, max_size=8).map(tuple)
)


def mrkdwn(node: Any) -> Iterator[str]:
    """Every text that Slack would read as mrkdwn."""
    if isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            assert node["verbatim"] is True  # else Slack finds names and addresses by itself
            yield node["text"]
        for value in node.values():
            yield from mrkdwn(value)
    elif isinstance(node, list):
        for value in node:
            yield from mrkdwn(value)


@settings(max_examples=150, deadline=None)
@given(messages, st.booleans())
def test_any_message_is_one_that_slack_accepts(message: Message, uploads: bool) -> None:
    made = render(message, "r", uploads=uploads)
    attached = [block for bar in made.attachments for block in bar["blocks"]]
    assert check_message_blocks(made.blocks) + check_message_blocks(attached) == []
    assert len(made.blocks) + len(attached) <= limits.BLOCKS_PER_MESSAGE
    assert 0 < len(made.text) <= limits.MESSAGE_TEXT
    assert uploads or made.files == ()


@settings(max_examples=100, deadline=None)
@given(modals)
def test_any_modal_is_one_that_slack_accepts_and_loses_no_input(modal: Modal) -> None:
    view = render_modal(modal, "r")
    assert check_view(view) == []
    shown = [block["element"]["action_id"] for block in view["blocks"] if block["type"] == "input"]
    assert shown == [field.id for field in modal.inputs]


@settings(max_examples=150, deadline=None)
@given(messages)
def test_no_untrusted_text_becomes_a_mention_or_a_link(message: Message) -> None:
    made = render(message, "r")
    for text in [made.text, *mrkdwn(made.blocks), *mrkdwn(made.attachments)]:
        assert not set("<>") & set(text)
        assert re.sub(r"&(amp|lt|gt);", "", text).count("&") == 0  # no entity is cut in two


@pytest.mark.parametrize("hostile", HOSTILE)
def test_markup_keeps_its_own_form_and_escapes_what_it_is_given(hostile: str) -> None:
    made = render(Message(text="t", blocks=(Section(text=md("*{}*", hostile)),)), "r")
    [text] = mrkdwn(made.blocks)
    assert (text[0], text[-1], set("<>") & set(text)) == ("*", "*", set())


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://[::1", "http://a b", "http://x|y", "//x", ""])
def test_what_is_no_web_address_becomes_no_link(url: str) -> None:
    assert link(url, "label").mrkdwn == "label"
    strip = Actions(elements=(LinkButton(text="Open", url=url),))
    assert render(Message(text="t", blocks=(strip, Image(alt="a", url=url))), "r").blocks == []


def test_a_link_is_never_cut_in_two() -> None:
    whole = link("https://example.invalid/" + "p" * 200, "runbook").mrkdwn
    pieces = split("x" * 2900 + whole + "y" * 200, 3000)
    assert [whole in piece for piece in pieces] == [False, True]


@given(texts, st.integers(10, 400))
def test_split_loses_nothing_but_line_ends(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert all(len(piece) <= limit for piece in pieces)
    assert "".join(pieces).replace("\n", "") == text.replace("\n", "")


def test_blocks_beyond_the_limit_are_counted() -> None:
    made = render(Message(text="t", blocks=tuple(Header(text=str(n)) for n in range(60))), "r")
    assert made.blocks[-1]["elements"][0]["text"] == "… and 11 more parts"


def test_our_limits_are_those_of_the_official_sdk() -> None:
    assert SectionBlock.fields_max_length == limits.SECTION_FIELDS
    assert ContextBlock.elements_max_length == limits.CONTEXT_ELEMENTS
    assert ActionsBlock.elements_max_length == limits.ACTIONS_ELEMENTS
    assert HeaderBlock.text_max_length == limits.HEADER_TEXT
    assert ButtonElement.text_max_length == limits.BUTTON_TEXT
    assert View.title_max_length == limits.VIEW_TITLE
