"""Dialogs, and the question that comes before a silence of one's own making."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.plugin import (
    Actions,
    Button,
    Code,
    Input,
    Matcher,
    Message,
    Modal,
    Note,
    Option,
    Section,
    Shortcut,
    md,
)
from plugins.alert_relay import silencing, strip, words
from plugins.alert_relay.incidents.incident import Incident
from plugins.alert_relay.silencing import Breadth
from plugins.alert_relay.state import GroupState

GROUP, PICKED = "group", "picked"
_CHOICES, _INCIDENTS, _QUOTED = 20, 100, 500
CONFIRM_WITHIN = timedelta(minutes=10)


def silence(state: GroupState, channel: str) -> Modal:
    """What to silence, for how long and why."""
    firing = [(f, mark.name) for f, mark in state.marks.items() if mark.status == "firing"]
    alerts = [Option(text=f"Only {name}"[:75], value=fingerprint) for fingerprint, name in firing[:_CHOICES]]
    scope = (
        Option(text="This group", value=GROUP),
        Option(text="The labels below", value=PICKED),
        *alerts,
    )
    labels = silencing.written(silencing.of_group({**state.routing, **state.labels}))
    return Modal(
        view="silence",
        title="Silence",
        submit="Preview",
        inputs=(
            Input(id="scope", label="What", options=scope, initial=GROUP),
            Input(
                id="labels",
                label="Labels",
                hint="One condition a line: = != =~ !~. Fewer lines reach further. You see the effect first.",
                initial=labels,
                multiline=True,
                optional=True,
            ),
            Input(id="span", label="How long", options=strip.LONG_SPANS, initial="1h"),
            Input(id="comment", label="Why", hint="Shown on the message and in Alertmanager."),
        ),
        private={**strip.where(state), "channel": channel},
    )


def timeline(incidents: Sequence[Incident], asked: Shortcut) -> Modal:
    """Which incident a message belongs to; the newest is offered first."""
    newest = sorted(incidents, key=lambda known: -known.number)[:_INCIDENTS]
    options = tuple(Option(text=f"{known.id} {known.title}", value=known.id) for known in newest)
    said = asked.message
    return Modal(
        view="timeline",
        title="Add to incident",
        submit="Add",
        blocks=(Code(text=said.text[:_QUOTED]),),
        inputs=(Input(id="incident", label="Whose timeline?", options=options, initial=newest[0].id),),
        private={"channel": said.channel, "ts": said.ts, "response_url": asked.reply_to.response_url},
    )


def assign(state: GroupState, channel: str) -> Modal:
    return Modal(
        view="assign",
        title="Assign",
        submit="Ask them",
        blocks=(Section(text=state.card.title),),
        inputs=(Input(id="user", label="Who should take this?", people=True),),
        private={**strip.where(state), "channel": channel},
    )


def preview(
    state: GroupState,
    matchers: Sequence[Matcher],
    found: Breadth,
    *,
    span: str,
    ends_at: datetime,
    now: datetime,
    comment: str,
) -> Message:
    """What the silence would do, with the button that makes it."""
    text = silencing.written(matchers)
    effect = md(
        "This would mute *{} of {}* until {}.",
        words.count(found.muted, "alert"),
        words.count(found.services, "service"),
        words.until(ends_at, now),
    )
    beyond = f"{found.beyond} of them are outside of {state.card.title}. " if found.beyond else ""
    button = Button(
        text="Silence",
        action="confirm-silence",
        args={**strip.where(state), "matchers": text, "span": span, "comment": comment},
        style="primary",
        expires_in=CONFIRM_WITHIN,
    )
    return Message(
        text=words.plain(effect),
        blocks=(
            Section(text=effect),
            Code(text=text),
            Note(parts=(f"{beyond}The button works for {CONFIRM_WITHIN.seconds // 60} minutes.",)),
            Actions(elements=(button,)),
        ),
    )
