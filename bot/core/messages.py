"""Messages as plugins write them: no vendor's JSON, and plain text by default.

A `str` is plain text and is escaped by the renderer. Formatting is written with `md`, which
escapes what it is given, so untrusted text can't become a mention, a link or a button.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Markup(_Part):
    """Text in Slack's mrkdwn that is known to be safe; made by `md` and its helpers."""

    mrkdwn: str


Text = str | Markup


def escape(text: str) -> str:
    """Escape the three control characters of mrkdwn (docs.slack.dev, formatting message text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _raw(value: object) -> str:
    return value.mrkdwn if isinstance(value, Markup) else escape(str(value))


def md(template: str, *args: object, **kwargs: object) -> Markup:
    """Format `template` (mrkdwn, written by the plugin) with escaped arguments.

    >>> md("*{}* said {}", "Ann", "<!channel>").mrkdwn
    '*Ann* said &lt;!channel&gt;'
    """
    return Markup(
        mrkdwn=template.format(*map(_raw, args), **{name: _raw(value) for name, value in kwargs.items()})
    )


def join(separator: str, parts: list[Text]) -> Markup:
    return Markup(mrkdwn=escape(separator).join(_raw(part) for part in parts))


def link(url: str, label: str) -> Markup:
    """A link, or just the label when the URL is not http(s)."""
    shown = escape(label).replace("|", "/")
    return Markup(mrkdwn=f"<{url.replace('&', '&amp;')}|{shown}>" if is_web(url) else escape(label))


def is_web(url: str) -> bool:
    """Whether a URL may stand in a link: http(s), and without characters that would end it."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:  # e.g. half an IPv6 address
        return False
    return scheme in {"http", "https"} and url.isprintable() and not set("<>| ") & set(url)


def mention(user_id: str) -> Markup:
    """A person of another workspace is `TEAM/USER`, which the chat shows as a name to all others."""
    return Markup(mrkdwn=f"<@{user_id}>" if _USER.fullmatch(user_id) else escape(user_id))


_USER = re.compile(r"(?:[TE][A-Z0-9]+/)?[A-Za-z0-9]+")


class Confirm(_Part):
    title: str
    text: str
    ok: str = "Yes"
    cancel: str = "Cancel"


class Button(_Part):
    """A button. `action` names an @action of the plugin that sends the message.

    Buttons with the same `group` exclude each other: the first click claims the group, and the
    strip shows who did it and what came of it. `once=False` lets a button be pressed again.
    `id` is filled in by the kernel: an opaque id, the only thing that travels to the chat.
    """

    kind: Literal["button"] = "button"
    text: str
    action: str
    args: dict[str, Any] = Field(default_factory=dict)
    group: str = ""
    once: bool = True
    style: Literal["", "primary", "danger"] = ""
    confirm: Confirm | None = None
    expires_in: timedelta = timedelta(days=7)
    id: str = ""


class LinkButton(_Part):
    kind: Literal["link"] = "link"
    text: str
    url: str


class Option(_Part):
    text: str
    value: str


class Select(_Part):
    """A menu; the choice arrives as `Click.selected`."""

    kind: Literal["select"] = "select"
    placeholder: str
    action: str
    options: tuple[Option, ...]
    args: dict[str, Any] = Field(default_factory=dict)
    group: str = ""
    once: bool = True
    confirm: Confirm | None = None
    expires_in: timedelta = timedelta(days=7)
    id: str = ""


Element = Annotated[Button | LinkButton | Select, Field(discriminator="kind")]


class Header(_Part):
    kind: Literal["header"] = "header"
    text: str


class Section(_Part):
    kind: Literal["section"] = "section"
    text: Text = ""
    fields: tuple[Text, ...] = ()


class Note(_Part):
    """Small print (Slack's context block)."""

    kind: Literal["note"] = "note"
    parts: tuple[Text, ...]


class Divider(_Part):
    kind: Literal["divider"] = "divider"


class Actions(_Part):
    kind: Literal["actions"] = "actions"
    elements: tuple[Element, ...]


class Image(_Part):
    kind: Literal["image"] = "image"
    alt: str
    url: str = ""
    file_id: str = ""


class Code(_Part):
    """Preformatted text of any length; split or uploaded as a file when it is too long."""

    kind: Literal["code"] = "code"
    text: str
    filename: str = "output.txt"


Block = Annotated[
    Header | Section | Note | Divider | Actions | Image | Code,
    Field(discriminator="kind"),
]
Severity = Literal["", "good", "info", "warning", "critical"]
Priority = Literal["high", "normal", "low"]


class Message(_Part):
    """`text` is the fallback for notifications and screen readers; always set.

    `priority` decides who goes first when the chat's rate limit is near: answers to people are high,
    digests low.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    severity: Severity = ""
    priority: Priority = "normal"

    def pressables(self) -> Iterator[Button | Select]:
        for block in self.blocks:
            if isinstance(block, Actions):
                yield from (e for e in block.elements if isinstance(e, Button | Select))


class MessageRef(BaseModel):
    """Where a message stands in the chat."""

    model_config = ConfigDict(frozen=True)
    channel: str
    ts: str
    permalink: str = ""


class Input(_Part):
    """One field of a modal. `options` turns it into a menu, `people` into a choice of one person."""

    id: str
    label: str
    hint: str = ""
    initial: str = ""
    multiline: bool = False
    optional: bool = False
    options: tuple[Option, ...] = ()
    people: bool = False


class Modal(_Part):
    """A dialog; `view` names an @view of the plugin, `private` comes back with the submission."""

    view: str
    title: str
    submit: str = "Save"
    blocks: tuple[Block, ...] = ()
    inputs: tuple[Input, ...] = ()
    private: dict[str, Any] = Field(default_factory=dict)
