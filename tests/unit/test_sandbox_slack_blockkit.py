"""The stand-in refuses what Slack refuses, at Slack's limits and not a character earlier."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models import blocks as sdk_blocks
from slack_sdk.models.blocks import basic_components, block_elements
from slack_sdk.models.views import View

from integrations.sandbox.slack import limits
from integrations.sandbox.slack.blockkit import check_message_blocks, check_view

pytestmark = pytest.mark.unit

Block = dict[str, Any]


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def a_button(text: str = "Go", **more: Any) -> Block:
    return {"type": "button", "text": plain(text), **more}


def select(options: int, text: int = 1, value: int = 1) -> Block:
    option = {"text": plain("t" * text), "value": "v" * value}
    return {"type": "static_select", "options": [option] * options}


def input_block(**element: Any) -> Block:
    return {"type": "input", "label": plain("L"), "element": {"type": "plain_text_input", **element}}


def confirm(title: int = 1, text: int = 1) -> Block:
    return {"title": plain("t" * title), "text": plain("x" * text)}


AT_LIMIT: dict[str, tuple[int, Callable[[int], Block]]] = {
    "section text": (limits.SECTION_TEXT, lambda n: {"type": "section", "text": plain("x" * n)}),
    "fields": (limits.SECTION_FIELDS, lambda n: {"type": "section", "fields": [plain("x")] * n}),
    "field text": (
        limits.SECTION_FIELD_TEXT,
        lambda n: {"type": "section", "fields": [plain("x" * n)]},
    ),
    "header": (limits.HEADER_TEXT, lambda n: {"type": "header", "text": plain("x" * n)}),
    "markdown": (limits.MARKDOWN_TEXT, lambda n: {"type": "markdown", "text": "x" * n}),
    "elements": (limits.ACTIONS_ELEMENTS, lambda n: actions(*[a_button() for _ in range(n)])),
    "context": (limits.CONTEXT_ELEMENTS, lambda n: {"type": "context", "elements": [plain("x")] * n}),
    "button text": (limits.BUTTON_TEXT, lambda n: actions(a_button("x" * n))),
    "button value": (limits.BUTTON_VALUE, lambda n: actions(a_button(value="x" * n))),
    "button url": (limits.BUTTON_URL, lambda n: actions(a_button(url="x" * n))),
    "action id": (limits.ACTION_ID, lambda n: actions(a_button(action_id="x" * n))),
    "block id": (limits.BLOCK_ID, lambda n: {"type": "divider", "block_id": "x" * n}),
    "options": (limits.SELECT_OPTIONS, lambda n: actions(select(n))),
    "option text": (limits.OPTION_TEXT, lambda n: actions(select(1, text=n))),
    "option value": (limits.OPTION_VALUE, lambda n: actions(select(1, value=n))),
    "confirm title": (limits.CONFIRM_TITLE, lambda n: actions(a_button(confirm=confirm(title=n)))),
    "confirm text": (limits.CONFIRM_TEXT, lambda n: actions(a_button(confirm=confirm(text=n)))),
    "image url": (limits.IMAGE_URL, lambda n: {"type": "image", "image_url": "x" * n, "alt_text": "a"}),
    "alt text": (limits.IMAGE_ALT_TEXT, lambda n: {"type": "image", "image_url": "u", "alt_text": "x" * n}),
    "placeholder": (limits.PLACEHOLDER, lambda n: input_block(placeholder=plain("x" * n))),
}


@pytest.mark.parametrize("name", AT_LIMIT)
def test_a_limit_is_allowed_and_one_more_is_not(name: str) -> None:
    most, build = AT_LIMIT[name]
    assert check_message_blocks([build(most)]) == []
    assert len(check_message_blocks([build(most + 1)])) == 1


def test_a_message_has_50_blocks_and_a_view_100() -> None:
    assert check_message_blocks([{"type": "divider"}] * 50) == []
    assert check_message_blocks([{"type": "divider"}] * 51) == [
        "no more than 50 items allowed [json-pointer:/blocks]"
    ]
    home = {"type": "home", "blocks": [{"type": "divider"}] * 100}
    assert check_view(home) == []
    assert len(check_view({**home, "blocks": [{"type": "divider"}] * 101})) == 1


@pytest.mark.parametrize(
    ("blocks", "pointer"),
    [
        (["text"], "/blocks/0"),
        ([{"type": "hologram"}], "/blocks/0/type"),
        ([{}], "/blocks/0/type"),
        ([{"type": "section"}], "/blocks/0"),
        ([{"type": "section", "text": plain("")}], "/blocks/0/text/text"),
        ([{"type": "section", "text": "bare"}], "/blocks/0/text"),
        ([{"type": "section", "text": {"type": "html", "text": "x"}}], "/blocks/0/text/type"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "/blocks/0/text/type"),
        ([actions()], "/blocks/0/elements"),
        ([actions({"type": "plain_text_input"})], "/blocks/0/elements/0/type"),
        ([actions(a_button(action_id="a"), a_button(action_id="a"))], "/blocks/0/elements/1/action_id"),
        ([actions(a_button(style="loud"))], "/blocks/0/elements/0/style"),
        ([actions({"type": "static_select"})], "/blocks/0/elements/0/options"),
        ([{"type": "divider", "block_id": "b"}] * 2, "/blocks/1/block_id"),
        ([{"type": "image", "image_url": "u"}], "/blocks/0/alt_text"),
        ([{"type": "rich_text", "elements": [{"type": "text"}]}], "/blocks/0/elements/0/type"),
    ],
)
def test_a_problem_points_at_its_place(blocks: list[Any], pointer: str) -> None:
    problems = check_message_blocks(blocks)
    assert [p for p in problems if p.endswith(f"[json-pointer:{pointer}]")], problems


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": plain("x" * 25)}, "/view/title/text"),
        ({"title": None}, "/view/title"),
        ({"submit": plain("x" * 25)}, "/view/submit/text"),
        ({"submit": None}, "/view/submit"),
        ({"close": plain("x" * 25)}, "/view/close/text"),
        ({"private_metadata": "x" * 3001}, "/view/private_metadata"),
        ({"callback_id": "x" * 256}, "/view/callback_id"),
        ({"type": "drawer"}, "/view/type"),
        ({"blocks": None}, "/view/blocks"),
        ({"blocks": [{"type": "markdown", "text": "x"}]}, "/view/blocks/0/type"),
    ],
)
def test_a_view_is_held_to_its_limits(change: Block, pointer: str) -> None:
    view = {"type": "modal", "title": plain("T"), "submit": plain("S"), "blocks": [input_block()]}
    assert check_view(view) == []
    assert any(f"[json-pointer:{pointer}]" in problem for problem in check_view({**view, **change}))


KEYS = st.sampled_from(
    [
        "type",
        "text",
        "elements",
        "accessory",
        "element",
        "fields",
        "options",
        "option_groups",
        "confirm",
        "block_id",
        "action_id",
        "value",
        "title",
        "label",
        "image_url",
        "placeholder",
        "rows",
        "blocks",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.sampled_from(
        [
            "section",
            "actions",
            "context",
            "input",
            "image",
            "button",
            "static_select",
            "rich_text",
            "table",
            "plain_text",
            "modal",
            "home",
        ]
    )
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(st.lists(JSON, max_size=4))
def test_no_value_that_json_can_hold_breaks_the_check(blocks: list[Any]) -> None:
    assert all("[json-pointer:" in problem for problem in check_message_blocks(blocks))


@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_no_view_that_json_can_hold_breaks_the_check(view: Block) -> None:
    assert all("[json-pointer:" in problem for problem in check_view(view))


def test_our_constants_are_the_official_sdks() -> None:
    button, select_element = block_elements.ButtonElement, block_elements.StaticSelectElement
    ours_and_theirs = {
        "SECTION_TEXT": sdk_blocks.SectionBlock.text_max_length,
        "SECTION_FIELDS": sdk_blocks.SectionBlock.fields_max_length,
        "HEADER_TEXT": sdk_blocks.HeaderBlock.text_max_length,
        "ACTIONS_ELEMENTS": sdk_blocks.ActionsBlock.elements_max_length,
        "CONTEXT_ELEMENTS": sdk_blocks.ContextBlock.elements_max_length,
        "INPUT_LABEL": sdk_blocks.InputBlock.label_max_length,
        "INPUT_HINT": sdk_blocks.InputBlock.hint_max_length,
        "IMAGE_URL": sdk_blocks.ImageBlock.image_url_max_length,
        "IMAGE_ALT_TEXT": sdk_blocks.ImageBlock.alt_text_max_length,
        "IMAGE_TITLE": sdk_blocks.ImageBlock.title_max_length,
        "BLOCK_ID": sdk_blocks.Block.block_id_max_length,
        "ACTION_ID": block_elements.InteractiveElement.action_id_max_length,
        "BUTTON_TEXT": button.text_max_length,
        "BUTTON_VALUE": button.value_max_length,
        "BUTTON_URL": button.url_max_length,
        "PLACEHOLDER": select_element.placeholder_max_length,
        "SELECT_OPTIONS": select_element.options_max_length,
        "OPTION_GROUPS": select_element.option_groups_max_length,
        "OPTION_TEXT": basic_components.Option.label_max_length,
        "OPTION_VALUE": basic_components.Option.value_max_length,
        "OVERFLOW_OPTIONS": block_elements.OverflowMenuElement.options_max_length,
        "CONFIRM_TITLE": basic_components.ConfirmObject.title_max_length,
        "CONFIRM_TEXT": basic_components.ConfirmObject.text_max_length,
        "CONFIRM_BUTTON": basic_components.ConfirmObject.confirm_max_length,
        "VIEW_TITLE": View.title_max_length,
        "VIEW_BLOCKS": View.blocks_max_length,
        "VIEW_SUBMIT": View.submit_max_length,
        "VIEW_CLOSE": View.close_max_length,
        "CALLBACK_ID": View.callback_id_max_length,
        "PRIVATE_METADATA": View.private_metadata_max_length,
    }
    assert {name: getattr(limits, name) for name in ours_and_theirs} == ours_and_theirs
