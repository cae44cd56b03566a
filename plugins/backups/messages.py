"""The alarm, and what `/signalbox backups` says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.plugin import Health, Markup, Message, Section, join, md


def alarm(health: Health) -> Message:
    if health.status == "ok":
        return _message(":white_check_mark: Backups are well again: made, and restored into scratch.", md(""))
    return _message(":rotating_light: Backups need a person.", md("\n{}", health.detail))


def summary(state: Mapping[str, Any], health: Health) -> Message:
    lines: list[str | Markup] = [
        _line("Last archive", state.get("last_archive"), state.get("last_backup"), "create"),
        _line("Last good restore", state.get("restored_archive"), state.get("last_restore"), "verify"),
    ]
    if "rto" in state:
        took, old = f"{state['rto']:.1f} s", f"{state['rpo'] / 3600:.1f} h"
        lines.append(md("It took {} (RTO), and its data was {} old (RPO).", took, old))
    if health.detail:
        lines.append(md(":warning: {}", health.detail))
    return Message(text="Backups", blocks=(Section(text=join("\n", lines)),))


def _message(title: str, detail: Markup) -> Message:
    return Message(text=title, blocks=(Section(text=join("", [md("*{}*", title), detail])),))


def _line(what: str, archive: str | None, stamp: str | None, verb: str) -> Markup:
    if not stamp:
        return md("*{}*: never yet; `signalbox backup {}` does it now, the schedule by itself.", what, verb)
    return md("*{}*: {} at {} UTC", what, archive or "one", f"{datetime.fromisoformat(stamp):%Y-%m-%d %H:%M}")
