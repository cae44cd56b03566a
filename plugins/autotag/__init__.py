"""Tags tickets into categories: sure ones by itself, doubtful ones by asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugins.autotag.plugin import AutoTag

__all__ = ["AutoTag"]


def __getattr__(name: str) -> Any:
    """The plugin, when somebody asks for it: `serving` lives here too and must not pay for the kernel."""
    if name != "AutoTag":
        raise AttributeError(name)
    from plugins.autotag.plugin import AutoTag  # noqa: PLC0415

    return AutoTag
