"""The home workspace, and those that the app was installed in besides."""

from __future__ import annotations

import hashlib

from bot.core.errors import Permanent
from bot.core.installations import AGAIN, Installations
from bot.core.settings import Settings
from bot.slack import ids
from integrations.slack.budget import Budget
from integrations.slack.workspace import Place, Workspace


class Workspaces:
    """Args:
    installations: where the tokens are kept that do not stand in the settings; None: nowhere.
    """

    def __init__(self, settings: Settings, installations: Installations | None) -> None:
        self._slack = settings.slack
        self._redis_url = settings.redis_url
        self._installations = installations
        self._home = self._of_settings()
        self._known: dict[str, tuple[bytes, Workspace]] = {}

    @property
    def home(self) -> Workspace:
        return self.of("")

    def of(self, team: str) -> Workspace:
        """A workspace by its team id, empty for the home one.

        Raises:
            Permanent: the app is not installed there, or its token can't be read.
        """
        if team in {"", self._slack.home_team}:
            return self._home or self._installed(self._slack.home_team, "")
        return self._installed(team, team)

    def place(self, name: str) -> Place:
        """Where an id is, as it is known here: of a channel or of a person."""
        team, local = ids.split(name)
        return Place(self.of(team), local)

    def channel(self, name: str) -> Place:
        """A channel by id or by name: #support is the home workspace's, T0123/#support another's."""
        place = self.place(name)
        return Place(place.workspace, place.workspace.directory.channel_id(place.name))

    def unreadable(self) -> list[str]:
        """What is wrong with tokens that are kept, in a sentence each."""
        found = []
        for one in self._installations.all() if self._installations else ():
            try:
                self.of(one.team)
            except Permanent as exc:
                found.append(str(exc))
        return found

    def _of_settings(self) -> Workspace | None:
        if self._slack.bot_token is None:
            return None
        token = self._slack.bot_token.get_secret_value()
        budget = Budget(self._redis_url, hashlib.sha256(token.encode()).hexdigest()[:12])
        return Workspace.connect("", token, self._slack.api_url, budget, "set SLACK_BOT_TOKEN anew")

    def _installed(self, team: str, prefix: str) -> Workspace:
        """Looked up each time, so that what was removed is not used and a new token is."""
        if not team:
            raise Permanent("Neither SLACK_BOT_TOKEN nor slack.home_team is set.")
        if self._installations is None:
            raise Permanent(f"Signalbox is not installed in the Slack workspace {team}: {AGAIN}.")
        sealed = self._installations.sealed(team)
        known = self._known.get(team)
        if known is None or known[0] != sealed:
            token, budget = self._installations.token(team, sealed), Budget(self._redis_url, team)
            made = Workspace.connect(prefix, token, self._slack.api_url, budget, f"for {team}, {AGAIN}")
            known = self._known[team] = sealed, made
        return known[1]
