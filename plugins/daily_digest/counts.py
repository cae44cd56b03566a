"""What happened in a span of time, counted from the inbox and from what the plugins noted down."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from bot.plugin import Context

DAY = timedelta(days=1)


class Counts(BaseModel):
    model_config = ConfigDict(frozen=True)
    tickets: int
    tagged: int
    suggested: int
    left: int
    alerts: int
    ended: int
    silenced: int
    dead_letters: int


def of_day(ctx: Context, end: datetime) -> Counts:
    """The 24 hours before `end`."""
    start = end - DAY
    events = ctx.inbox.event_counts(start, end)
    bands = ctx.records.of("autotag").tally("decision", "band", since=start, until=end)
    relay = ctx.records.of("alert-relay")
    return Counts(
        tickets=events.get("ticket.created", 0),
        tagged=bands.get("apply", 0),
        suggested=bands.get("suggest", 0),
        left=bands.get("leave", 0),
        alerts=relay.count("fired", since=start, until=end),
        ended=relay.count("resolved", since=start, until=end),
        silenced=relay.count("silence", since=start, until=end),
        dead_letters=ctx.inbox.dead_count(start, end),
    )
