"""Ids of Slack workspaces. Those of the home workspace are bare; others carry theirs, as in T0123/C0456.

They get it where they enter and lose it where they leave, so that whatever lies between, roles and stored
messages among it, never takes a person or a channel for one of another workspace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_QUALIFIED = re.compile(r"([TE][A-Z0-9]+)/(.*)", re.DOTALL)
_REFERENCE = re.compile(r"<(@|#|!subteam\^)((?:[TE][A-Z0-9]+/)?)([A-Z0-9]+)(?:\|([^<>\n]*))?>")
_IDS = {
    "channel",
    "channel_id",
    "item_user",
    "selected_channel",
    "selected_channels",
    "selected_conversation",
    "selected_conversations",
    "selected_user",
    "selected_users",
    "trigger_id",
    "user",
    "user_id",
}
_TEXTS = {"fallback", "text"}


def qualified(team: str, name: str) -> str:
    """The name as it is known here; `team` is empty for the home workspace."""
    return f"{team}/{name}" if team and name else name


def split(name: str) -> tuple[str, str]:
    """The team, empty for the home workspace, and the name as Slack knows it."""
    found = _QUALIFIED.fullmatch(name)
    return (found[1], found[2]) if found else ("", name)


def entered(payload: Mapping[str, Any], team: str) -> dict[str, Any]:
    """A payload of another workspace with its ids qualified, also those in what people wrote."""
    return {key: _entered(key, value, team) for key, value in payload.items()}


def _entered(key: str, value: Any, team: str) -> Any:
    match value:
        case str():
            return _text(key, value, team)
        case list():
            return [_entered(key, one, team) for one in value]
        case {"id": str(name)} if key in {"channel", "user"}:
            return entered(value, team) | {"id": qualified(team, name)}
        case dict():
            return entered(value, team)
        case _:
            return value


def _text(key: str, value: str, team: str) -> str:
    if key in _IDS:
        return qualified(team, value)
    return arriving(value, team) if key in _TEXTS else value


def arriving(mrkdwn: str, team: str) -> str:
    """A text from a workspace, with what it refers to qualified."""
    return _REFERENCE.sub(lambda found: _written(found, team), mrkdwn) if team else mrkdwn


def _written(found: re.Match[str], team: str) -> str:
    kind, _, name, label = found.groups()
    return f"<{kind}{team}/{name}{f'|{label}' if label else ''}>"


def leaving(mrkdwn: str, team: str) -> str:
    """A text for a workspace: what it refers to there is a reference, all else a name that pings nobody."""
    return _REFERENCE.sub(lambda found: _read(found, team), mrkdwn)


def _read(found: re.Match[str], team: str) -> str:
    kind, whose, name, label = found.groups()
    if whose.rstrip("/") == team:
        return f"<{kind}{name}{f'|{label}' if label else ''}>"
    return label or f"{whose}{name}"
