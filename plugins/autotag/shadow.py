"""A challenger that tags beside the champion, without any effect: what it says is kept and compared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bot.core.memory import Record
from bot.plugin import Context, Permanent, Transient
from plugins.autotag import model

SHADOW = "shadow"


class Shadowed(BaseModel):
    """Of the tickets that people gave a category: how often the challenger had said the same."""

    model_config = ConfigDict(frozen=True)
    version: str
    tickets: int
    reviewed: int
    right: int


def observe(key: str, text: str, folder: Path, models: Path, ctx: Context) -> None:
    """Note what the challenger says. Whatever is wrong with it is logged, and the champion's work goes on."""
    if any(record.event_id == ctx.event.id for record in ctx.records.find(SHADOW, subject=key)):
        return
    try:
        challenger = model.open_challenger(folder, models)
    except (Transient, Permanent) as exc:
        ctx.log.warning("shadow.not_loaded", folder=str(folder), error=str(exc))
        return
    [said] = challenger.tag([text])
    data = {"version": challenger.version, "band": said.band, "category": said.category}
    ctx.records.append(SHADOW, key, {**data, "confidence": said.confidence})


def compared(shadows: Iterable[Record], reviews: Iterable[Record]) -> Shadowed | None:
    """Records as `find` gives them, newest first; the newest version counts. None without any."""
    found = list(shadows)
    if not found:
        return None
    version = str(found[0].data["version"])
    said = {r.subject: r.data["category"] for r in reversed(found) if r.data["version"] == version}
    truth = {r.subject: r.data["category"] for r in reversed(list(reviews)) if r.data["category"]}
    both = [ticket for ticket in said if ticket in truth]
    return Shadowed(
        version=version,
        tickets=len(said),
        reviewed=len(both),
        right=sum(said[ticket] == truth[ticket] for ticket in both),
    )
