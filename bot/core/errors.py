"""The error tree. What each class means decides what happens next, everywhere.

SignalboxError
├── ConfigError      the operator's: the start is refused
├── BadDelivery      the sender's: answered with `status`, recorded, never queued
├── Transient        the world may heal: retried with full-jitter backoff
│   └── Throttled    a rate budget said "later": retried without using up an attempt
├── Permanent        will never work as it stands: dead letter, replayable
└── Refused          a guardrail or permission said no: told to the person, audited
"""

from __future__ import annotations


class SignalboxError(Exception):
    """A sentence that says what happened, to what, and what to do next."""


class ConfigError(SignalboxError):
    """A setting is wrong; names the setting, its origin, what was expected and an example."""


class BadDelivery(SignalboxError):
    """The sender must change something: 400 malformed, 401 not authentic, 404 unknown, 413 too large."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Transient(SignalboxError):
    """Worth another try.

    Args:
        message: what failed.
        retry_after: seconds that the other side asked us to wait; None leaves it to backoff.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(Transient):
    """Our own or the vendor's rate limit; waiting is not failing."""


class Permanent(SignalboxError):
    """No retry can help; a person has to look."""


class Refused(SignalboxError):
    """Policy said no; the message is shown to the person who asked."""

    def __init__(self, message: str, *, check: str = "permission") -> None:
        super().__init__(message)
        self.check = check
