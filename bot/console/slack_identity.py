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

from itsdangerous import BadSignature, URLSafeTimedSerializer

from bot.core.errors import Refused
from bot.core.settings import Settings
from bot.slack import asking

STATE_COOKIE = "signalbox_sign_in"
STATE_SECONDS = 600
DONE = "/sign-in/slack/done"
_SLACK = "https://slack.com/"
_SCOPES = ("openid", "profile")


@dataclass(frozen=True, slots=True)
class Request:
    """Where to send the browser, and the cookie by which it is known when it comes back."""

    url: str
    cookie: str


class SlackIdentity:
    """Needs slack.client_id and client_secret, bot_token or home_team, web.public_url and the secret key."""

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._slack = settings.slack
        self._redirect = settings.web.public_url.rstrip("/") + DONE
        self._states = URLSafeTimedSerializer(key, salt="signalbox.console.slack")

    @classmethod
    def of(cls, settings: Settings) -> SlackIdentity | None:
        """None when it is not set up."""
        slack, key = settings.slack, settings.secret_key
        if not (key and slack.client_id and slack.client_secret and (slack.bot_token or slack.home_team)):
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
            authorization_url=f"{asking.site(self._slack)}openid/connect/authorize",
        )
        return Request(generator.generate(state), self._states.dumps(state))

    def user(self, cookie: str | None, state: str, code: str) -> str:
        """The user id that Slack answers for the code.

        Raises:
            Refused: it was not this browser that asked, Slack refuses, or the person is of another workspace.
        """
        self._asked_here(cookie, state)
        with asking.refusing("sign-in"):
            found, ours = self._identity(code), self._slack.home_team or asking.team_of(self._slack)
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
        answer = asking.client(self._slack).openid_connect_token(
            client_id=self._slack.client_id,
            client_secret=secret.get_secret_value() if secret else "",
            code=code,
            redirect_uri=self._redirect,
            grant_type="authorization_code",
        )
        told = asking.client(self._slack, answer["access_token"]).openid_connect_userInfo()
        return dict(told.data) if isinstance(told.data, dict) else {}
