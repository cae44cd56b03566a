"""What every Signalbox can do before any other plugin is installed: help, status, traces, dead letters."""

from plugins.core.plugin import Core

__all__ = ["Core"]
