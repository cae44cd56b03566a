"""Answers of `/signalbox alerts`: what fires, what is silenced, and why a message goes where it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from bot.plugin import Markup, Message, Section, Silence, Text, join, md, mention
from plugins.alert_relay import severity, silencing, words
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.routing.maintenance import Maintenance, covering
from plugins.alert_relay.state import GroupState

_SHOWN = 20


def firing(states: Sequence[GroupState], now: datetime) -> Message:
    """What fires: loud ones first, then by severity, then the oldest."""
    if not states:
        return _message("Nothing fires.", [":large_green_circle: Nothing fires."])
    ordered = sorted(states, key=lambda s: (s.is_quiet, severity.rank(s.card.severity), s.started_at))
    lines: list[Text] = [_line(state, now) for state in ordered[:_SHOWN]]
    if len(states) > _SHOWN:
        lines.append(f"and {len(states) - _SHOWN} more")
    taken = sum(state.acked is not None for state in states)
    quiet = sum(state.is_quiet for state in states)
    head = f"{words.count(len(states), 'group')} firing: {taken} acknowledged, {quiet} silenced."
    return _message(head, [md("*{}*", head), *lines])


def _line(state: GroupState, now: datetime) -> Markup:
    sign = Markup(mrkdwn=":mute:" if state.is_quiet else ":red_circle:")
    age = words.span((now - state.started_at).total_seconds())
    parts: list[Text] = [md("{} *{}*", sign, state.card.title), state.card.severity or "no severity"]
    parts += [words.count(state.card.active, "alert"), f"for {age}", f"in {state.channel}", state.incident]
    if state.acked is not None:
        parts.append(md("{} is on it", mention(state.acked.by)))
    if state.silenced is not None:
        parts.append(f"silenced until {words.until(state.silenced.until, now)}")
    if state.held:
        parts.append("waits for a message of its own")
    return join(" · ", [part for part in parts if part])


def silences(found: Sequence[Silence], idle: set[str], now: datetime) -> Message:
    """Active silences, the next to end first; those that mute nothing are marked."""
    active = sorted((s for s in found if s.state == "active"), key=lambda s: (s.ends_at or now, s.id))
    if not active:
        return _message("Nothing is silenced.", ["Nothing is silenced."])
    lines: list[Text] = [_silence(silence, silence.id in idle, now) for silence in active[:_SHOWN]]
    if len(active) > _SHOWN:
        lines.append(f"and {len(active) - _SHOWN} more")
    nothing = sum(silence.id in idle for silence in active)
    head = f"{words.count(len(active), 'active silence')}; {nothing} without effect."
    return _message(head, [md("*{}*", head), *lines])


def _silence(silence: Silence, is_idle: bool, now: datetime) -> Markup:  # noqa: FBT001  # a predicate's value
    text = silencing.written(silence.matchers).replace("\n", ", ")[:200]
    sign = Markup(mrkdwn=":grey_question: mutes nothing · " if is_idle else ":mute: ")
    end = words.until(silence.ends_at or now, now)
    made = md("{}`{}` until {} by {}", sign, text.replace("`", "'"), end, words.person(silence.created_by))
    return words.with_comment(made, silencing.readable(silence.comment))


def explanation(
    labels: Mapping[str, str],
    state: GroupState | None,
    config: AlertRelayConfig,
    now: datetime,
    windows: Sequence[Maintenance],
) -> Message:
    """Which route a group takes and why, who would be called, and what holds it quiet."""
    head = state.card.title if state else ", ".join(f"{k}={v}" for k, v in sorted(labels.items()))
    return _message(
        f"Why {head} goes where it goes.",
        [
            md("*{}*", head),
            *_reasons(labels, config, now),
            *_times(labels, config, now, windows),
            *(_present(state, now) if state is not None else ()),
        ],
    )


def _reasons(labels: Mapping[str, str], config: AlertRelayConfig, now: datetime) -> Iterator[Text]:
    for number, route in enumerate(config.routes, 1):
        misfit = route.misfit(labels)
        if misfit is None:
            yield f"Route {number} fits: {route.channel}. The first that fits wins."
            break
        yield f"Route {number} ({route.channel}) does not fit: {misfit}."
    else:
        yield f"No route fits, so it goes to the general channel {config.channel}."
    yield from _calls(labels, config, now)


def _times(
    labels: Mapping[str, str], config: AlertRelayConfig, now: datetime, windows: Sequence[Maintenance]
) -> Iterator[Text]:
    """Quiet hours and maintenance, as they are at this moment."""
    hours = config.quiet_for(config.route_for(labels))
    if hours is not None:
        until = hours.until(labels.get("severity", ""), now)
        does = "waits for its message" if hours.mode == "hold" else "calls nobody"
        quiet = f"so it {does} until {words.until(until, now)}" if until else "but it is not quiet now"
        span = f"{hours.start:%H:%M} to {hours.end:%H:%M} {hours.zone}"
        yield f"Below {hours.below} it is quiet from {span}, {quiet}."
    planned = covering(windows, labels, now)
    if planned is not None:
        end = words.until(planned.until, now)
        yield md("The maintenance *{}* covers it until {}: nobody is called.", planned.name, end)


def _calls(labels: Mapping[str, str], config: AlertRelayConfig, now: datetime) -> Iterator[Text]:
    route = config.route_for(labels)
    after, target = config.escalates_after(route), config.called(route, now)
    if after is None or not target:
        yield "Nobody is called: escalate_minutes or the on-call entry is not set for it."
        return
    minutes = words.span(after.total_seconds())
    yield md(
        "Unless somebody acknowledges within {}, {} is called (entry {}).",
        minutes,
        words.called(target),
        route.oncall or config.escalate_to,
    )


def _present(state: GroupState, now: datetime) -> Iterator[Text]:
    if state.held:
        why = "a storm" if state.held.startswith("storm:") else "quiet hours"
        yield f"It waits for a message of its own because of {why} in {state.channel}."
    elif state.channel:
        place = f"{state.channel}, in the thread of" if state.thread else f"{state.channel}, as the line of"
        since = f"since {state.started_at:%Y-%m-%d %H:%M} UTC"
        yield f"Its message stands in {place} {state.incident or 'nothing else'}, {since}."
    if state.acked is not None:
        yield md("{} acknowledged it, so nobody is called.", mention(state.acked.by))
    if state.silenced is not None:
        held = state.silenced
        yield md("Silenced until {} by {}.", words.until(held.until, now), words.person(held.by))


def _message(text: str, lines: Sequence[Text]) -> Message:
    return Message(text=text, blocks=(Section(text=join("\n", list(lines))),))
