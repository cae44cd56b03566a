"""Which models serve, which wait, how they compare and how to go back: one page for all of them."""

from plugins.models.plugin import Models

__all__ = ["Models"]
