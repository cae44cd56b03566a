"""What people can do about a group: silence it, end the silence, take it, pass it on, file a ticket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.plugin import Context, Matcher, Message, Permanent, Refused, Silence, Transient, User, md, mention
from plugins.alert_relay import history, memory, metrics, policy, silencing, ticketing, truth
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.desk import Desk
from plugins.alert_relay.state import GroupState, Pending, Silenced, TicketLink
from plugins.alert_relay.truth import Truth


class Levers:
    def __init__(self, config: AlertRelayConfig, ctx: Context, user: User) -> None:
        self._config = config
        self._ctx = ctx
        self._user = user
        self._desk = Desk(config, ctx, user.id)

    def group(self, args: dict[str, Any]) -> GroupState:
        """The group that a control belongs to, as it is now; refused with its state when it is over."""
        state, _ = memory.load(self._ctx, str(args["key"]))
        if state is None:
            raise Refused("This group is not known here any more; nothing was done.", check="still-firing")
        if state.status == "resolved":
            at = f"{state.resolved_at:%H:%M} UTC" if state.resolved_at else "by now"
            raise Refused(
                f"{state.card.title} is resolved since {at}; nothing was done.", check="still-firing"
            )
        if state.episode != args["episode"]:
            raise Refused(
                f"This message is an old one: it is resolved. {state.card.title} fires again since "
                f"{state.started_at:%H:%M} UTC in a newer message; nothing was done.",
                check="still-firing",
            )
        return state

    # -- silences ----------------------------------------------------------------------------------

    def ends_at(self, choice: str) -> datetime:
        hours = self._config.until_resolved_hours
        return silencing.ends_at(
            choice,
            self._ctx.now(),
            morning=self._config.morning,
            zone=self._config.zone,
            resolved=timedelta(hours=hours),
        )

    def silence(
        self,
        state: GroupState,
        matchers: Sequence[Matcher],
        ends_at: datetime,
        *,
        label: str,
        comment: str = "",
        until_resolved: bool = False,
    ) -> Silence:
        """Make one silence and show it; while Alertmanager is away, it is queued and the person told."""
        silencing.check_matchers(matchers)
        if not memory.is_noted(self._ctx, "silence", state.key):
            self._take("silence", state.key, label)
        made: Silence = self._attempt(
            "silence",
            state.key,
            self._ctx.alerts.silence,
            matchers=tuple(matchers),
            ends_at=ends_at,
            created_by=f"slack:{self._user.id}",
            comment=comment or silencing.unexplained(label, self._user.name or self._user.id),
        )
        until = made.ends_at or ends_at
        after = {"silence": made.id, "until": until.isoformat(), "matchers": silencing.written(matchers)}
        self._note("silence", "alerts.silence", state, {"by": self._user.id, "id": made.id}, after)
        held = Silenced(
            id=made.id,
            until=until,
            by=f"slack:{self._user.id}",
            comment=comment,
            whole=_covers(matchers, state),
            until_resolved=until_resolved,
        )
        self._update(state.key, lambda known: policy.silenced(known, held))
        return made

    def unsilence(self, state: GroupState, silence_id: str) -> None:
        self._attempt("unsilence", state.key, self._ctx.alerts.expire, silence_id=silence_id)
        self._note("unsilence", "alerts.unsilence", state, {"by": self._user.id, "id": silence_id})
        self._update(state.key, lambda known: policy.unsilenced(known, silence_id))

    def _update(self, key: str, apply: memory.Change) -> None:
        """Apply a change and Alertmanager's present state together, so that it is shown once."""
        found = truth.try_to_ask(self._ctx)

        def both(known: GroupState | None) -> GroupState | None:
            after = apply(known)
            return after and (self._reconciled(after, found) or after)

        self._desk.change(key, both, group=found.group(key))

    def _reconciled(self, state: GroupState, found: Truth) -> GroupState | None:
        live = found.group(state.key)
        if live is None:  # it may not be listed for a moment, and its end is the clock's to notice
            return None
        return policy.reconciled(
            state,
            live,
            now=self._ctx.now(),
            shown=self._config.shown_alerts,
            event_id=self._ctx.event.id,
            silences=found.silences,
        )

    # -- requests to other systems -----------------------------------------------------------------

    def _take(self, kind: str, key: str, label: str) -> None:
        """Of two people who ask for the same at once, one does it."""
        mine = Pending(event_id=self._ctx.event.id, by=self._user.id, label=label, at=self._ctx.now())
        state = memory.change(self._ctx, key, lambda known: policy.requested(known, kind, mine))
        held = state.pending.get(kind) if state else None
        if held is not None and held.event_id != mine.event_id:
            raise Refused(
                f"This is being done already: {held.label}, asked by "
                f"{held.by} at {held.at:%H:%M} UTC. Nothing was done twice.",
                check="once",
            )

    def _attempt(self, kind: str, key: str, call: Callable[..., Any], /, **arguments: Any) -> Any:
        """Make the call; a system that is away delays it, one that refuses it frees the way for the next."""
        try:
            return self._ctx.step(kind, call, **arguments)
        except Transient as exc:
            self._say_queued(exc)
            self._desk.show(key)
            raise
        except Permanent:
            self._desk.change(key, lambda known: policy.released(known, kind))
            raise

    def _say_queued(self, why: Transient) -> None:
        if self._ctx.reply_to is None:
            return
        text = (
            f":hourglass: {why} Your request is kept and is tried again until it works; no need to repeat it."
        )
        self._ctx.step(
            "say-queued",
            self._ctx.chat.reply,
            to=self._ctx.reply_to,
            message=Message(text=text),
            public=False,
        )

    def _note(
        self, kind: str, action: str, state: GroupState, data: dict[str, Any], after: Any = None
    ) -> bool:
        """Audit and record once, however often this is tried; whether this was the first time."""
        if memory.is_noted(self._ctx, kind, state.key):
            return False
        self._ctx.audit(action, state.card.title, after=after or data)
        self._ctx.records.append(kind, state.key, data)
        return True

    # -- people ------------------------------------------------------------------------------------

    def acknowledge(self, state: GroupState, *, take_over: bool = False) -> None:
        now = self._ctx.now()
        after = self._desk.change(
            state.key, lambda known: policy.acknowledged(known, self._user.id, now, take_over=take_over)
        )
        acked = after.acked if after else None
        if acked is None or acked.by != self._user.id:
            self._say_who(acked.by if acked else "")
            return
        seconds = (acked.at - state.started_at).total_seconds()
        if self._note("ack", "alerts.ack", state, {"by": self._user.id, "after_seconds": seconds}):
            metrics.ACKNOWLEDGE_SECONDS.observe(max(0.0, seconds))

    def _say_who(self, user: str) -> None:
        text = "{} is on it already. To take over, choose *Take over* in the menu *More…*."
        self._ctx.reply(md(text, mention(user)) if user else "This was resolved meanwhile; nothing was done.")

    def assign(self, state: GroupState, user: str) -> None:
        now, by = self._ctx.now(), self._user.id
        self._desk.change(state.key, lambda known: policy.assigned(known, user, by, now))
        self._note("assign", "alerts.assign", state, {"by": by, "to": user})

    def escalate(self, state: GroupState) -> None:
        route = self._config.route_for({**state.routing, **state.labels})
        target = self._config.called(route, self._ctx.now())
        if not target:
            raise Refused(
                "Nobody is on call for this group: name an on-call entry in escalate_to or in the route; "
                "nobody was called.",
                check="oncall",
            )
        event_id, by = self._ctx.event.id, self._user.id

        def apply(known: GroupState | None) -> GroupState | None:
            if known is None or any(line.event_id == event_id for line in known.history):
                return known
            return history.with_line(known, "escalated", by=by, text=target)

        self._desk.change(state.key, apply)
        self._note("escalate", "alerts.escalate", state, {"by": self._user.id, "to": target})

    # -- tickets -----------------------------------------------------------------------------------

    def ticket(self, state: GroupState, why: str = "") -> None:
        """File a ticket for the group, once; `why` where no person asked for it."""
        if state.ticket is not None and not memory.is_noted(self._ctx, "ticket", state.key):
            self._ctx.reply(f"There is a ticket already: {state.ticket.key}, {state.ticket.url}")
            return
        if not memory.is_noted(self._ctx, "ticket", state.key):
            self._take("ticket", state.key, "Create a ticket")
        made = self._attempt(
            "ticket",
            state.key,
            self._ctx.tickets.create,
            project=self._config.ticket_project,
            summary=state.card.title,
            description=_description(state, why or self._asked(state), ticketing.address(self._ctx, state)),
            labels=("alert",),
        )
        self._note("ticket", "alerts.ticket", state, {"by": self._user.id, "ticket": made.key})
        ticketing.link(self._ctx, state, made.key)
        found = TicketLink(key=made.key, url=made.url)
        self._desk.change(state.key, lambda known: policy.ticketed(known, found))

    def _asked(self, state: GroupState) -> str:
        return f"Asked for by {self._user.name or self._user.id} in {state.channel}."


def _covers(matchers: Sequence[Matcher], state: GroupState) -> bool:
    """Whether every alert of the group is muted: what is asked for is asked of all of them."""
    own = {**state.routing, **state.labels}
    return all(matcher.fits(own) for matcher in matchers)


def _description(state: GroupState, why: str, message: str) -> str:
    """What a reader of the ticket needs, and the way back to the alert."""
    found = state.card
    links = [f"{link.label}: {link.url}" for link in found.links]
    labels = ", ".join(f"{name}={value}" for name, value in sorted(state.labels.items()))
    parts = [
        f"{found.firing + found.silenced} alerts fire since {state.started_at:%Y-%m-%d %H:%M} UTC.",
        found.summary,
        found.description,
        "\n".join(found.lines),
        f"Alert group: {labels}" + (f", {state.incident}" if state.incident else ""),
        f"Message: {message}" if message else "",
        "\n".join(links),
        why,
    ]
    return "\n\n".join(part for part in parts if part)
