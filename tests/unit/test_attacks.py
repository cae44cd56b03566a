"""A table of attacks: what a stranger writes stays text, wherever it comes out.

Strangers write tickets, alert labels, customer names and messages. Each attack goes through the real
renderer, adapter or template. docs/security.md names what stops it.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import TypeAdapter, ValidationError

from bot.core.errors import Refused
from bot.core.logs import configure_logs
from bot.core.messages import (
    Actions,
    Button,
    Code,
    Confirm,
    Header,
    LinkButton,
    Message,
    Modal,
    Note,
    Option,
    Section,
    Select,
    link,
    md,
    mention,
)  # fmt: skip
from bot.core.settings import Settings
from bot.slack.urls import is_slack_url
from integrations.jira import adf
from integrations.jira.tickets import _quoted
from integrations.mitigations.command import _filled
from integrations.mitigations.fields import DnsName, Word
from integrations.mitigations.jira import TicketParameters
from integrations.slack.renderer import render, render_modal
from plugins.alert_relay.mitigation import templates

pytestmark = pytest.mark.unit

PINGS = [
    "<!channel>",
    "<!here>",
    "<!everyone>",
    "<!subteam^S123>",
    "<@U0SBALICE>",
    "<#C0GENERAL>",
    "@channel",
]
LINKS = ["<https://evil.example|Sign in>", "<mailto:a@b.c|x>", "<javascript:alert(1)|x>", "<slack://open|x>"]
BREAKS = [
    "```\n<!channel>",
    "`<!here>`",
    "> quote\n<!here>",
    "*_~`",
    "a|b>c<d&e",
    "&lt;!channel&gt;",
    "\u202e",
]
BUTTONS = [
    '{"type":"button","action_id":"core.replay#x","value":"x"}',
    '"}],"elements":[{"type":"button"',
    "</button><button>",
]
UNTRUSTED = [*PINGS, *LINKS, *BREAKS, *BUTTONS]
SPECIAL = re.compile(r"<([^>]*)>")


def everywhere(text: str) -> Message:
    """A message with the text in every place where a plugin can put one."""
    button = Button(
        text=text, action="a", id="b1", confirm=Confirm(title=text, text=text, ok=text, cancel=text)
    )
    select = Select(placeholder=text, action="s", id="b2", options=(Option(text=text, value=text),))
    return Message(
        text=text,
        blocks=(
            Header(text=text),
            Section(text=text, fields=(text, md("*{}*", text))),
            Section(text=md("Ticket {}: {}", text, text)),
            Section(text=link(f"https://jira.example/{text}", text)),
            Section(text=mention(text)),
            Note(parts=(text, md("_{}_", text))),
            Code(text=text),
            Actions(elements=(button, select, LinkButton(text=text, url=f"https://ok.example/{text}"))),
        ),
    )


def nodes(made: Any) -> Iterator[dict[str, Any]]:
    if isinstance(made, dict):
        yield made
        for value in made.values():
            yield from nodes(value)
    elif isinstance(made, list):
        for value in made:
            yield from nodes(value)


@pytest.mark.parametrize("text", UNTRUSTED)
def test_no_ping_and_no_link_comes_out_of_it(text: str) -> None:
    made = render(everywhere(text), "r")
    markup = [made.text] + [n["text"] for n in nodes(made.blocks) if n.get("type") == "mrkdwn"]
    special = [found for words in markup for found in SPECIAL.findall(words)]
    # Only our own link may stand there, and it leads where we said.
    assert [found for found in special if not found.startswith("https://jira.example/")] == []
    assert all(n["verbatim"] for n in nodes(made.blocks) if n.get("type") == "mrkdwn")


@pytest.mark.parametrize("text", UNTRUSTED)
def test_no_button_comes_out_of_it(text: str) -> None:
    made = json.loads(json.dumps(render(everywhere(text), "r").blocks))
    pressable = [n for n in nodes(made) if n.get("type") in {"button", "static_select"} and "url" not in n]
    assert [n["action_id"] for n in pressable] == ["a#b1", "s#b2"]


@pytest.mark.parametrize("text", UNTRUSTED)
def test_a_dialog_shows_it_as_it_is(text: str) -> None:
    made = render_modal(Modal(view="v", title=text, submit=text, blocks=everywhere(text).blocks), "r")
    markup = [n["text"] for n in nodes(made["blocks"]) if n.get("type") == "mrkdwn"]
    assert all(f.startswith("https://jira.example/") for words in markup for f in SPECIAL.findall(words))


@pytest.mark.parametrize("text", ["```\n<!channel>\n```", "```", "a```b```c"])
def test_code_ends_where_we_end_it(text: str) -> None:
    for piece in render(Message(text="x", blocks=(Code(text=text),)), "r").blocks:
        assert piece["text"]["text"].count("```") == 2


@pytest.mark.parametrize(
    "text", [*UNTRUSTED, "{0}", "{args}", "{mention.__globals__}", "%s", "{{ labels.x }}", "${jndi:x}"]
)
def test_a_template_stays_a_text(text: str) -> None:
    plain = md("{}", text).mrkdwn
    assert plain == text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://a b", "https://x|y>", "//evil",
        "http://[", "https://a\nb",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_no_link(url: str) -> None:
    assert "<" not in link(url, "here").mrkdwn
    shown = render(Message(text="x", blocks=(Actions(elements=(LinkButton(text="go", url=url),)),)), "r")
    assert shown.blocks == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data", "http://127.0.0.1:6379/", "https://hooks.slack.com.evil.example/x",
        "https://evil.example/hooks.slack.com", "https://evil.example#.slack.com", "https://evil.example?.slack.com",
        "http://hooks.slack.com/x", "gopher://hooks.slack.com/x", "file:///etc/passwd", "https://slack.com@evil.example",
        "https://evil.example\\.slack.com",
    ],
)  # fmt: skip
def test_a_payload_does_not_steer_requests(url: str) -> None:
    assert is_slack_url("https://hooks.slack.com/commands/T1/2/x", "https://slack.com/api/")
    assert not is_slack_url(url, "https://slack.com/api/")


@pytest.mark.parametrize(
    "text", ["x\n2026-11-23 [error] forged=1", "x\r\nforged", "\x1b[2J\x1b[31mred", "a\u2028b", "\0"]
)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_log_line_is_one_line(text: str, log_format: str) -> None:
    written = logged(text, log_format)
    [line] = [line for line in written.split("\n") if line]
    assert "\x1b[2J" not in line
    assert "\r" not in line
    if log_format == "json":
        assert json.loads(line)["subject"] == text


@pytest.mark.parametrize(
    "token", ["xoxb-1-2-aB_c", "xoxp-12345", "xoxe.xoxb-1-abc", "xoxe-1-abc", "xapp-1-A-b"]
)
def test_a_slack_token_that_nobody_knew_of_is_masked_in_logs(token: str) -> None:
    written = logged(f"body: {{'access_token': '{token}'}}, team T1", "json")
    assert token.partition("-")[2] not in written
    assert "team T1" in written


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text", ["a" * 2_000_000 + " @", "a@" * 500_000, "a@" + "b." * 500_000, "@" * 1_000_000]
)
def test_a_log_line_of_any_length_is_masked_at_once(text: str) -> None:
    """Anybody can have the path of an address logged. Looked at from each sign anew, this would take hours."""
    assert "delivery.refused" in logged(text, "json")


def test_addresses_are_masked_in_logs() -> None:
    written = logged("to <ann.b+c@ex-ample.co.uk>, ben@example.com: x@y", "json")
    assert "to <***>, ***: x@y" in written


def logged(text: str, log_format: str) -> str:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    configure_logs(Settings(log_format=log_format))  # type: ignore[arg-type]
    stream = io.StringIO()
    root.handlers[0].setStream(stream)  # type: ignore[attr-defined]
    try:
        structlog.get_logger("attack").warning("delivery.refused", subject=text)
        return stream.getvalue()
    finally:
        root.handlers[:] = before
        structlog.reset_defaults()


PROMQL = [
    'x"} or vector(1) or up{a="',
    'x", b="y',
    "x'} ",
    "a b",
    "{x}",
    "x\n",
    "$(id)",
    "{{ labels.y }}",
    "ü",
    "",
]


@pytest.mark.parametrize("text", PROMQL)
def test_a_label_stays_within_a_querys_string(text: str) -> None:
    with pytest.raises(Refused):
        templates.fill('up{instance="{{ labels.instance }}"}', {"instance": text}, "verify")


@pytest.mark.parametrize(
    "text", ["--force", "-rf", "; rm -rf /", "$(id)", "`id`", "a b", "a\nb", "../../etc", "|nc", "\0"]
)
def test_a_label_is_no_option_and_no_shell(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Word).validate_python(text)
    with pytest.raises(ValidationError):
        TypeAdapter(DnsName).validate_python(text)


JQL = [
    'OPS" OR project = "SECRET',
    'OPS"',
    "OPS\\",
    'OPS\\" OR text ~ "x',
    "OPS' OR key = 'X-1",
    "OPS ORDER BY created",
    "OPS\n",
    "ops",
    "",
]


@pytest.mark.parametrize("text", JQL)
def test_a_label_is_no_project_of_a_query(text: str) -> None:
    with pytest.raises(ValidationError):
        TicketParameters(project=text, summary="x")


@pytest.mark.parametrize("text", JQL)
def test_a_value_stays_one_string_of_jql(text: str) -> None:
    """Read as Jira reads it: from the first quote to the one that no backslash stands before."""
    [whole] = re.findall(r'"(?:[^"\\]|\\.)*"', _quoted(text), re.DOTALL)
    assert whole == _quoted(text)
    assert re.sub(r"\\(.)", r"\1", whole[1:-1], flags=re.DOTALL) == text


@pytest.mark.parametrize("text", ["a b", "{other}", "--x", "; id"])
def test_an_argument_stays_one_argument(text: str) -> None:
    argv = ("restart", "--host={host}", "{host}")
    assert _filled(argv, {"host": text, "other": "boom"}) == ["restart", f"--host={text}", text]


@pytest.mark.parametrize("text", [*UNTRUSTED, "[~accountid:1]", "{code}", "h1. x", "!image.png!"])
def test_a_jira_comment_is_words_only(text: str) -> None:
    document = adf.from_text(text)
    kinds = {n["type"] for n in nodes(document) if "type" in n}
    assert kinds <= {"doc", "paragraph", "text"}
    assert adf.to_text(document) == text.strip() or adf.to_text(document).strip() == text.strip()
