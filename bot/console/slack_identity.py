"""Sign in with Slack (OpenID Connect, authorization code flow): who somebody is, in which workspace.

What Slack says comes over TLS from Slack itself and is believed for that (OpenID Connect Core 3.1.3.7); a
state in a signed cookie ties its answer to the browser that asked. What a person may do, the roles decide.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import structlog
from itsdangerous import BadSignature, URLSafeTimedSerializer

from bot.core.errors import Refused
from bot.core.settings import Settings

STATE_COOKIE = "signalbox_sign_in"
STATE_SECONDS = 600
DONE = "/sign-in/slack/done"
_SLACK = "https://slack.com/"
_SCOPES = ("openid", "profile")
_TIMEOUT_SECONDS = 10
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Request:
    """Where to send the browser, and the cookie by which it is known when it comes back."""

    url: str
    cookie: str


class SlackIdentity:
    """Needs slack.client_id, slack.client_secret, slack.bot_token, web.public_url and the secret key."""

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._slack = settings.slack
        self._redirect = settings.web.public_url.rstrip("/") + DONE
        self._states = URLSafeTimedSerializer(key, salt="signalbox.console.slack")

    @classmethod
    def of(cls, settings: Settings) -> SlackIdentity | None:
        """None when it is not set up."""
        slack, key = settings.slack, settings.secret_key
        if not (key and slack.client_id and slack.client_secret and slack.bot_token):
            return None
        return cls(settings, key.get_secret_value().encode()) if settings.web.public_url else None

    def ask(self) -> Request:
        from slack_sdk.oauth import OpenIDConnectAuthorizeUrlGenerator  # noqa: PLC0415  # seldom needed

        state = secrets.token_urlsafe(24)
        # The library puts the parts together without escaping them.
        generator = OpenIDConnectAuthorizeUrlGenerator(
            client_id=quote(self._slack.client_id, safe=""),
            redirect_uri=quote(self._redirect, safe=""),
            scopes=_SCOPES,
            authorization_url=f"{self._site()}openid/connect/authorize",
        )
        return Request(generator.generate(state), self._states.dumps(state))

    def user(self, cookie: str | None, state: str, code: str) -> str:
        """The user id that Slack answers for the code.

        Raises:
            Refused: it was not this browser that asked, Slack refuses, or the person is of another workspace.
        """
        self._asked_here(cookie, state)
        from slack_sdk.errors import SlackApiError, SlackClientError  # noqa: PLC0415

        try:
            found, ours = self._identity(code), self._workspace()
        except SlackApiError as exc:
            error = exc.response.get("error") if isinstance(exc.response.data, dict) else "no answer"
            log.warning("console.slack_refused", error=error)
            raise Refused(f"Slack refused this sign-in ({error}); please try again.") from exc
        except (SlackClientError, OSError) as exc:
            log.warning("console.slack_away", error=str(exc))
            raise Refused("Slack can't be reached right now; please try again.") from exc
        if not ours or found.get(f"{_SLACK}team_id") != ours:
            raise Refused("You are signed in to another Slack workspace than the one of this Signalbox.")
        return str(found[f"{_SLACK}user_id"])

    def _asked_here(self, cookie: str | None, state: str) -> None:
        try:
            known = self._states.loads(cookie or "", max_age=STATE_SECONDS)
        except BadSignature:  # an expired one too
            known = ""
        if not known or not hmac.compare_digest(str(known).encode(), state.encode()):
            raise Refused("This sign-in was not begun in this browser, or is older than ten minutes.")

    def _identity(self, code: str) -> dict[str, Any]:
        secret = self._slack.client_secret
        answer = self._client().openid_connect_token(
            client_id=self._slack.client_id,
            client_secret=secret.get_secret_value() if secret else "",
            code=code,
            redirect_uri=self._redirect,
            grant_type="authorization_code",
        )
        told = self._client(answer["access_token"]).openid_connect_userInfo()
        return dict(told.data) if isinstance(told.data, dict) else {}

    def _workspace(self) -> str:
        token = self._slack.bot_token
        return str(self._client(token.get_secret_value() if token else "").auth_test()["team_id"])

    def _client(self, token: str | None = None) -> Any:
        from slack_sdk import WebClient  # noqa: PLC0415

        return WebClient(token, base_url=self._slack.api_url, timeout=_TIMEOUT_SECONDS)

    def _site(self) -> str:
        """Where people sign in, beside the API."""
        return self._slack.api_url.removesuffix("/").removesuffix("api")
