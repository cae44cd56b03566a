from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.plugin import (
    AlertGroup,
    Click,
    Command,
    Context,
    Health,
    Matcher,
    Message,
    Permanent,
    Plugin,
    Refused,
    Submission,
    Tick,
    Transient,
    User,
    action,
    command,
    on,
    schedule,
    view,
)
from plugins.alert_relay import (
    calendar,
    forms,
    heartbeat,
    keeping,
    listing,
    memory,
    policy,
    rounds,
    silencing,
    strip,
    truth,
    words,
)
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.desk import Desk
from plugins.alert_relay.graph.handlers import GraphHandlers
from plugins.alert_relay.handlers import routing
from plugins.alert_relay.handlers.incidents import IncidentHandlers
from plugins.alert_relay.handlers.routing import RoutingHandlers
from plugins.alert_relay.handlers.stats import StatsHandlers
from plugins.alert_relay.handlers.tickets import TicketHandlers
from plugins.alert_relay.handlers.timeline import TimelineHandlers
from plugins.alert_relay.holding import holds
from plugins.alert_relay.levers import Levers
from plugins.alert_relay.mitigation.handlers import MitigationHandlers
from plugins.alert_relay.mitigation.scene import Scene
from plugins.alert_relay.state import GroupState


class AlertRelay(
    MitigationHandlers,
    IncidentHandlers,
    TimelineHandlers,
    RoutingHandlers,
    StatsHandlers,
    GraphHandlers,
    TicketHandlers,
    Plugin[AlertRelayConfig],
):
    name = "alert-relay"
    Config = AlertRelayConfig
    sections = ("mitigations",)

    @on("alertmanager.group")
    def relay(self, delivered: AlertGroup, ctx: Context) -> None:
        if policy.is_heartbeat(delivered, self.config.heartbeat):
            memory.note_once(ctx, "heartbeat", delivered.key, {"receiver": delivered.receiver})
            heartbeat.beat(delivered, self.config, ctx)
            return
        memory.note_receiver(ctx, delivered.receiver)
        # In a storm nothing is shown at once, and the next look at Alertmanager is for all of them.
        found = truth.NOT_ASKED if holds.rages(ctx) else truth.try_to_ask(ctx)
        Desk(self.config, ctx).relay(delivered, found)

    @schedule("config:poll_cron")
    def reconcile(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002  # one time is like any other
        """Alertmanager sends no word when a silenced group ends, or when a silence is made elsewhere."""
        heartbeat.check(self.config, ctx)
        rounds.walk(self.config, ctx)

    @schedule("23 4 * * *")
    def tidy(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002  # any time is like another
        keeping.tidy(self.config, ctx, self._scene(ctx))

    @command("alerts", help="What fires", usage="[silences | explain LABELS-OR-TITLE | simulate [DAYS]]")
    def alerts(self, asked: Command, ctx: Context) -> None:
        verb, _, rest = asked.text.partition(" ")
        match verb.lower():
            case "":
                ctx.reply(listing.firing(memory.firing(ctx), ctx.now()))
            case "silences":
                groups, silences = ctx.alerts.groups(), ctx.alerts.silences()
                ctx.reply(listing.silences(silences, silencing.idle(silences, groups), ctx.now()))
            case "explain" if rest.strip():
                ctx.reply(self._explanation(rest.strip(), ctx))
            case "simulate":
                ctx.reply(routing.simulated(self.config, rest.strip(), ctx))
            case _:
                ctx.reply(
                    "Say `alerts`, `alerts silences`, or `alerts explain` with a title or with labels, for "
                    "example `alerts explain service=checkout severity=critical`."
                )

    def _explanation(self, asked: str, ctx: Context) -> Message | str:
        state = next((s for s in memory.firing(ctx) if asked.lower() in s.card.title.lower()), None)
        if state is None and "=" not in asked:
            return Message(
                text=f"Nothing that fires has {asked[:80]!r} in its title; give labels such as a=b."
            )
        pairs = (word.partition("=") for word in asked.replace(",", " ").split())
        labels = {**state.routing, **state.labels} if state else {name: value for name, _, value in pairs}
        windows = calendar.windows(self.config, ctx)
        return listing.explanation(labels, state, self.config, ctx.now(), windows)

    # -- silences ----------------------------------------------------------------------------------

    @action("silence", permission="alerts.silence")
    def silence(self, click: Click, ctx: Context) -> str:
        levers = Levers(self.config, ctx, click.user)
        state = levers.group(click.args)
        made = levers.silence(
            state,
            silencing.of_group(state.labels),
            ctx.now() + self.config.silence_for,
            label=strip.label(self.config.silence_for),
        )
        return f"until {made.ends_at or ctx.now():%H:%M} UTC"

    @action("silence-for", permission="alerts.silence")
    def silence_for(self, click: Click, ctx: Context) -> None:
        levers = Levers(self.config, ctx, click.user)
        state, [choice] = levers.group(click.args), click.selected
        if choice == strip.CUSTOM:
            modal = forms.silence(state, click.reply_to.channel)
            ctx.step("form", ctx.chat.open_modal, trigger_id=click.trigger_id, modal=modal)
            return
        _refuse_twice(state, ctx)
        levers.silence(
            state,
            silencing.of_group(state.labels),
            levers.ends_at(choice),
            label=f"Silence for {choice}" if choice in silencing.SPANS else f"Silence until {choice}",
            until_resolved=choice == silencing.RESOLVED,
        )

    @view("silence", permission="alerts.silence")
    def preview_silence(self, form: Submission, ctx: Context) -> None:
        """Say what the silence would do before it is made."""
        _answer_in_channel(form, ctx)
        levers = Levers(self.config, ctx, form.user)
        state = levers.group(form.private)
        found = _asked(ctx)
        chosen = _matchers(form, state, found)
        span, comment = str(form.values["span"]), str(form.values.get("comment") or "")
        breadth = self._checked(chosen, state, found)
        ctx.reply(
            forms.preview(
                state,
                chosen,
                breadth,
                span=span,
                ends_at=levers.ends_at(span),
                now=ctx.now(),
                comment=comment,
            )
        )

    @action("confirm-silence", permission="alerts.silence")
    def confirm_silence(self, click: Click, ctx: Context) -> str:
        levers = Levers(self.config, ctx, click.user)
        state, chosen = levers.group(click.args), silencing.parse(click.args["matchers"])
        if not memory.is_noted(ctx, "silence", state.key):  # its effect was seen: no outage holds it up
            self._checked(chosen, state, truth.try_to_ask(ctx))
        span = click.args["span"]
        made = levers.silence(
            state,
            chosen,
            levers.ends_at(span),
            label="Silence",
            comment=click.args["comment"],
            until_resolved=span == silencing.RESOLVED,
        )
        end = words.until(made.ends_at or ctx.now(), ctx.now())
        ctx.reply(f":mute: Silenced until {end}.")
        return f"until {end}"

    def _checked(self, chosen: Sequence[Matcher], state: GroupState, found: truth.Truth) -> silencing.Breadth:
        silencing.check_matchers(chosen)
        breadth = silencing.breadth(chosen, found.groups or (), state.key)
        silencing.check_breadth(
            breadth, most=self.config.max_silenced_alerts, share=self.config.max_silenced_share
        )
        return breadth

    @action("unsilence", permission="alerts.silence")
    def unsilence(self, click: Click, ctx: Context) -> None:
        levers = Levers(self.config, ctx, click.user)
        levers.unsilence(levers.group(click.args), str(click.args["silence"]))

    @action("extend", permission="alerts.silence")
    def extend(self, click: Click, ctx: Context) -> str:
        """Silence on with the same matchers: Alertmanager lets the later of two silences count."""
        levers = Levers(self.config, ctx, click.user)
        state = levers.group(click.args)
        held = next((s for s in ctx.alerts.silences() if s.id == click.args["silence"]), None)
        if held is None:
            raise Refused("Alertmanager does not know this silence any more; make a new one.", check="known")
        ends_at = max(held.ends_at or ctx.now(), ctx.now()) + self.config.silence_for
        made = levers.silence(
            state, held.matchers, ends_at, label="Extend", comment=silencing.readable(held.comment)
        )
        return f"until {words.until(made.ends_at or ends_at, ctx.now())}"

    # -- people ------------------------------------------------------------------------------------

    @action("ack", permission="alerts.ack")
    def acknowledge(self, click: Click, ctx: Context) -> None:
        levers = Levers(self.config, ctx, click.user)
        levers.acknowledge(levers.group(click.args))

    @action("more", permission="alerts.ack")
    def more(self, click: Click, ctx: Context) -> None:
        levers = Levers(self.config, ctx, click.user)
        state, [choice] = levers.group(click.args), click.selected
        match choice:
            case "me":
                levers.acknowledge(state, take_over=True)
            case "ticket":
                ctx.permissions.require(click.user.id, "alerts.ticket", "create a ticket")
                levers.ticket(state)
            case "escalate":
                levers.escalate(state)
            case _:
                modal = forms.assign(state, click.reply_to.channel)
                ctx.step("form", ctx.chat.open_modal, trigger_id=click.trigger_id, modal=modal)

    @view("assign", permission="alerts.ack")
    def assign(self, form: Submission, ctx: Context) -> None:
        _answer_in_channel(form, ctx)
        levers = Levers(self.config, ctx, form.user)
        levers.assign(levers.group(form.private), str(form.values["user"]))

    # -- mitigations: the handlers are in mitigation/handlers.py ------------------------------------

    def _scene(self, ctx: Context, actor: str = "") -> Scene:
        def oncall(state: GroupState) -> str:
            labels = {**state.routing, **state.labels}
            return self.config.called(self.config.route_for(labels), ctx.now())

        return Scene(ctx, self.config.rules, Desk(self.config, ctx, actor), oncall)

    def _group(self, args: dict[str, Any], ctx: Context, user: User) -> GroupState:
        return Levers(self.config, ctx, user).group(args)

    def health(self, ctx: Context) -> Health:
        try:
            found = ctx.alerts.health()
        except Permanent as exc:
            return Health(status="degraded", detail=str(exc))
        return found if found.status != "ok" else self._scene(ctx).health()


def _refuse_twice(state: GroupState, ctx: Context) -> None:
    held = state.silenced
    if held is not None and held.whole and not memory.is_noted(ctx, "silence", state.key):
        raise Refused(
            f"This group is silenced already until {words.until(held.until, ctx.now())} by "
            f"{held.by.removeprefix('slack:')}. Unsilence it first to choose another time.",
            check="once",
        )


def _asked(ctx: Context) -> truth.Truth:
    """Alertmanager's present state for a preview, which is worth nothing later."""
    try:
        return truth.ask(ctx)
    except Transient as exc:
        raise Refused(
            f"{exc} So nobody can say what this would mute; nothing was silenced. Try again in a minute, "
            "or silence just this group with its button: that is queued.",
            check="breadth",
        ) from exc


def _matchers(form: Submission, state: GroupState, found: truth.Truth) -> tuple[Matcher, ...]:
    scope = str(form.values.get("scope") or forms.GROUP)
    if scope == forms.PICKED:
        return silencing.parse(str(form.values.get("labels") or ""))
    if scope == forms.GROUP:
        return silencing.of_group(state.labels)
    live = found.group(state.key)
    alert = next((a for a in (live.alerts if live else ()) if a.fingerprint == scope), None)
    if alert is None:
        raise Refused("This alert does not fire any more; nothing was silenced.", check="still-firing")
    return silencing.of_group(alert.labels)


def _answer_in_channel(form: Submission, ctx: Context) -> None:
    """A form has no channel of its own: answer where its button was pressed."""
    if ctx.reply_to is not None and form.private.get("channel"):
        ctx.reply_to = ctx.reply_to.model_copy(update={"channel": form.private["channel"]})
