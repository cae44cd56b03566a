"""Add to Slack: installing the app in another workspace (OAuth 2.0; docs.slack.dev, "Installing with OAuth").

What the code is exchanged for is believed because Slack says it over TLS; who may begin, and that it is the
same browser that ends, the pages see to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bot.core.errors import Refused
from bot.core.installations import Installation, Installations
from bot.core.settings import Settings
from bot.slack import asking
from bot.slack.scopes import SCOPES

START = "/slack/install"
DONE = "/slack/installed"
_WHAT = "installation"


def lacking(settings: Settings) -> list[str]:
    """Settings that installing needs and that are not set."""
    needed = {
        "SLACK_CLIENT_ID": settings.slack.client_id,
        "SLACK_CLIENT_SECRET": settings.slack.client_secret,
        "slack.home_team": settings.slack.home_team,
        "web.public_url": settings.web.public_url,
        "SIGNALBOX_SECRET_KEY": settings.secret_key,
    }
    return [name for name, value in needed.items() if not value]


class Installer:
    def __init__(self, settings: Settings, installations: Installations) -> None:
        self._slack = settings.slack
        self._redirect = settings.web.public_url.rstrip("/") + DONE
        self._installations = installations

    def check(self) -> None:
        """Raises:
        Refused: the home workspace is not the one that the bot token is for; all would be mixed up.
        """
        with asking.refusing(_WHAT):
            found = asking.team_of(self._slack)
        if found and found != self._slack.home_team:
            raise Refused(
                f"slack.home_team is {self._slack.home_team} and SLACK_BOT_TOKEN is for {found}: correct one."
            )

    def address(self, state: str) -> str:
        """Where an administrator of the workspace agrees."""
        from slack_sdk.oauth import AuthorizeUrlGenerator  # noqa: PLC0415  # seldom needed

        # The library puts the parts together without escaping them.
        generator = AuthorizeUrlGenerator(
            client_id=quote(self._slack.client_id, safe=""),
            redirect_uri=quote(self._redirect, safe=""),
            scopes=SCOPES,
            authorization_url=f"{asking.site(self._slack)}oauth/v2/authorize",
        )
        return generator.generate(quote(state, safe=""))

    def install(self, code: str, by: str) -> Installation:
        """Raises:
        Refused: Slack does not take the code, or it is for what Signalbox can't work with.
        """
        told = self._exchanged(code)
        team = told.get("team") or {}
        if told.get("is_enterprise_install") or not team.get("id"):
            raise Refused("Signalbox is installed in one workspace at a time, not in a whole organisation.")
        if told.get("token_type") != "bot" or told.get("refresh_token"):
            raise Refused("Slack gave no lasting bot token: turn token rotation off in the app's settings.")
        if team["id"] == self._slack.home_team and self._slack.bot_token:
            raise Refused(f"{team['id']} is the home workspace: its token is the setting SLACK_BOT_TOKEN.")
        return self._installations.save(
            str(team["id"]),
            str(told["access_token"]),
            by,
            name=str(team.get("name") or ""),
            enterprise=str((told.get("enterprise") or {}).get("id") or ""),
            bot_user=str(told.get("bot_user_id") or ""),
            scopes=str(told.get("scope") or ""),
        )

    def _exchanged(self, code: str) -> Mapping[str, Any]:
        secret = self._slack.client_secret
        with asking.refusing(_WHAT):
            answer = asking.client(self._slack).oauth_v2_access(
                client_id=self._slack.client_id,
                client_secret=secret.get_secret_value() if secret else "",
                code=code,
                redirect_uri=self._redirect,
            )
        return answer.data if isinstance(answer.data, dict) else {}
