"""The controls under an alert group's message: few, and only those that make sense now."""

from __future__ import annotations

from datetime import timedelta

from bot.plugin import Actions, Button, Confirm, Option, Select
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.state import GroupState, Silenced

SILENCE_MENU, MORE_MENU = "Silence for…", "More…"
CUSTOM = "custom"
_SPANS = (
    Option(text="15 minutes", value="15m"),
    Option(text="1 hour", value="1h"),
    Option(text="4 hours", value="4h"),
    Option(text="Until morning", value="morning"),
    Option(text="Until resolved", value="resolved"),
)
LONG_SPANS = (*_SPANS, Option(text="1 day", value="1d"), Option(text="1 week", value="7d"))


def controls(state: GroupState, config: AlertRelayConfig) -> Actions:
    elements: list[Button | Select] = []
    if state.acked is None:
        elements.append(_plain("Acknowledge", "ack", state, style="primary"))
    if state.silenced is not None:
        elements.append(_unsilence(state, state.silenced))
    if state.silenced is None or not state.silenced.whole:
        elements += [_silence_button(state, config.silence_for), _silence_menu(state)]
    elements.append(_more(state, config))
    return Actions(elements=tuple(elements))


def where(state: GroupState) -> dict[str, object]:
    """What a control needs to find its group again."""
    return {"key": state.key, "episode": state.episode}


def label(silence_for: timedelta) -> str:
    return f"Silence {silence_for / timedelta(hours=1):g}h"


def _plain(text: str, action: str, state: GroupState, *, style: str = "") -> Button:
    return Button(
        text=text,
        action=action,
        args=where(state),
        once=False,
        style="primary" if style == "primary" else "",
    )


def _unsilence(state: GroupState, held: Silenced) -> Button:
    scope = "" if held.whole else " It may mute alerts of other groups too."
    return Button(
        text="Unsilence",
        action="unsilence",
        args={**where(state), "silence": held.id},
        once=False,
        confirm=Confirm(
            title="End this silence?",
            text=f"People are notified about {state.card.title} again.{scope}"[:300],
            ok="Unsilence",
        ),
    )


def _silence_button(state: GroupState, silence_for: timedelta) -> Button:
    hours = f"{silence_for / timedelta(hours=1):g} h"
    matching = ", ".join(f"{name}={value}" for name, value in sorted(state.labels.items()) if value)
    return Button(
        text=label(silence_for),
        action="silence",
        args=where(state),
        group=state.claim_group,
        confirm=Confirm(
            title=f"Silence for {hours}?"[:100],
            text=f"Nobody is notified about {matching or 'this group'} for {hours}; "
            f"now {state.card.active} alerts."[:300],
            ok="Silence",
        ),
    )


def _silence_menu(state: GroupState) -> Select:
    return Select(
        placeholder=SILENCE_MENU,
        action="silence-for",
        args=where(state),
        once=False,
        options=(*_SPANS, Option(text="Custom…", value=CUSTOM)),
    )


def _more(state: GroupState, config: AlertRelayConfig) -> Select:
    options = [Option(text="Take over" if state.acked else "Assign to me", value="me")]
    options.append(Option(text="Assign to…", value="assign"))
    if config.ticket_project and state.ticket is None:
        options.append(Option(text="Create Jira ticket", value="ticket"))
    if config.oncall:
        options.append(Option(text="Call on-call now", value="escalate"))
    return Select(placeholder=MORE_MENU, action="more", args=where(state), once=False, options=tuple(options))


def extend_button(state: GroupState, held: Silenced, config: AlertRelayConfig) -> Button:
    hours = f"{config.silence_for / timedelta(hours=1):g} h"
    return Button(
        text=f"Extend by {hours}",
        action="extend",
        args={**where(state), "silence": held.id},
        group=f"extend:{state.key}:{held.id}",
    )
