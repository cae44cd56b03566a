"""Tags tickets into categories: sure ones by itself, doubtful ones by asking."""

from plugins.autotag.plugin import AutoTag

__all__ = ["AutoTag"]
