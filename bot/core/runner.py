"""Runs one handler for one event: lease, permission, claim, call, finish. Never raises.

Whatever a handler does ends in one of the outcomes of `bot.core.errors`, in the database first.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import structlog

from bot.core.clicks import ClickGate
from bot.core.context import Context
from bot.core.declare import Handler
from bot.core.errors import Permanent, Refused, SignalboxError, Throttled, Transient
from bot.core.events import Click, Command, Payload, Shortcut, Submission, Tick
from bot.core.inbox import Busy, DueRun, Lease
from bot.core.kernel import Kernel
from bot.core.retry import next_attempt

Outcome = Literal["done", "retried", "throttled", "refused", "dead", "skipped", "busy", "postponed"]
# An exception that is nobody's plan is a bug; trying often only repeats it.
BUG_ATTEMPTS = 3
_AFTER_INTERRUPTION = 30.0


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run, for metrics and the circuit breaker."""

    outcome: Outcome
    handler: str = ""
    plugin: str = ""
    seconds: float = 0.0
    error: str = ""


class Runner:
    """Args:
    owner: names this worker process in leases.
    observe: told about every run that was worked on.
    postponed: how long a plugin's runs should wait because it keeps failing; None when it is well.
    overdue: what interrupts a handler that takes longer than `workers.soft_time_limit`.
    """

    def __init__(
        self,
        kernel: Kernel,
        owner: str,
        observe: Callable[[RunResult], None] = lambda _: None,
        postponed: Callable[[str], timedelta | None] = lambda _: None,
        draw: random.Random | None = None,
        overdue: tuple[type[Exception], ...] = (),
    ) -> None:
        self._kernel = kernel
        self._owner = owner
        self._observe = observe
        self._postponed = postponed
        self._draw = draw or random.Random()  # noqa: S311  # jitter, not a secret
        self._overdue = overdue
        self._ttl = timedelta(seconds=kernel.settings.workers.lease_seconds)
        self._clicks = ClickGate(kernel)

    def run(self, run_id: str) -> RunResult:
        leased = self._kernel.inbox.lease(run_id, self._owner, self._ttl)
        if leased is None:
            return RunResult("skipped")
        if isinstance(leased, Busy):
            return RunResult("busy")
        plugin = leased.handler.partition(".")[0]
        if pause := self._postponed(plugin):
            return self._postpone(leased, plugin, pause)
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(
            event_id=leased.event.id, run_id=run_id, handler=leased.handler, attempt=leased.attempt
        ):
            outcome, error = self._work(leased)
            result = RunResult(outcome, leased.handler, plugin, time.perf_counter() - started, error)
            structlog.get_logger().info("run.finished", outcome=outcome, seconds=round(result.seconds, 4))
        self._observe(result)
        return result

    def _postpone(self, lease: Lease, plugin: str, pause: timedelta) -> RunResult:
        """Leave a failing plugin's run for later, without using up an attempt."""
        error = f"The plugin {plugin!r} keeps failing and rests; this run waits for it."
        at = self._kernel.clock() + pause
        self._wake(self._kernel.inbox.retry(lease, at, error, count_attempt=False))
        return RunResult("postponed", lease.handler, plugin, error=error)

    def _work(self, lease: Lease) -> tuple[Outcome, str]:
        context: Context | None = None
        try:
            self._kernel.overrides.refresh()
            handler = self._kernel.registry.handler(lease.handler)
            if handler is None:
                raise Permanent(
                    f"No loaded plugin has the handler {lease.handler!r}. Enable the plugin, then replay."
                )
            self._refuse_poison(lease)
            payload = self._parse(lease)
            context = Context(self._kernel, lease.event, handler, payload)
            if isinstance(payload, Tick) and self._kernel.switches.is_off(handler.plugin):
                return self._left_out(lease, handler)
            self._kernel.switches.check(handler.plugin, payload)
            self._call(handler, payload, context)
        except self._overdue:
            return self._failed(lease, context, self._interrupted(lease))
        except Exception as exc:  # noqa: BLE001  # the one place where any fault of a handler becomes an outcome
            # Within a query it comes wrapped in the database library's own error.
            cut_off = isinstance(getattr(exc, "orig", None), self._overdue)
            return self._failed(lease, context, self._interrupted(lease) if cut_off else exc)
        self._wake(self._kernel.inbox.done(lease))
        return "done", ""

    def _interrupted(self, lease: Lease) -> Transient:
        """It goes on after its recorded steps; not at once, as whom it asked may still be at it."""
        limit = self._kernel.settings.workers.soft_time_limit
        return Transient(
            f"{lease.handler} was interrupted after {limit:g} s (workers.soft_time_limit). If it happens "
            "again, look for a slow neighbour in the log, or let the handler do less in one run.",
            retry_after=_AFTER_INTERRUPTION,
        )

    def _left_out(self, lease: Lease, handler: Handler) -> tuple[Outcome, str]:
        """A tick that nobody wants any more is not made up for later."""
        self._wake(self._kernel.inbox.done(lease))
        return "skipped", f"The plugin {handler.plugin!r} is off."

    def _refuse_poison(self, lease: Lease) -> None:
        """Attempts beyond the limit mean that workers died on this run before they could say so."""
        if lease.attempt > self._kernel.settings.workers.max_attempts:
            raise Permanent(
                f"{lease.handler} took its worker down {lease.attempt - 1} times without an answer. "
                "Look for memory or time limits in the worker's log before a replay."
            )

    def _parse(self, lease: Lease) -> Payload:
        source = self._kernel.sources.get(lease.event.source)
        if source is None:
            raise Permanent(
                f"No integration reads events of {lease.event.source!r}. Install it, then replay."
            )
        return source.parse(lease.event.kind, lease.body)

    def _call(self, handler: Handler, payload: Payload, context: Context) -> None:
        plugin = self._kernel.registry.plugins[handler.plugin]
        method: Callable[[Any, Context], Any] = getattr(plugin, handler.method)
        if isinstance(payload, Click):
            self._clicks.press(payload, context, method)
            return
        if isinstance(payload, Command | Submission | Shortcut):
            what = f"run {handler.declaration.title or handler.declaration.match!r}"
            self._kernel.permissions.require(payload.user.id, handler.declaration.permission, what)
        method(payload, context)

    def _failed(self, lease: Lease, context: Context | None, exc: Exception) -> tuple[Outcome, str]:
        log = structlog.get_logger()
        if isinstance(exc, Refused) and context is not None:
            return self._refused(lease, context, exc)
        error = str(exc) if isinstance(exc, SignalboxError) else f"{type(exc).__name__}: {exc}"
        if self._may_retry(lease, exc):
            cause = exc if isinstance(exc, Transient) else Transient(error)
            at = next_attempt(cause, lease.attempt, self._kernel.clock(), self._draw)
            throttled = isinstance(exc, Throttled)
            log.warning("run.retried", error=error, at=at.isoformat(), exc_info=_unexpected(exc))
            self._wake(self._kernel.inbox.retry(lease, at, error, count_attempt=not throttled))
            return ("throttled" if throttled else "retried"), error
        log.error("run.dead", error=error, exc_info=_unexpected(exc))
        self._wake(self._kernel.inbox.dead(lease, error))
        self._apologise(lease, context, error)
        return "dead", error

    def _may_retry(self, lease: Lease, exc: Exception) -> bool:
        if isinstance(exc, Throttled):
            return True
        if isinstance(exc, SignalboxError) and not isinstance(exc, Transient):
            return False
        most = self._kernel.settings.workers.max_attempts
        return lease.attempt < (most if isinstance(exc, Transient) else min(most, BUG_ATTEMPTS))

    def _refused(self, lease: Lease, context: Context, exc: Refused) -> tuple[Outcome, str]:
        context.audit(
            f"{lease.handler} refused", lease.event.subject, after={"check": exc.check}, outcome="refused"
        )
        self._tell(context, f":no_entry: {exc}")
        self._wake(self._kernel.inbox.done(lease))
        return "refused", str(exc)

    def _apologise(self, lease: Lease, context: Context | None, error: str) -> None:
        if context is None:
            return
        self._clicks.abandon(context)
        self._tell(
            context,
            f":warning: This did not work: {error} It is kept as a dead letter; "
            f"an admin can replay it (`trace {lease.event.id}`).",
        )

    def _tell(self, context: Context, text: str) -> None:
        """Answer the person, if there is one; a chat that is down must not undo the outcome."""
        if context.reply_to is None:
            return
        try:
            context.reply(text)
        except SignalboxError as exc:
            structlog.get_logger().warning("reply.failed", error=str(exc))

    def _wake(self, waiting: list[DueRun]) -> None:
        if waiting:
            self._kernel.enqueue(waiting)


def _unexpected(exc: Exception) -> Exception | None:
    """The traceback belongs in the log only where the fault was nobody's plan."""
    return None if isinstance(exc, SignalboxError) else exc
