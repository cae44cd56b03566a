"""Small pieces of text that messages, lines and answers share."""

from __future__ import annotations

import html
import re
from datetime import datetime

from bot.plugin import Markup, Text, join, md, mention


def person(created_by: str) -> Text:
    """Who made something: a mention when it was done here, the name that Alertmanager keeps otherwise."""
    user = created_by.removeprefix("slack:")
    return mention(user) if user != created_by else (created_by[:60] or "somebody")


def is_user(name: str) -> bool:
    """Whether it is a person's id in Slack, rather than a name elsewhere or ourselves."""
    return re.fullmatch(r"([TE][A-Z0-9]+/)?[UW][A-Z0-9]+", name) is not None


def called(target: str) -> Text:
    """A mention of a person or of a user group, by its id."""
    is_group = re.fullmatch(r"([TE][A-Z0-9]+/)?S[A-Za-z0-9]+", target) is not None
    return Markup(mrkdwn=f"<!subteam^{target}>") if is_group else mention(target)


def until(end: datetime, now: datetime) -> str:
    """The time of an end, with the day when it is not today."""
    return f"{end:%H:%M} UTC" if end.date() == now.date() else f"{end:%a %d %b %H:%M} UTC"


def span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def with_comment(text: Markup, comment: str) -> Markup:
    return join("", [text, md(": {}", comment)]) if comment else text


def plain(text: Markup) -> str:
    """For notifications and screen readers: the words without mentions' and links' brackets."""
    return html.unescape(re.sub(r"<(?:[^|>]*\|)?([^>]*)>", r"\1", text.mrkdwn))
