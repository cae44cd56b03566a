"""What people asked for in the chat these days, and what the team that runs Signalbox changed."""

from __future__ import annotations

from datetime import timedelta

from bot.demo.stage import PEOPLE, Effect, Stage

_DAYS = 13
_ASKED = (
    ("/signalbox status", "core.status"),
    ("/signalbox help", "core.help"),
    ("/signalbox alerts", "alert-relay.alerts"),
    ("/signalbox stats", "alert-relay.stats"),
    ("/signalbox tags", "autotag.tags"),
    ("/signalbox churn", "churn-digest.churn"),
)
_REPLY = (Effect("reply-0", "SlackChat.reply"),)


def make_up(stage: Stage) -> None:
    for day in range(_DAYS + 1):
        for _ in range(stage.chance.randint(2, 5) if day else 9):
            at = stage.now - timedelta(days=day, seconds=stage.chance.randint(60, 80_000))
            text, handler = stage.chance.choice(_ASKED)
            stage.event(at, "slack.command", text, handler, actor=stage.chance.choice(PEOPLE), effects=_REPLY)
    _operate(stage)


def _operate(stage: Stage) -> None:
    """Switches and settings, as people turn them."""
    admin = PEOPLE[0]
    for days, action, subject, after in (
        (40, "plugin.settings", "autotag", {"ask_daily": 3}),
        (21, "plugin.off", "daily-digest", {"why": "too many posts during the move"}),
        (20, "plugin.on", "daily-digest", None),
        (9, "plugin.settings", "churn-digest", {"renewal_days": 45}),
        (2, "replay", "a dead letter", {"status": "pending"}),
    ):
        stage.audit(stage.now - timedelta(days=days, hours=3), admin, action, subject, after=after)
