"""How an alert group looks. Everything that comes from an alert is plain text here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from bot.core.messages import Block, Severity, Text
from bot.plugin import Actions, Button, Confirm, Markup, Message, Note, Section, join, link, md, mention
from plugins.alert_relay.state import Card, GroupState

_SEVERITY: dict[str, Severity] = {
    "critical": "critical",
    "page": "critical",
    "error": "critical",
    "warning": "warning",
}
_SIGN = {
    "critical": ":red_circle:",
    "warning": ":large_orange_circle:",
    "info": ":large_blue_circle:",
    "good": ":large_green_circle:",
}


def group(state: GroupState, silence_for: timedelta) -> Message:
    """The living message; claimed buttons in it are replaced by the kernel."""
    severity = _severity_of(state)
    blocks: list[Block] = [Section(text=_headline(state, severity))]
    blocks += _body(state.card)
    if state.silenced is not None and state.status == "firing":
        blocks.append(Section(text=_silenced(state.silenced.until, state.silenced.by)))
    blocks += _foot(state.card)
    if state.status == "firing":
        blocks.append(Actions(elements=(_silence_button(state, silence_for),)))
    return Message(
        text=_fallback(state),
        blocks=tuple(blocks),
        severity=severity,
        priority="high" if severity == "critical" else "normal",
    )


def _severity_of(state: GroupState) -> Severity:
    if state.status == "resolved":
        return "good"
    return "info" if _is_quiet(state) else _SEVERITY.get(state.card.severity, "info")


def _is_quiet(state: GroupState) -> bool:
    return state.card.firing == 0 or state.silenced is not None


def _fallback(state: GroupState) -> str:
    if state.status == "resolved":
        return f"Resolved: {state.card.title}, after {_duration(state)}"
    severity = f" ({state.card.severity})" if state.card.severity else ""
    return f"{state.card.firing + state.card.silenced} firing: {state.card.title}{severity}"


def _headline(state: GroupState, severity: Severity) -> Markup:
    sign = Markup(mrkdwn=_SIGN[severity or "info"])
    if state.status == "resolved":
        return md("{} *{}* resolved after {}", sign, state.card.title, _duration(state))
    tail = f" · {state.card.severity}" if state.card.severity else ""
    return md("{} *{}*{}\n{}", sign, state.card.title, tail, _counts(state.card))


def _counts(card: Card) -> str:
    parts = [(card.firing, "firing"), (card.silenced, "silenced"), (card.resolved, "resolved")]
    return " · ".join(f"{number} {word}" for number, word in parts if number)


def _duration(state: GroupState) -> str:
    end = state.resolved_at or state.started_at
    minutes = round((end - state.started_at).total_seconds() / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _body(card: Card) -> Iterator[Block]:
    texts = [text for text in (card.summary, card.description) if text]
    if texts:
        yield Section(text="\n".join(dict.fromkeys(texts)))
    if card.lines:
        more = [f"and {card.more} more"] if card.more else []
        yield Section(text="\n".join([f"• {line}" for line in card.lines] + more))
    elif card.more:
        yield Section(text=f"and {card.more} more")
    changes = _changes(card)
    if changes:
        yield Section(text=join("\n", changes))


def _changes(card: Card) -> list[Text]:
    found: list[Text] = []
    if card.appeared:
        found.append(md("*New:* {}", ", ".join(card.appeared)))
    if card.ended:
        found.append(md("*Ended:* {}", ", ".join(card.ended)))
    return found


def _silenced(until: datetime, by: str) -> Markup:
    return md(":mute: Silenced until {} UTC by {}", f"{until:%H:%M}", mention(by))


def _foot(card: Card) -> Iterator[Block]:
    if card.links:
        yield Note(parts=(join(" · ", [link(entry.url, entry.label) for entry in card.links]),))
    if card.footnote:
        yield Note(parts=(card.footnote,))


def silence_label(silence_for: timedelta) -> str:
    return f"Silence {silence_for / timedelta(hours=1):g}h"


def _silence_button(state: GroupState, silence_for: timedelta) -> Button:
    hours = f"{silence_for / timedelta(hours=1):g} h"
    matching = ", ".join(f"{name}={value}" for name, value in sorted(state.labels.items()) if value)
    return Button(
        text=silence_label(silence_for),
        action="silence",
        args={"key": state.key, "episode": state.episode},
        group=state.claim_group,
        confirm=Confirm(
            title=f"Silence for {hours}?"[:100],
            text=f"Nobody is notified about {matching or 'this group'} for {hours}; "
            f"now {state.card.firing + state.card.silenced} alerts."[:300],
            ok="Silence",
        ),
    )
