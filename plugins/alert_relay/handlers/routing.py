"""/signalbox maintenance, groups whose wait is over, and what `alerts simulate` answers."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pydantic import ValidationError

from bot.plugin import Command, Context, Errand, Message, Refused, Section, Text, command, join, md, on
from plugins.alert_relay import calendar, releases, simulation, words
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.desk import Desk
from plugins.alert_relay.routing.maintenance import Maintenance

_USAGE = "[list | start SPAN LABELS NAME | end ID]"
_PERMISSION = "alerts.maintenance"
_SPAN = re.compile(r"(\d{1,4})(m|h|d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=30)
_PAST, _SHOWN, _DAYS = 5000, 12, 30


class RoutingHandlers:
    config: AlertRelayConfig

    @on(releases.RELEASE)
    def release(self, errand: Errand, ctx: Context) -> None:
        """Give a group that waited its message."""
        Desk(self.config, ctx).release(str(errand.data["key"]))

    @command("maintenance", help="Planned windows in which nobody is called", usage=_USAGE)
    def maintenance(self, asked: Command, ctx: Context) -> None:
        match asked.text.split():
            case [] | ["list"]:
                ctx.reply(_listed(self.config, ctx))
            case ["start", span, *rest]:
                ctx.permissions.require(asked.user.id, _PERMISSION, "open a maintenance window")
                ctx.reply(_start(span, rest, asked, ctx))
            case ["end", window_id]:
                ctx.permissions.require(asked.user.id, _PERMISSION, "end a maintenance window")
                ctx.reply(_end(window_id, asked, ctx))
            case _:
                ctx.reply(
                    f"Say `maintenance {_USAGE}`, for example "
                    "`maintenance start 2h service=checkout Database upgrade`."
                )


def _start(span: str, rest: list[str], asked: Command, ctx: Context) -> Text:
    labels = {name: value for name, _, value in (word.partition("=") for word in rest if "=" in word)}
    name = " ".join(word for word in rest if "=" not in word) or f"maintenance by {asked.user.name}"
    window = _window(name, labels, ctx.now(), ctx.now() + _length(span))
    window_id = ctx.event.id[-6:]
    if calendar.find(ctx, window_id) is None:
        calendar.keep(ctx, window_id, window)
        ctx.audit("maintenance.start", name, after={**window.model_dump(mode="json"), "id": window_id})
    end = words.until(window.end or ctx.now(), ctx.now())
    return md(
        ":construction: *{}* until {} for {}; nobody is called for these. End it with `maintenance end {}`.",
        name[:80],
        end,
        ", ".join(f"{k}={v}" for k, v in labels.items()),
        window_id,
    )


def _length(span: str) -> timedelta:
    found = _SPAN.fullmatch(span)
    length = timedelta(**{_UNITS[found.group(2)]: int(found.group(1))}) if found else timedelta(0)
    if not timedelta(0) < length <= _LONGEST:
        raise Refused(
            f"{span[:20]!r} is not a span such as 30m, 2h or 1d, of at most 30 days; nothing was opened.",
            check="span",
        )
    return length


def _window(name: str, labels: dict[str, str], start: datetime, end: datetime) -> Maintenance:
    try:
        return Maintenance(name=name[:80], match=labels, start=start, end=end)
    except ValidationError as exc:
        raise Refused(
            "Name the labels of what is maintained, for example `maintenance start 2h service=checkout`; "
            "nothing was opened.",
            check="matchers",
        ) from exc


def _end(window_id: str, asked: Command, ctx: Context) -> Text:
    window = calendar.find(ctx, window_id)
    if window is None:
        raise Refused(
            f"No open window has the id {window_id[:20]!r}; `maintenance list` shows them.", check="known"
        )
    if window.end is None or window.end > ctx.now():
        calendar.keep(ctx, window_id, window.model_copy(update={"end": ctx.now()}))
        ctx.audit("maintenance.end", window.name, after={"id": window_id, "by": asked.user.id})
    return md(":construction: *{}* is over.", window.name)


def _listed(config: AlertRelayConfig, ctx: Context) -> Message:
    now = ctx.now()
    lines: list[Text] = [
        _line(window, window_id, now)
        for window_id, window in [*(("", w) for w in config.maintenance), *calendar.opened(ctx).items()]
    ]
    head = f"{words.count(len(lines), 'maintenance window')}."
    return Message(text=head, blocks=(Section(text=join("\n", [md("*{}*", head), *lines])),))


def _line(window: Maintenance, window_id: str, now: datetime) -> Text:
    until = window.until(now)
    state = (
        f"open until {words.until(until, now)}"
        if until
        else f"returns ({window.cron})"
        if window.cron
        else "to come"
    )
    labels = ", ".join(f"{k}={v}" for k, v in {**window.match, **window.match_re}.items())
    return md(
        ":construction: *{}* · {} · {} {}",
        window.name,
        state,
        labels,
        f"· `{window_id}`" if window_id else "",
    )


def simulated(config: AlertRelayConfig, text: str, ctx: Context) -> Message:
    """Which past groups went elsewhere than they would go by the present settings."""
    days = min(int(text), 365) if text.isdecimal() else _DAYS
    fired = ctx.records.find("fired", since=ctx.now() - timedelta(days=days), limit=_PAST)
    found = simulation.since(simulation.read(fired), config)
    head = (
        f"Of {words.count(found.groups, 'group')} in {days} days, {len(found.changes)} would go elsewhere "
        "by the present settings."
    )
    lines: list[Text] = [md("*{}*", head)]
    lines += [f"{number} groups: {difference}" for difference, number in found.by_way()[:_SHOWN]]
    lines += [_example(change) for change in found.changes[:_SHOWN]]
    lines.append("To try other settings: `signalbox alerts simulate --config new.toml --days 30`.")
    return Message(text=head, blocks=(Section(text=join("\n", lines)),))


def _example(change: simulation.Change) -> Text:
    past, at = change.past, f"{change.past.at:%d %b %H:%M}"
    return md("• {} ({}): {} → {}", past.title, at, change.before.channel, change.after.channel)
