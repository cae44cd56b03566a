"""How answers about the bot itself look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.core.audit import AuditRow
from bot.core.declare import Handler
from bot.core.inbox import RunView
from bot.core.messages import Text
from bot.core.registry import PluginStatus
from bot.core.steps import StepView
from bot.core.switches import Off
from bot.core.trace import Trace
from bot.plugin import (
    Actions,
    Button,
    Event,
    Header,
    Markup,
    Message,
    Note,
    Section,
    join,
    md,
    mention,
)
from plugins.core.policy import Condition, span

_SIGN = {
    "ok": ":large_green_circle:",
    "degraded": ":large_yellow_circle:",
    "down": ":red_circle:",
    "loaded": ":white_check_mark:",
    "disabled": ":double_vertical_bar:",
    "refused": ":x:",
    "done": ":white_check_mark:",
    "failed": ":x:",
    "dead": ":skull:",
    "pending": ":hourglass_flowing_sand:",
    "leased": ":gear:",
    "started": ":hourglass_flowing_sand:",
}
_ERROR_SHOWN = 300


def command_list(slash: str, found: Mapping[str, Sequence[Handler]]) -> Message:
    blocks = [
        Section(text=join("\n", [md("*{}*", plugin), *(_command_line(slash, h) for h in handlers)]))
        for plugin, handlers in found.items()
    ]
    note = Note(parts=(md("`{} help COMMAND` explains one. Only what you may use is listed.", slash),))
    return Message(text="Commands", blocks=(*blocks, note))


def _command_line(slash: str, handler: Handler) -> Markup:
    return md("`{} {}` {}", slash, _usage(handler), handler.declaration.help)


def _usage(handler: Handler) -> str:
    """What is typed: its name, also where the plugin tells only what comes after it."""
    name, usage = handler.declaration.match, handler.declaration.usage
    whole = usage if usage.split(maxsplit=1)[:1] == [name] else f"{name} {usage}".strip()
    return whole.replace("`", "'")


def command_detail(slash: str, handler: Handler, *, allowed: bool) -> Message:
    permission = handler.declaration.permission
    needs = f"Needs the permission {permission!r}" if permission else "Open to everybody"
    may = "" if allowed else ", which you do not have"
    return Message(
        text=handler.declaration.help,
        blocks=(
            Section(text=_command_line(slash, handler)),
            Note(parts=(f"{needs}{may}. From the plugin {handler.plugin}.",)),
        ),
    )


def unknown_command(slash: str, name: str, near: Sequence[str]) -> Message:
    hint = f"Did you mean {' or '.join(near)}?" if near else f"{slash} help lists what there is."
    return Message(text=f"There is no command {name!r}. {hint}")


def call_me_by(slash: str, commands: Sequence[str]) -> Message:
    line = md("I answer to `{} {}`.", slash, commands[0] if commands else "help")
    return Message(text=f"I answer to {slash}.", blocks=(Section(text=line),))


def status(
    counts: Mapping[str, int],
    oldest_seconds: float,
    conditions: Sequence[Condition],
    refused: Sequence[PluginStatus],
) -> Message:
    inbox = md(
        "*Inbox*  waiting {pending} · running {leased} · done in 24 h {done} · dead letters {dead} · "
        "the oldest waits {age}",
        **counts,
        age=span(oldest_seconds),
    )
    lines = [md("{} *{}* {}", _sign(c.status), c.name, c.detail) for c in conditions]
    lines += [md("{} *{}* refused: {}", _sign("refused"), s.name, s.detail) for s in refused]
    healthy = not refused and counts["dead"] == 0 and all(c.status == "ok" for c in conditions)
    return Message(
        text="All is well." if healthy else "Something needs a look.",
        blocks=(Section(text=inbox), Section(text=join("\n", list(lines)))),
        severity="good" if healthy else "warning",
    )


def plugins(report: Iterable[PluginStatus], off: Mapping[str, Off]) -> Message:
    lines = [
        md("{} *{}* {} {}", ":no_entry_sign:", s.name, s.version, off[s.name].words)
        if s.name in off
        else md("{} *{}* {} {}", _sign(s.status), s.name, s.version, _reason(s))
        for s in report
    ]
    return Message(text="Plugins", blocks=(Section(text=join("\n", list(lines))),))


def _reason(status: PluginStatus) -> str:
    return "" if status.status == "loaded" else f"{status.status}: {status.detail}"


def pong(queued: float, database: float) -> Message:
    return Message(
        text="pong",
        blocks=(
            Section(text=md("*pong* from the delivery to this worker in {}", span(queued))),
            Note(parts=(f"inbox and queue {span(queued)} · one database read {span(database)}",)),
        ),
    )


def recent(slash: str, events: Iterable[Event]) -> Message:
    lines = [
        md("{} `{}` {} {}", _clock(e.received_at), e.id, e.kind, e.subject.replace("`", "'")) for e in events
    ]
    usage = md("Usage: `{} trace ID`; the beginning of an id is enough. The newest events:", slash)
    return Message(text="Recent events", blocks=(Section(text=usage), Section(text=join("\n", list(lines)))))


def trace(found: Trace) -> Message:
    event = found.event
    head = md(
        "*{}* {} from {} at {} {} UTC, {} bytes",
        event.kind,
        event.subject,
        event.source,
        f"{event.received_at:%Y-%m-%d}",
        _clock(event.received_at),
        found.bytes,
    )
    lines: list[Text] = [*map(_run_line, found.runs), *map(_step_line, found.steps)]
    lines += map(_audit_line, found.audit)
    body = join("\n", lines or ["No plugin handles events of this kind."])
    return Message(
        text=f"Trace of {event.id}",
        blocks=(Section(text=head), Section(text=body), Note(parts=(event.id,))),
    )


def _run_line(run: RunView) -> Markup:
    error = md("\n      {}", run.error[:_ERROR_SHOWN]) if run.error else ""
    attempts = f"attempt {run.attempts}" if run.attempts else "not tried yet"
    at = run.finished_at or run.due_at
    return md(
        "{} {} run *{}* on {}, {}, {}{}",
        _sign(run.status),
        _clock(at),
        run.handler,
        run.queue,
        run.status,
        attempts,
        error,
    )


def _step_line(step: StepView) -> Markup:
    took = ""
    if step.finished_at is not None:
        took = f" in {span((step.finished_at - step.started_at).total_seconds())}"
    error = md("\n      {}", step.error[:_ERROR_SHOWN]) if step.error else ""
    return md(
        "{} {} step *{}* {}{}{}",
        _sign(step.status),
        _clock(step.started_at),
        step.name.rpartition("/")[2],
        step.call,
        took,
        error,
    )


def _audit_line(row: AuditRow) -> Markup:
    return md(
        ":scroll: {} audit *{}* on {} by {}, {}",
        _clock(row.at),
        row.action,
        row.subject,
        row.actor,
        row.outcome,
    )


def dead_letters(dead: Sequence[RunView], total: int) -> Message:
    if not dead:
        return Message(text="No dead letters.", severity="good")
    more = f", the newest {len(dead)} of {total}" if total > len(dead) else ""
    blocks = [block for run in dead for block in _dead_letter(run)]
    return Message(
        text=f"{total} dead letters", blocks=(Header(text=f"Dead letters{more}"), *blocks), severity="warning"
    )


def _dead_letter(run: RunView) -> tuple[Section, Actions]:
    text = md(
        "*{}* {} {}\n{}",
        run.handler or "nobody",
        run.subject,
        _clock(run.finished_at or run.due_at),
        (run.error or "")[:_ERROR_SHOWN],
    )
    args = {"run_id": run.id, "event_id": run.event_id, "subject": run.subject}
    # A letter that dies again is a new letter: the time of death is part of the group.
    group = f"replay:{run.id}:{run.finished_at}"
    replay = Button(text="Replay", action="replay", args=args, group=group, style="primary")
    show = Button(text="Show", action="show", args=args, once=False)
    return Section(text=text), Actions(elements=(replay, show) if run.handler else (show,))


def replayed(args: Mapping[str, Any]) -> Message:
    return Message(text=f"Replayed {args['subject']} ({args['run_id']}). Recorded steps are not repeated.")


def why(user: str, permission: str, roles: Sequence[str], *, allowed: bool) -> Message:
    verb = "may" if allowed else "may not"
    through = f"Roles that grant it: {', '.join(roles)}." if roles else "No role grants it."
    line = md("{} {} use the permission `{}`.", mention(user), verb, permission.replace("`", "'"))
    return Message(text=f"{user} {verb} {permission}", blocks=(Section(text=line), Note(parts=(through,))))


def _sign(status: str) -> Markup:
    return Markup(mrkdwn=_SIGN[status])


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"
