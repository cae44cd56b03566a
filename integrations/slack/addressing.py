"""What is sent to a workspace mentions its own people only: a mention of others would be wrong."""

from __future__ import annotations

from typing import Any

from bot.slack import ids


def addressed(content: Any, team: str) -> Any:
    """Block Kit, or a part of it, with the mentions in its mrkdwn as they read in a workspace."""
    match content:
        case {"type": "mrkdwn", "text": str(text)}:
            return {**content, "text": ids.leaving(text, team)}
        case dict():
            return {key: addressed(value, team) for key, value in content.items()}
        case list():
            return [addressed(value, team) for value in content]
        case _:
            return content
