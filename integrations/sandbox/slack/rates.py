"""Slack's rate tiers as token buckets: a minute's calls may come at once, then they trickle."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    per_second: float
    burst: float


TIER_1 = Rate(1 / 60, 3)
TIER_2 = Rate(20 / 60, 20)
TIER_3 = Rate(50 / 60, 50)
TIER_4 = Rate(100 / 60, 100)
POST_PER_CHANNEL = Rate(1.0, 5)
POST_PER_WORKSPACE = Rate(5.0, 100)
GENEROUS = Rate(10.0, 600)

METHOD_RATES: dict[str, Rate] = {
    "api.test": TIER_4,
    "apps.connections.open": TIER_1,
    "auth.test": GENEROUS,
    "chat.delete": TIER_3,
    "chat.getPermalink": GENEROUS,
    "chat.postEphemeral": TIER_4,
    "chat.postMessage": POST_PER_WORKSPACE,
    "chat.unfurl": TIER_3,
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.info": TIER_3,
    "conversations.join": TIER_3,
    "conversations.list": TIER_2,
    "conversations.members": TIER_4,
    "conversations.open": TIER_3,
    "conversations.replies": TIER_3,
    "files.completeUploadExternal": TIER_4,
    "files.getUploadURLExternal": TIER_4,
    "oauth.v2.access": TIER_4,
    "openid.connect.token": TIER_4,
    "openid.connect.userInfo": GENEROUS,
    "reactions.add": TIER_3,
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "users.info": TIER_4,
    "users.list": TIER_2,
    "users.lookupByEmail": TIER_3,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
}


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class RateLimiter:
    def __init__(self, clock: Callable[[], float], *, enabled: bool = True) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self.enabled = enabled

    def wait_for(self, method: str, channel: str = "", team: str = "") -> float:
        """Seconds until the call is allowed; zero takes one call from the budget."""
        if not self.enabled:
            return 0.0
        keys = [((team, method, ""), METHOD_RATES.get(method, TIER_3))]
        if method == "chat.postMessage":
            keys.append(((team, method, channel), POST_PER_CHANNEL))
        wait = max(self._missing(key, rate) for key, rate in keys)
        if wait == 0:
            for key, _ in keys:
                self._buckets[key].tokens -= 1
        return wait

    def _missing(self, key: tuple[str, str, str], rate: Rate) -> float:
        now = self._clock()
        bucket = self._buckets.setdefault(key, _Bucket(rate.burst, now))
        bucket.tokens = min(rate.burst, bucket.tokens + (now - bucket.filled_at) * rate.per_second)
        bucket.filled_at = now
        # A hair under one token is float noise of the refill, not a missing call.
        return 0.0 if bucket.tokens >= 1 - 1e-9 else (1 - bucket.tokens) / rate.per_second
