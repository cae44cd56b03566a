"""Incidents as pages of the console: what fires, how fast people are, what was down; one incident's story."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bot.core.memory import Record
from bot.plugin import Cell, Chart, Context, Figure, Page, Refused, Table
from bot.plugin import Figures as FigureRow
from plugins.alert_relay import memory, words
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.incidents import timeline
from plugins.alert_relay.incidents.incident import Incident
from plugins.alert_relay.incidents.ledger import Ledger
from plugins.alert_relay.state import GroupState
from plugins.alert_relay.stats import gather, report
from plugins.alert_relay.stats.figures import Figures, Spread, Success
from plugins.alert_relay.stats.weeks import Week

_WEEKS, _SHOWN, _RUNS, _SERVICES = 12, 50, 20, 5
_NEXT = (
    "No alert group has fired yet. Point Alertmanager's webhook at `/webhooks/alertmanager`, or fire one "
    "in the sandbox."
)
_TONES = {"succeeded": "good", "failed": "bad", "unknown": "warn"}


def incidents(config: AlertRelayConfig, ctx: Context, title: str, plugin: str) -> Page:
    now = ctx.now()
    found = gather.gather(config, ctx.documents, ctx.records, now=now, days=_WEEKS * 7)
    weeks = gather.weeks(config, ctx.documents, ctx.records, now=now, weeks=_WEEKS)
    firing, known = memory.firing(ctx), Ledger(ctx.documents).all()
    return Page(
        title=title,
        parts=(
            _figures(found, len(firing)),
            _firing(firing),
            _times(weeks),
            _down(weeks),
            _counts(weeks),
            _incidents(known, plugin),
            _runs(ctx.records.find("mitigation", limit=_RUNS * 8)),
            _success(found.mitigations),
            _downtime(found),
        ),
    )


def incident(key: str, ctx: Context) -> Page | None:
    """What happened in one of them, moment by moment."""
    try:
        known = Ledger(ctx.documents).asked(key)
    except Refused:
        return None
    now = ctx.now()
    entries = timeline.of(known, ctx.records, now)
    end = known.ended_at
    took = words.span(((end or now) - known.started_at).total_seconds())
    return Page(
        title=f"{known.id}: {known.title}",
        parts=(
            FigureRow(
                items=(
                    Figure(label="fires" if end is None else "over after", value=took, tone=_tone(known)),
                    Figure(label="severity", value=known.severity or "none"),
                    Figure(label="alerts", value=f"{known.alerts}"),
                    Figure(label="began (UTC)", value=f"{known.started_at:%d %b %H:%M}"),
                )
            ),
            Table(
                title="Timeline",
                columns=("At (UTC)", "What", "Group", "Who"),
                rows=tuple(
                    (
                        f"{entry.at:%d %b %H:%M:%S}",
                        Cell(text=entry.text, link=entry.address),
                        entry.group,
                        entry.who,
                    )
                    for entry in entries
                ),
                empty="Nothing is written down of it.",
            ),
            Table(
                title="Alert groups",
                columns=("Group", "Severity", "Began (UTC)", "Ended (UTC)", "Alerts"),
                rows=tuple(
                    (
                        member.title,
                        member.severity or "none",
                        f"{member.started_at:%d %b %H:%M}",
                        f"{member.ended_at:%d %b %H:%M}"
                        if member.ended_at
                        else Cell(text="fires", tone="bad"),
                        f"{member.alerts}",
                    )
                    for member in known.members
                ),
            ),
        ),
    )


def _tone(known: Incident) -> str:
    return "bad" if known.ended_at is None else "good"


def _figures(found: Figures, firing: int) -> FigureRow:
    noise = f"{found.noise:.1f}" if found.noise is not None else "none"
    means = [
        Figure(
            label=f"{shown}, mean",
            value=report.seconds(getattr(found, name).mean),
            hint=mark.strip(" ()"),
        )
        for name, shown, mark in report.MEANS
    ]
    return FigureRow(
        items=(
            Figure(label="groups fire now", value=f"{firing}", tone="bad" if firing else "good"),
            *means,
            Figure(label="alerts per incident", value=noise, hint=f"{_WEEKS} weeks"),
        )
    )


def _firing(states: Sequence[GroupState]) -> Table:
    return Table(
        title="Fires now",
        columns=("Alert group", "Severity", "Since (UTC)", "Taken by", "What"),
        rows=tuple(
            (
                Cell(text=state.card.title, tone="bad"),
                state.card.severity or "none",
                f"{state.started_at:%d %b %H:%M}",
                state.assignee or (state.acked.by if state.acked else "") or Cell(text="nobody", tone="warn"),
                state.card.summary,
            )
            for state in states[:_SHOWN]
        ),
        empty="Nothing fires.",
    )


def _times(weeks: Sequence[Week]) -> Chart:
    def line(of: Callable[[Figures], Spread]) -> tuple[float | None, ...]:
        means = [of(week.figures).mean for week in weeks]
        return tuple(round(mean / 60, 1) if mean is not None else None for mean in means)

    lines = (
        ("to detect (inferred)", line(lambda found: found.detect)),
        ("to acknowledge", line(lambda found: found.acknowledge)),
        ("to mitigate", line(lambda found: found.mitigate)),
        ("to resolve", line(lambda found: found.resolve)),
    )
    return Chart(
        title="Mean times week by week",
        alt="Lines in minutes: mean time to detect, to acknowledge, to mitigate and to resolve.",
        x=_ends(weeks),
        series=lines,
        unit=" min",
        empty=_NEXT,
    )


def _down(weeks: Sequence[Week]) -> Chart:
    """The services that were down longest; the others together."""
    total: dict[str, float] = {}
    for week in weeks:
        for service, seconds in week.down.items():
            total[service] = total.get(service, 0.0) + seconds
    worst = sorted(total, key=lambda service: -total[service])[:_SERVICES]

    def minutes(week: Week, services: Iterable[str]) -> float:
        return round(sum(week.down.get(service, 0.0) for service in services) / 60, 1)

    lines = [(service, tuple(minutes(week, (service,)) for week in weeks)) for service in worst]
    if rest := [service for service in total if service not in worst]:
        lines.append(("others", tuple(minutes(week, rest) for week in weeks)))
    return Chart(
        title="Downtime week by week (inferred)",
        alt=f"Stacked bars in minutes by service; down longest: {worst[0] if worst else 'none'}.",
        kind="stacked",
        x=_ends(weeks),
        series=tuple(lines),
        unit=" min",
        empty="No group whose severity counts as downtime fired.",
    )


def _counts(weeks: Sequence[Week]) -> Chart:
    groups = tuple(float(week.figures.groups) for week in weeks)
    opened = tuple(float(week.figures.incidents) for week in weeks)
    return Chart(
        title="Groups and incidents a week",
        alt=f"Bars: {sum(groups):.0f} groups fired and {sum(opened):.0f} incidents opened in all.",
        kind="bar",
        x=_ends(weeks),
        series=(("groups", groups), ("incidents", opened)),
        empty=_NEXT,
    )


def _ends(weeks: Sequence[Week]) -> tuple[str, ...]:
    return tuple(f"{week.ends:%d %b}" for week in weeks)


def _incidents(known: Sequence[Incident], plugin: str) -> Table:
    newest = sorted(known, key=lambda incident: -incident.number)[:_SHOWN]
    return Table(
        title="Incidents",
        columns=("Incident", "What", "Began (UTC)", "State", "Groups"),
        rows=tuple(
            (
                Cell(text=found.id, link=f"/pages/{plugin}/of/{found.id}"),
                found.title,
                f"{found.started_at:%Y-%m-%d %H:%M}",
                _state(found),
                words.count(len(found.members), "group"),
            )
            for found in newest
        ),
        empty=_NEXT,
    )


def _state(found: Incident) -> Cell:
    if found.ended_at is None:
        return Cell(text="fires", tone="bad")
    took = words.span((found.ended_at - found.started_at).total_seconds())
    return Cell(text=f"over after {took}", tone="good")


def _runs(newest_first: Iterable[Record]) -> Table:
    """Each run by the newest word on it."""
    newest: dict[str, Record] = {}
    for record in newest_first:
        newest.setdefault(str(record.data["run"]), record)
    rows = [_run(record) for record in list(newest.values())[:_RUNS]]
    return Table(
        title="Mitigations, the latest",
        columns=("At (UTC)", "Mitigation", "Service", "Came to", "Asked for by"),
        rows=tuple(rows),
        empty="None ran yet. `[[mitigations]]` in the settings puts a button under an alert.",
    )


def _run(record: Record) -> tuple[str | Cell, ...]:
    status = str(record.data.get("status", ""))
    at, mitigation = f"{record.at:%d %b %H:%M}", str(record.data["mitigation"])
    came_to = Cell(text=status.replace("_", " "), tone=_TONES.get(status, ""))
    shown = Cell(text=mitigation, link=f"/events/{record.event_id}" if record.event_id else "")
    by = str(record.data.get("requested_by") or record.data.get("by") or "")
    return at, shown, str(record.data.get("service") or "none"), came_to, by


def _success(found: Sequence[Success]) -> Table:
    return Table(
        title="Mitigations, how often they worked",
        columns=("Mitigation", "Verified"),
        rows=tuple((entry.mitigation, report.rate(entry)) for entry in found),
        empty="No mitigation has been verified yet.",
    )


def _downtime(found: Figures) -> Table:
    return Table(
        title="Downtime by service and month (inferred)",
        columns=("Service", "Month", "Down"),
        rows=tuple((e.service or "none", e.month, report.seconds(e.seconds)) for e in found.downtime),
        empty="No group whose severity counts as downtime fired.",
    )
