"""Figures from what is stored."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.core.errors import SignalboxError
from bot.core.memory import Documents, Records
from bot.plugin import Context
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.incidents.ledger import Ledger
from plugins.alert_relay.stats import figures, spells
from plugins.alert_relay.stats.figures import Figures
from plugins.alert_relay.stats.weeks import WEEK, Week, by_week

_RULES = "rules"
_RULES_FOR = timedelta(minutes=10)
_MOST_RUNS = 50_000


def gather(
    config: AlertRelayConfig,
    documents: Documents,
    records: Records,
    *,
    now: datetime,
    days: int,
    service: str = "",
) -> Figures:
    since = now - timedelta(days=days)
    return figures.make(
        spells.read(records, since, _holds(documents)),
        Ledger(documents).all(),
        records.find("mitigation", since=since, limit=_MOST_RUNS),
        since=since,
        until=now,
        service=service,
        severities=config.downtime_severities,
    )


def weeks(
    config: AlertRelayConfig, documents: Documents, records: Records, *, now: datetime, weeks: int
) -> list[Week]:
    return by_week(
        spells.read(records, now - weeks * WEEK, _holds(documents)),
        Ledger(documents).all(),
        until=now,
        weeks=weeks,
        severities=config.downtime_severities,
    )


def _holds(documents: Documents) -> dict[str, float]:
    found = documents.get(_RULES)
    return dict(found.data["holds"]) if found else {}


def note_rules(ctx: Context) -> None:
    """Keep how long Prometheus' rules wait before they fire; asked seldom, as rules change seldom."""
    known = ctx.documents.get(_RULES)
    if known is not None and ctx.now() - known.updated_at < _RULES_FOR:
        return
    holds = dict(known.data["holds"]) if known else {}
    try:
        holds |= {rule.name: rule.hold for rule in ctx.metrics.rules()}
    except SignalboxError as exc:
        ctx.log.info("rules.not_asked", error=str(exc))
    ctx.documents.put(_RULES, {"holds": holds})
