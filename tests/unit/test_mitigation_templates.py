"""Labels in parameters: filled in one by one, and never more than a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitigation_samples import RESTART, declared, fire, kit_with, press
from pydantic import ValidationError

from bot.plugin import Refused
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.mitigation import templates

pytestmark = pytest.mark.unit
LABELS = {"instance": "web-1.example:9100", "service": "checkout", "evil": "a; rm -rf /", "option": "--force"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{{ labels.service }}", "checkout"),
        ("{{labels.service|upper}}", "CHECKOUT"),
        ("{{ labels.instance | host }}", "web-1.example"),
        ("{{ labels.instance | port }}", "9100"),
        ("{{ labels.instance | short }}", "web-1"),
        ("deployment/{{ labels.service }}", "deployment/checkout"),
        ("--name={{ labels.option }}", "--name=--force"),
        ("plain", "plain"),
        (3, 3),
        (["a", "{{ labels.service }}"], ["a", "checkout"]),
        ({"to": {"{{ x": "{{ labels.service }}"}}, {"to": {"{{ x": "checkout"}}),
    ],
)
def test_filled_in(template: object, filled: object) -> None:
    assert templates.fill(template, LABELS, "The parameter") == filled


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ labels.pod }}", "needs the label 'pod', which this alert does not have"),
        ("{{ labels.evil }}", "has characters that no parameter takes ('a; rm -rf /')"),
        ("{{ labels.option }}", "would be '--force', which a command takes for an option"),
    ],
)
def test_refused(template: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        templates.fill(template, LABELS, "The parameter")
    assert words in str(refused.value)
    assert refused.value.check == "target"


@pytest.mark.parametrize(
    "template",
    [
        "{{ labels }}",
        "{{ config.secret }}",
        "{{ labels.a.b }}",
        "{{ labels.__class__() }}",
        "{% for x in y %}",
        "{{ labels.a | system }}",
        "{{ labels.a",
    ],
)
def test_a_template_that_is_more_than_a_label_is_a_wrong_setting(template: str) -> None:
    wrong = {**RESTART, "parameters": {"target": template}}
    with pytest.raises(ValidationError, match=r"template|filter"):
        AlertRelayConfig(mitigations=[wrong])  # type: ignore[arg-type]


@given(st.text(max_size=40))
def test_what_a_label_says_is_one_plain_word_or_refused(value: str) -> None:
    try:
        filled = templates.fill('up{job="{{ labels.job }}"}', {"job": value}, "The query")
    except Refused:
        return
    assert filled == f'up{{job="{value}"}}'
    assert not set(value) & set("\"'`\\{}()$;&|<> \n\t")


def test_a_missing_label_is_told_to_who_presses() -> None:
    with kit_with(declared(parameters={"target": "{{ labels.pod }}"})) as kit:
        fire(kit)
        press(kit)
        assert "The parameter.target needs the label 'pod'" in kit.reply.text
        assert not kit.chat.modals


def test_a_missing_label_of_the_verification_is_told_before_anything_is_run() -> None:
    verify = {**RESTART["verify"], "query": 'errors{pod="{{ labels.pod }}"}'}
    with kit_with(declared(verify=verify)) as kit:
        fire(kit)
        press(kit)
        assert "The verification needs the label 'pod'" in kit.reply.text
