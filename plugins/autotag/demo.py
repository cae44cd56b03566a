"""Twelve weeks of made-up tickets: what was decided, and what people said of it. It proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.core.events import Ticket, TicketEvent
from bot.demo import Effect, Stage
from bot.demo.stage import PEOPLE
from ml.tagging import CATEGORIES
from plugins.autotag.decisions import DECISION, REVIEW

PLUGIN, MODEL = "autotag", "demo"
_WEEKS, _A_WEEK = 12, 18
_FIRST = 101
_OFTEN = (9, 7, 8, 10, 6, 9, 3, 4, 2, 3)
_BANDS = {"apply": (0.62, 0.93, 0.75), "suggest": (0.27, 0.64, 0.1), "leave": (0.11, 0.31, 1.0)}
"""How often, how sure, and how often nobody says anything."""
_OPEN_FOR = timedelta(hours=30)
_GIVEN_UP = 17
"""Of so many tickets one became a dead letter."""
_WHY_DEAD = "Jira refused: the field 'labels' is not on the screen. Add it to the project's edit screen."
_EFFECTS = {
    "apply": (Effect("label", "JiraTickets.add_label"), Effect("message", "SlackChat.upsert")),
    "suggest": (Effect("message", "SlackChat.upsert"),),
    "leave": (),
}


def make_up(stage: Stage) -> None:
    number = _WEEKS * _A_WEEK
    gap = timedelta(weeks=1) / _A_WEEK
    for place in range(number):
        at = stage.now - gap * (number - place) + gap * stage.chance.uniform(0, 0.9)
        _ticket(stage, at, f"DEMO-{_FIRST + place}", share=place / number, dead=place % _GIVEN_UP == 0)


def _ticket(stage: Stage, at: datetime, key: str, *, share: float, dead: bool) -> None:
    chance = stage.chance
    slugs = [category.slug for category in CATEGORIES]
    truth = chance.choices(slugs, weights=_OFTEN)[0]
    skill = 0.78 + 0.16 * share  # it gets better with the weeks
    said = truth if chance.random() < skill else chance.choice(slugs)
    band = chance.choices(tuple(_BANDS), weights=[often for often, _, _ in _BANDS.values()])[0]
    ticket = Ticket(system="jira", key=key, summary="Made up for the demo")
    event = stage.event(
        at, "ticket.created", key, "autotag.consider", payload=TicketEvent(ticket=ticket),
        effects=() if dead else _EFFECTS[band], dead=_WHY_DEAD if dead else "",
    )  # fmt: skip
    if dead:
        return
    decided = _decide(stage, at, key, (said, truth), band, event)
    silent = _BANDS[band][2]
    if band != "leave" and stage.now - at > _OPEN_FOR and chance.random() >= silent:
        _review(stage, at + timedelta(minutes=chance.randint(2, 90)), key, truth, decided)


def _decide(
    stage: Stage, at: datetime, key: str, said: Sequence[str], band: str, event: str | None
) -> dict[str, Any]:
    confidence = _BANDS[band][1] + 0.05 * stage.chance.random()
    decided = {"band": band, "category": said[0], "confidence": confidence, "model_version": MODEL}
    scores = {said[1]: confidence / 2, said[0]: confidence}
    told = {"ticket": key, "reason": "made up", "text_hash": f"demo-{key}", "scores": scores}
    stage.records(PLUGIN, at, event).append(DECISION, key, {**decided, **told}, durable=False)
    if band == "apply":
        stage.audit(at, "plugin:autotag", "tags.apply", key, after={"label": said[0]}, event_id=event)
    return decided


def _review(stage: Stage, at: datetime, key: str, truth: str, decided: dict[str, Any]) -> None:
    by = stage.chance.choice(PEOPLE)
    said = "accept" if decided["category"] == truth else "correct"
    event = stage.event(
        at, "slack.action", f"autotag:{said}", f"autotag.{said}", actor=by,
        effects=(Effect("message", "SlackChat.upsert"),),
    )  # fmt: skip
    review = {"verdict": said, "category": truth, "by": by, "decided": decided}
    stage.records(PLUGIN, at, event).append(REVIEW, key, review, durable=False)
    stage.audit(at, by, f"tags.{said}", key, after={"label": truth}, event_id=event)
