"""Backups by the clock: started, watched, and somebody told once."""

from __future__ import annotations

import pytest

from bot.core.errors import Permanent
from bot.testing import Kit
from plugins.backups import BackupKeeper

pytestmark = pytest.mark.unit


def test_the_clock_starts_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    with Kit(BackupKeeper) as kit:
        started: list[str] = []
        monkeypatch.setattr(kit.kernel.backups, "start", started.append)
        kit.tick("create")
        kit.tick("verify")
        assert started == ["create", "verify"]


def test_nobody_is_bothered_while_all_is_well() -> None:
    with Kit(BackupKeeper) as kit:
        kit.tick("watch")
        assert kit.effects == []
        assert kit.health().status == "ok"


def test_a_failure_is_told_once_and_the_message_says_when_it_is_over() -> None:
    with Kit(BackupKeeper) as kit:
        fail(kit)
        kit.tick("watch")
        kit.advance(minutes=20)
        kit.tick("watch")
        [shown] = kit.chat.messages
        assert "disk is full" in shown.text
        kit.kernel.backups.created("a.tar.gz", "00", 1, 1.0)
        kit.advance(minutes=20)
        kit.tick("watch")
        [shown] = kit.chat.messages
        assert "well again" in shown.text


def test_nine_days_without_a_restore_are_an_alarm() -> None:
    with Kit(BackupKeeper) as kit:
        kit.tick("watch")
        kit.advance(days=9)
        kit.tick("watch")
        assert "9 days" in kit.chat.messages[0].text
        assert kit.health().status == "degraded"


def test_the_command_shows_how_it_stands() -> None:
    with Kit(BackupKeeper) as kit:
        kit.command("/signalbox backups")
        assert "never" in kit.reply.text
        kit.kernel.backups.restored("a.tar.gz", 4.2, 7200.0, ["tagging"])
        kit.command("/signalbox backups")
        assert "4.2 s (RTO)" in kit.reply.text


def fail(kit: Kit) -> None:
    with pytest.raises(Permanent), kit.kernel.backups.watching("create"):
        raise Permanent("The disk is full.")
