"""The short-lived handles Slack hands out with an interaction: trigger ids and response URLs."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from integrations.sandbox.slack import limits
from integrations.sandbox.slack.call import SlackError

FORGET_AFTER_S = 3600.0


@dataclass
class Trigger:
    user: str
    made_at: float
    used: bool = False


class Triggers:
    """Three seconds and once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._made: dict[str, Trigger] = {}

    def mint(self, user: str) -> str:
        now = self._clock()
        self._made = {k: t for k, t in self._made.items() if now - t.made_at < FORGET_AFTER_S}
        trigger_id = f"{int(now * 1000)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        self._made[trigger_id] = Trigger(user, now)
        return trigger_id

    def exchange(self, trigger_id: str) -> str:
        """The user whose interaction this was."""
        trigger = self._made.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._clock() - trigger.made_at > limits.TRIGGER_LIFETIME_S:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger.user


@dataclass
class ResponseUrl:
    user: str
    channel: str
    made_at: float
    target: str | None
    """The message that replace_original and delete_original mean, by ts: the clicked one, or
    for a slash command the last one sent through this URL."""
    is_command: bool
    thread_ts: str | None = None
    uses: int = 0


class ResponseUrls:
    """Five uses in thirty minutes."""

    def __init__(self, clock: Callable[[], float], public_url: str) -> None:
        self._clock = clock
        self._base = f"{public_url.rstrip('/')}/slack/response/"
        self._made: dict[str, ResponseUrl] = {}

    def mint(self, user: str, channel: str, target: str | None = None, thread_ts: str | None = None) -> str:
        now = self._clock()
        self._made = {k: u for k, u in self._made.items() if now - u.made_at < FORGET_AFTER_S}
        token = secrets.token_urlsafe(24)
        self._made[token] = ResponseUrl(user, channel, now, target, target is None, thread_ts)
        return self._base + token

    def knows(self, token: str) -> bool:
        return token in self._made

    def use(self, token: str) -> ResponseUrl:
        url = self._made.get(token)
        if url is None or self._clock() - url.made_at > limits.RESPONSE_URL_LIFETIME_S:
            raise SlackError("expired_url")
        if url.uses >= limits.RESPONSE_URL_USES:
            raise SlackError("used_url")
        url.uses += 1
        return url
