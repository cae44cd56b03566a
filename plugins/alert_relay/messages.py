"""How an alert group looks. Everything that comes from an alert is plain text here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bot.core.messages import Block, Severity
from bot.plugin import Actions, Markup, Message, Note, Section, Text, join, link, md, mention
from plugins.alert_relay import history, strip, words
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.mitigation import telling
from plugins.alert_relay.state import Card, GroupState, Line, Sibling, Silenced

_SEVERITY: dict[str, Severity] = {
    "critical": "critical",
    "page": "critical",
    "error": "critical",
    "warning": "warning",
}
_WORST: tuple[Severity, ...] = ("critical", "warning", "info", "good", "")
_SIGN = {
    "critical": ":red_circle:",
    "warning": ":large_orange_circle:",
    "info": ":large_blue_circle:",
    "good": ":large_green_circle:",
}


def group(state: GroupState, config: AlertRelayConfig) -> Message:
    """The living message; claimed buttons in it are replaced by the kernel."""
    severity = _severity_of(state)
    blocks: list[Block] = [*_incident(state), Section(text=_headline(state, severity))]
    blocks += _body(state.card)
    people = list(_people(state)) if state.status == "firing" else list(_ticket(state))
    people += telling.notes(state)
    if people:
        blocks.append(Section(text=join("\n", people)))
    blocks += _foot(state)
    if state.status == "firing":
        blocks.append(strip.controls(state, config))
    blocks += telling.strip(state, config.rules)
    return Message(
        text=_fallback(state),
        blocks=tuple(blocks),
        severity=_colour_of(state),
        priority="high" if severity == "critical" else "normal",
    )


def _severity_of(state: GroupState) -> Severity:
    if state.status == "resolved":
        return "good"
    return "info" if state.is_quiet else _SEVERITY.get(state.card.severity, "info")


def _colour_of(state: GroupState) -> Severity:
    """The worst that fires in the incident whose line this is."""
    others = [_SEVERITY.get(s.severity, "info") for s in state.others.listed if s.status == "firing"]
    return min((_severity_of(state), *others), key=_WORST.index)


def _fallback(state: GroupState) -> str:
    if state.status == "resolved":
        return f"Resolved: {state.card.title}, after {_duration(state)}"
    severity = f" ({state.card.severity})" if state.card.severity else ""
    return f"{state.card.active} firing: {state.card.title}{severity}"


def _headline(state: GroupState, severity: Severity) -> Markup:
    sign = Markup(mrkdwn=_SIGN[severity or "info"])
    flaps = _flapping(state)
    if state.status == "resolved":
        return md("{} *{}* resolved after {}{}", sign, state.card.title, _duration(state), flaps)
    tail = f" · {state.card.severity}" if state.card.severity else ""
    return md("{} *{}*{}{}\n{}", sign, state.card.title, tail, flaps, _counts(state.card))


def _flapping(state: GroupState) -> Text:
    if not history.is_flapping(state):
        return ""
    return md(" · :repeat: flapping, shown every {}", words.span(history.pace(state).total_seconds()))


def _counts(card: Card) -> str:
    parts = [
        (card.firing, "firing"),
        (card.silenced, "silenced"),
        (card.inhibited, "inhibited"),
        (card.muted, "muted by a time interval"),
        (card.resolved, "resolved"),
    ]
    return " · ".join(f"{number} {word}" for number, word in parts if number)


def _duration(state: GroupState) -> str:
    end = state.resolved_at or state.started_at
    return words.span((end - state.started_at).total_seconds())


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


def _people(state: GroupState) -> Iterator[Text]:
    """Who does what about it, one line each."""
    if state.acked is not None:
        yield md(":eyes: {} is on it since {} UTC", mention(state.acked.by), f"{state.acked.at:%H:%M}")
    if state.assignee and (state.acked is None or state.acked.by != state.assignee):
        yield md(":bust_in_silhouette: Assigned to {}", mention(state.assignee))
    for request in state.pending.values():
        yield md(":hourglass_flowing_sand: {}, asked by {}", request.label, mention(request.by))
    if state.maintenance is not None:
        end = _dated(state.maintenance.until)
        yield md(":construction: Maintenance *{}* until {}: nobody is called", state.maintenance.name, end)
    if state.silenced is not None:
        yield _silenced(state, state.silenced)
    yield from _ticket(state)


def _silenced(state: GroupState, held: Silenced) -> Markup:
    part = "" if held.whole else f" {words.count(state.card.silenced, 'alert')}"
    end = f"{held.until:%H:%M} UTC" if held.until.date() == state.started_at.date() else _dated(held.until)
    text = md(":mute: Silenced{} until {} by {}", part, end, words.person(held.by))
    text = words.with_comment(text, held.comment)
    return join("", [text, md(" (or until it is resolved)")]) if held.until_resolved else text


def _dated(end: datetime) -> str:
    return f"{end:%a %d %b %H:%M} UTC"


def _ticket(state: GroupState) -> Iterator[Text]:
    if state.ticket is not None:
        yield md(":ticket: {}", link(state.ticket.url, state.ticket.key))


def _incident(state: GroupState) -> Iterator[Block]:
    """On the incident's line: what its other groups do."""
    others = state.others
    if not others.total:
        return
    also = others.firing + (state.status == "firing")
    head = md(":link: *{}* · {} of {} groups fire", state.incident, also, others.total + 1)
    lines = [_sibling(sibling) for sibling in others.listed]
    rest = others.total - len(others.listed)
    more = [f"and {rest} more"] if rest > 0 else []
    yield Section(text=join("\n", [head, *lines, *more]))


def _sibling(sibling: Sibling) -> Text:
    colour = "good" if sibling.status == "resolved" else _SEVERITY.get(sibling.severity, "info")
    where = f"in {sibling.elsewhere}" if sibling.elsewhere else "in the thread"
    ended = "resolved, " if sibling.status == "resolved" else ""
    return md("{} {} · {}{}", Markup(mrkdwn=_SIGN[colour]), sibling.title, ended, where)


def _foot(state: GroupState) -> Iterator[Block]:
    card = state.card
    if card.links:
        yield Note(parts=(join(" · ", [link(entry.url, entry.label) for entry in card.links]),))
    parts = [part for part in (state.incident, card.footnote) if part]
    if parts:
        yield Note(parts=(" · ".join(parts),))


def line(state: GroupState, entry: Line, config: AlertRelayConfig) -> Message:
    """One change as a short line for the thread."""
    text = _line_text(state, entry)
    if state.thread is not None:  # other groups of the incident talk in the same thread
        text = md("*{}*: {}", state.card.title, text)
    shown = words.plain(text)
    if entry.kind == "ending" and state.silenced is not None:
        extend = strip.extend_button(state, state.silenced, config)
        return Message(text=shown, blocks=(Section(text=text), Actions(elements=(extend,))))
    loud = entry.kind in {"escalated", "mitigation", "mitigation_call"}
    return Message(text=shown, blocks=(Section(text=text),), priority="high" if loud else "low")


def _line_text(state: GroupState, entry: Line) -> Markup:
    known = _PEOPLE.get(entry.kind) or _ALERTS.get(entry.kind)
    if known is not None:
        who = mention(entry.by) if entry.by else ""
        return md(known, by=who, text=entry.text, asked=mention(entry.text), took=_duration(state))
    if entry.kind in {"mitigation", "mitigation_call"}:
        return telling.line(entry.kind, entry.by, entry.text)
    if entry.kind == "ticket":
        ticket = state.ticket
        shown = link(ticket.url, ticket.key) if ticket else entry.text
        return md(":ticket: {} created {}", mention(entry.by) if entry.by else "Signalbox", shown)
    if entry.kind == "escalated":
        why = md("asked by {}", mention(entry.by)) if entry.by else "nobody has acknowledged it"
        return md(
            ":rotating_light: {}: *{}* still fires, {}", words.called(entry.text), state.card.title, why
        )
    return _silence_text(entry)


_PEOPLE = {
    "acked": ":eyes: Acknowledged by {by}",
    "assigned": ":bust_in_silhouette: {by} asks {asked} to take this",
    "ending": ":hourglass: {by} your silence ends at {text} and this still fires",
}
_ALERTS = {
    "new": ":heavy_plus_sign: New, {text}",
    "ended": ":heavy_minus_sign: Ended, {text}",
    "fired_again": ":red_circle: Fires again",
    "resolved": ":large_green_circle: Resolved after {took}",
    "maintenance": ":construction: Maintenance {text}: nobody is called",
    "maintenance_over": ":construction: The maintenance {text} is over and this still fires",
}


def _silence_text(entry: Line) -> Markup:
    if entry.kind == "silence_ended":
        if entry.by:
            return md(":loud_sound: Unsilenced by {}", mention(entry.by))
        return md(":loud_sound: The silence ended")
    verb = "Silenced" if entry.kind == "silenced" else "Silence changed: now"
    end = _dated(entry.until) if entry.until else "its end"
    made = md(":mute: {} until {} by {}", verb, end, words.person(entry.by))
    return words.with_comment(made, entry.text)
