"""Backups of a real installation."""

from __future__ import annotations

from typing import Any

from bot.backup import golden
from bot.backup.service import Backups
from bot.backup.source import Source
from bot.core.kernel import Kernel


def build_backups(kernel: Kernel, shown_settings: dict[str, Any]) -> Backups:
    source = Source(kernel.settings, shown_settings)
    return Backups(source, kernel.db, kernel.backups, golden.load(), kernel.clock)
