"""Backups by the clock: made daily, restored into scratch weekly, and somebody told when that fails."""

from plugins.backups.plugin import BackupKeeper

__all__ = ["BackupKeeper"]
