"""Asking Slack something on behalf of whoever waits at a page: the answer, or a sentence for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from bot.core.errors import Refused
from bot.core.settings import SlackSettings

if TYPE_CHECKING:
    from slack_sdk import WebClient

_TIMEOUT_SECONDS = 10
log = structlog.get_logger()


def client(settings: SlackSettings, token: str | None = None) -> WebClient:
    from slack_sdk import WebClient  # noqa: PLC0415  # seldom needed

    return WebClient(token, base_url=settings.api_url, timeout=_TIMEOUT_SECONDS)


def site(settings: SlackSettings) -> str:
    """Where people sign in and agree, beside the API."""
    return settings.api_url.removesuffix("/").removesuffix("api")


def team_of(settings: SlackSettings) -> str:
    """The team id of the bot token of the settings; empty without one."""
    if settings.bot_token is None:
        return ""
    return str(client(settings, settings.bot_token.get_secret_value()).auth_test().get("team_id") or "")


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Raises:
    Refused: Slack refuses, or can't be reached; `what` is what was asked for.
    """
    from slack_sdk.errors import SlackApiError, SlackClientError  # noqa: PLC0415

    try:
        yield
    except SlackApiError as exc:
        error = exc.response.get("error") if isinstance(exc.response.data, dict) else "no answer"
        log.warning("slack.refused", what=what, error=error)
        raise Refused(f"Slack refused this {what} ({error}); please try again.") from exc
    except (SlackClientError, OSError) as exc:
        log.warning("slack.away", what=what, error=type(exc).__name__)
        raise Refused("Slack can't be reached right now; please try again.") from exc
