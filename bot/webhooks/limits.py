"""Rate limits, and those of the doors: by source, and by person for what people type and press.

The doors count in this process only: a delivery must be taken while Redis is away, and must not wait for it.
Only what is authentic is counted, so that nobody can use up another's share.
"""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from bot.core.errors import ConfigError
from bot.core.settings import LimitSettings

_ROUNDED = 2  # seconds by which the end of a window is rounded up


class Rate:
    """One limit, e.g. 600 a minute; none when the setting is empty."""

    def __init__(self, setting: str, text: str, limiter: FixedWindowRateLimiter) -> None:
        self._name = setting
        self._limiter = limiter
        self._item = _parse(setting, text) if text else None

    def wait(self, *key: str) -> int:
        """Count one. 0 when it may pass, else the seconds until the next may."""
        if self._item is None or self._limiter.hit(self._item, self._name, *key):
            return 0
        ends = self._limiter.get_window_stats(self._item, self._name, *key).reset_time
        seconds = max(1, math.ceil(ends - time.time()))
        if seconds <= self._item.get_expiry() + _ROUNDED:
            return seconds
        # The window lies in the future: the clock went back, and nobody is to wait until it has caught up.
        self._limiter.clear(self._item, self._name, *key)
        return 0 if self._limiter.hit(self._item, self._name, *key) else seconds

    def headers(self, *key: str) -> dict[str, str]:
        if self._item is None:
            return {}
        stats = self._limiter.get_window_stats(self._item, self._name, *key)
        left, resets = stats.remaining, max(0, math.ceil(stats.reset_time - time.time()))
        policy = f'"{self._name}";q={self._item.amount};w={self._item.get_expiry()}'
        return {"RateLimit-Policy": policy, "RateLimit": f'"{self._name}";r={left};t={resets}'}


class DoorLimits:
    """At the doors where deliveries come in."""

    def __init__(self, settings: LimitSettings) -> None:
        limiter = FixedWindowRateLimiter(MemoryStorage())
        self.source = Rate("source", settings.source, limiter)
        self.person = Rate("person", settings.person, limiter)
        self.failures = Rate("failures", settings.failures, limiter)


def _parse(setting: str, text: str) -> RateLimitItem:
    try:
        return parse(text)
    except ValueError as exc:
        raise ConfigError(
            f"limits.{setting} is {text!r}. Expected: a number and a span, for example '600/minute' or "
            "'60000/10 second'; empty turns the limit off."
        ) from exc
