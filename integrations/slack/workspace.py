"""One Slack workspace: its token, its rate budget, and who and what there is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient

from bot.core.errors import Throttled
from bot.core.messages import Priority
from bot.slack.ids import qualified
from integrations.slack.budget import Budget
from integrations.slack.directory import Directory
from integrations.slack.errors import translated

TIMEOUT_SECONDS = 10
_JSON = {
    "chat.postEphemeral",
    "chat.postMessage",
    "chat.unfurl",
    "chat.update",
    "views.open",
    "views.publish",
}


class Workspace:
    """Args:
    team: empty for the home workspace.
    mend: what to do when Slack does not take the token any more, to stand in an error's sentence.
    """

    def __init__(self, team: str, client: WebClient, budget: Budget, mend: str) -> None:
        self.team = team
        self.client = client
        self.budget = budget
        self.directory = Directory(self.call, team)
        self._mend = mend

    @classmethod
    def connect(cls, team: str, token: str, api_url: str, budget: Budget, mend: str) -> Workspace:
        client = WebClient(
            token,
            base_url=api_url,
            timeout=TIMEOUT_SECONDS,
            retry_handlers=[],  # the library would post again after a cut connection; steps reconcile instead
        )
        return cls(team, client, budget, mend)

    def call(self, method: str, *, priority: Priority = "normal", **arguments: Any) -> Any:
        """A Web API call within the budget; its channels and users are as Slack knows them."""
        channel = str(arguments.get("channel", "")) if method == "chat.postMessage" else ""
        self.budget.take(method, channel, priority)
        try:
            with translated(method, self._mend):
                return (
                    self.client.api_call(
                        method, json={name: value for name, value in arguments.items() if value is not None}
                    )
                    if method in _JSON
                    else self.client.api_call(method, params=arguments)
                )
        except Throttled as exc:
            self.budget.block(method, exc.retry_after or 1.0)
            raise


@dataclass(frozen=True, slots=True)
class Place:
    """A channel or a person of a workspace; `name` is as Slack knows it there."""

    workspace: Workspace
    name: str

    @property
    def team(self) -> str:
        return self.workspace.team

    @property
    def id(self) -> str:
        """As it is known here."""
        return qualified(self.workspace.team, self.name)
