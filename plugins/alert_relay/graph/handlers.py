"""The picture's own way: an errand beside the message, so that nobody waits for Prometheus or for drawing."""

from __future__ import annotations

from datetime import timedelta

from bot.core.errors import SignalboxError
from bot.plugin import Context, Errand, Permanent, Throttled, on
from plugins.alert_relay import memory
from plugins.alert_relay.graph import drawing, view
from plugins.alert_relay.graph.drawing import Picture
from plugins.alert_relay.state import GroupState

ASKED = "alert-relay.graph"
_WORTH_IT = timedelta(seconds=15)
_AGAIN_SECONDS = 2.0
_ONCE_SECONDS = 7 * 24 * 3600.0


def ask(ctx: Context, state: GroupState) -> None:
    """Have a picture drawn of a group that began or ended; one each, however often it is asked for."""
    if state.ref is None or state.held or not ctx.settings.prometheus.url:
        return
    moment = f"{state.key}:{state.episode}:{state.status}"
    ctx.emit(
        ASKED,
        {"key": state.key, "episode": state.episode, "status": state.status},
        subject=state.key,
        once=moment,
        within=_ONCE_SECONDS,
    )


class GraphHandlers:
    @on(ASKED, queue="model")
    def draw(self, errand: Errand, ctx: Context) -> None:
        """Not on the queue of messages: drawing takes a core for a while."""
        state, _ = memory.load(ctx, str(errand.data["key"]))
        asked = (errand.data["episode"], errand.data["status"])
        if state is None or (state.episode, state.status) != asked or state.ref is None:
            return  # it went on meanwhile, and the next picture tells more
        try:
            _upload(ctx, state)
        except SignalboxError as exc:
            if not isinstance(exc, Permanent) and ctx.now() - ctx.event.received_at < _WORTH_IT:
                # Bounded by time alone: of random waits, the last may come long before that.
                raise Throttled(str(exc), retry_after=_AGAIN_SECONDS) from exc
            ctx.log.warning("graph.given_up", group=state.key, error=str(exc))


def _upload(ctx: Context, state: GroupState) -> None:
    picture = _look(ctx, state)
    if picture is None:
        ctx.log.info("graph.nothing_to_see", group=state.key)
        return
    ctx.step(
        "graph",
        ctx.chat.upload,
        channel=state.channel,
        filename=f"{state.status}-{state.key[:8]}.png",
        content=drawing.png(picture),
        title=f"{state.card.title}, {state.status}"[:120],
        thread=state.thread or state.ref,
    )


def _look(ctx: Context, state: GroupState) -> Picture | None:
    condition = view.find(state, ctx.metrics.rules())
    if condition is None:
        return None
    shown = view.window(state, ctx.now())
    found = ctx.metrics.query_range(condition.measured, start=shown.start, end=shown.end, step=shown.step)
    return view.picture(state, found, condition, shown)
