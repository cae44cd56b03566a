"""Posts once a day what came in and what was done about it."""

from plugins.daily_digest.plugin import DailyDigest

__all__ = ["DailyDigest"]
