"""Tells people each week which customers may leave, and learns from what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugins.churn_digest.plugin import ChurnDigest

__all__ = ["ChurnDigest"]


def __getattr__(name: str) -> Any:
    """The plugin, when somebody asks for it: the command line and `serving` must not pay for it."""
    if name != "ChurnDigest":
        raise AttributeError(name)
    from plugins.churn_digest.plugin import ChurnDigest  # noqa: PLC0415

    return ChurnDigest
