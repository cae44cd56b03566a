"""Slack's errors as ours, translated at the edge. A token never stands in a message."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

from slack_sdk.errors import SlackApiError, SlackClientError, SlackRequestError

from bot.core.errors import Permanent, SignalboxError, Throttled, Transient

_AUTH = {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"}
_PASSING = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}


@contextmanager
def translated(method: str, mend: str = "set SLACK_BOT_TOKEN anew") -> Iterator[None]:
    """`mend` says what to do when Slack does not take the token."""
    try:
        yield
    except SlackApiError as exc:
        raise _api_error(method, exc, mend) from exc
    except (SlackClientError, SlackRequestError) as exc:
        raise Transient(f"Slack did not answer {method} properly: {type(exc).__name__}.") from exc
    except (URLError, OSError, http.client.HTTPException) as exc:
        raise Transient(f"Slack did not answer {method}: {type(exc).__name__}.") from exc


def error_of(exc: SlackApiError) -> str:
    data = exc.response.data if exc.response is not None else None
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def _api_error(method: str, exc: SlackApiError, mend: str) -> SignalboxError:
    error, status = error_of(exc), getattr(exc.response, "status_code", 0)
    if status == 429 or error in {"ratelimited", "rate_limited"}:
        after = str((exc.response.headers or {}).get("Retry-After", "1"))
        return Throttled(
            f"Slack's rate limit for {method} is reached.",
            retry_after=float(after) if after.isdigit() else 1.0,
        )
    if status >= 500 or error in _PASSING:
        return Transient(f"Slack answered {status} {error} to {method}.")
    if error in _AUTH:
        return Permanent(f"Slack refused the bot token at {method} ({error}): {mend}.")
    if error == "missing_scope":
        needed = exc.response.data.get("needed", "?") if isinstance(exc.response.data, dict) else "?"
        return Permanent(f"Slack refused {method}: add the scope {needed} to the app and install it again.")
    if error in {"channel_not_found", "not_in_channel", "is_archived"}:
        return Permanent(
            f"Slack refused {method} ({error}): invite the bot to the channel or correct its name."
        )
    return Permanent(f"Slack refused {method}: {error or status}.")
