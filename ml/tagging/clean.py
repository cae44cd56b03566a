"""What a person wrote, without what their mail program, helpdesk or keyboard added. Pure functions."""

from __future__ import annotations

import html
import re
import unicodedata

# A tagger needs the beginning of a ticket; the rest costs time and rarely changes the answer.
MAX_CHARACTERS = 20_000
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^<>]{1,500}>", re.IGNORECASE | re.DOTALL)
_JIRA = re.compile(r"\{(?:code|noformat|quote|color|panel)(?::[^}]{0,200})?\}|^h[1-6]\.\s", re.MULTILINE)
_JIRA_LINK = re.compile(r"\[([^\]|\n]{1,200})\|[^\]\n]{1,500}\]")
_URL = re.compile(r"https?://\S+")
_BASE64 = re.compile(r"[A-Za-z0-9+/=]{80,}")
# Blanks of one line, `[^\S\n]`: with `\s` each of thousands of empty lines would be looked at from each.
_QUOTE = re.compile(r"^[^\S\n]*>.*$", re.MULTILINE)
_REPLY_HEAD = re.compile(
    r"^[^\S\n]*(?:On .{1,200} wrote:|-{2,}\s*Original Message\s*-{2,}|From: .{1,200})[^\S\n]*$", re.MULTILINE
)
_SIGNATURE = re.compile(
    r"^(?:-- ?|Best regards|Kind regards|Regards|Sent from my .{1,40}),?[^\S\n]*$", re.MULTILINE
)
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """One line of plain words; empty when nothing a person wrote is left."""
    text = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS])
    text = html.unescape(_TAG.sub(" ", text))
    text = _JIRA_LINK.sub(r"\1", _JIRA.sub(" ", text))
    text = _cut(text, _REPLY_HEAD)
    text = _cut(_QUOTE.sub(" ", text), _SIGNATURE)
    text = _BASE64.sub(" ", _URL.sub(" ", text))
    if not text.isprintable():  # most are; nothing printable is a control character
        text = "".join(ch if unicodedata.category(ch)[0] != "C" else " " for ch in text)
    return _SPACE.sub(" ", text).strip()


def has_words(text: str) -> bool:
    """Whether there are letters to read, not only signs, digits or emoji."""
    return sum(ch.isalpha() for ch in text) >= 2


def _cut(text: str, marker: re.Pattern[str]) -> str:
    """What stands before a marker, unless nothing does."""
    found = marker.search(text)
    return text[: found.start()] if found and text[: found.start()].strip() else text
