"""Drives a plugin as the product would, without Slack, HTTP, Redis or a clock on the wall.

    kit = Kit(AutoTag, config={"channel": "#support"})
    kit.tickets.add("OPS-12", "Charged twice")
    kit.event("ticket.created", TicketEvent(ticket=kit.tickets.get("OPS-12")))
    assert kit.tickets.labels("OPS-12") == ("billing",)

The kernel is the real one: inbox, leases, retries, steps, permissions, claims of buttons. Only the
ports and the executors are fakes, so what a test shows here holds in production too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from sqlalchemy import func, select, update

from bot.core import tables
from bot.core.audit import AuditRow
from bot.core.context import Context
from bot.core.declare import Handler, Plugin
from bot.core.events import (
    ChatMessage,
    Click,
    Command,
    Event,
    NewEvent,
    Payload,
    ReplyTo,
    Shortcut,
    Submission,
    Tick,
    User,
)
from bot.core.inbox import RunView
from bot.core.memory import Document, Documents, Record, Records
from bot.core.messages import Button, Message, MessageRef, Select
from bot.core.pages import Page
from bot.core.ports import Health
from bot.core.runner import Runner
from bot.core.schedule_source import tick_event
from bot.core.settings import Role
from bot.core.steps import StepView
from bot.testing.chat import Reply
from bot.testing.faults import Call, WorkerKilled
from bot.testing.outcome import Delivered
from bot.testing.world import World, kit_settings

CHANNEL = "C1"
_LEASE_MARGIN = timedelta(seconds=1)


class Kit:
    """Args:
    plugin: the class under test.
    config: its section of the settings, as in signalbox.toml.
    beside: other plugins to load, with their defaults.
    roles: who may do what; `grant` adds to it.
    settings: other settings by name, e.g. `data_dir`.
    database_url: any URL of an empty database; the default is one in memory.
    """

    def __init__(
        self,
        plugin: type[Plugin[Any]],
        *,
        config: Mapping[str, Any] | None = None,
        beside: Sequence[type[Plugin[Any]]] = (),
        roles: Mapping[str, Role] | None = None,
        settings: Mapping[str, Any] | None = None,
        database_url: str = "sqlite://",
    ) -> None:
        self.plugin = plugin(plugin.Config.model_validate(dict(config or {})))
        others = [other(other.Config()) for other in beside]
        self._world = World(
            [self.plugin, *others], kit_settings(dict(roles or {}), **(settings or {})), database_url
        )
        self.kernel = self._world.kernel
        self.clock = self._world.clock
        self.chat = self._world.chat
        self.tickets = self._world.tickets
        self.alerts = self._world.alerts
        self.metrics = self._world.metrics
        self.gateway = self._world.gateway
        self.executors = self._world.executors
        self._runner = Runner(self.kernel, "kit")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.kernel.close()

    # -- who may -----------------------------------------------------------------------------------

    def grant(self, user: str, *permissions: str) -> None:
        """Give a person permissions, as a role in the settings would."""
        self.kernel.settings.roles[f"kit-{user}"] = Role(members=(user,), permissions=permissions)

    # -- what comes in -----------------------------------------------------------------------------

    def event(
        self, kind: str, payload: Payload, *, subject: str = "", actor: str = "kit", serial: str = ""
    ) -> Delivered:
        """Deliver an event to every handler that asked for its kind, and work until nothing is due."""
        handlers = self.kernel.registry.handlers_for(kind)
        _require(handlers, f"No handler of {self.plugin.name!r} asked for events of kind {kind!r}.")
        return self._deliver(
            self._world.source.event(
                kind,
                payload,
                subject=subject or kind,
                actor=actor,
                serial=serial or None,
                runs=tuple((h.name, h.declaration.queue) for h in handlers),
            )
        )

    def command(self, line: str, *, user: str = "U1", channel: str = CHANNEL) -> Delivered:
        """Type a slash command: `kit.command("/signalbox ping", user="U1")`."""
        words = line.removeprefix(self.kernel.settings.slack.command).strip()
        name, _, text = words.partition(" ")
        handler = self.kernel.registry.command(name)
        if handler is None:
            near = ", ".join(self.kernel.registry.nearest(name)) or "none"
            raise AssertionError(f"No loaded plugin has the command {name!r}; similar ones: {near}.")
        payload = Command(
            name=name,
            text=text.strip(),
            user=User(id=user, name=user.lower()),
            reply_to=ReplyTo(channel=channel, user=user, replaceable=True),
            trigger_id="trigger",
        )
        return self._from_person("slack.command", f"/{name}", payload, handler, user)

    def click(self, label: str, *, user: str = "U1", message: Message | None = None) -> Delivered:
        """Press the newest button with this text; one that was just taken may still be on a screen."""
        return self._press(label, user, (), message)

    def choose(self, placeholder: str, *values: str, user: str = "U1") -> Delivered:
        """Choose from the newest menu with this placeholder."""
        return self._press(placeholder, user, values, None)

    def submit(self, values: Mapping[str, Any], *, user: str = "U1") -> Delivered:
        """Fill in and send the dialog that was opened last."""
        _require(self.chat.modals, "No dialog is open.")
        modal = self.chat.modals[-1]
        plugin, _, name = modal.view.partition(":")
        handler = self.kernel.registry.view(plugin, name)
        if handler is None:
            raise AssertionError(f"{plugin!r} opened the dialog {name!r} but has no such @view.")
        payload = Submission(
            view=name,
            private=modal.private,
            values=dict(values),
            user=User(id=user, name=user.lower()),
            reply_to=ReplyTo(channel=CHANNEL, user=user),
        )
        return self._from_person("slack.view", modal.view, payload, handler, user)

    def shortcut(self, title: str, said: MessageRef, *, user: str = "U1", by_app: bool = False) -> Delivered:
        """Choose this entry in the menu of a message that somebody said: `kit.chat.say(…)`."""
        handler = next((h for h in self.kernel.registry.shortcuts() if h.declaration.title == title), None)
        found = self.chat.said(said)
        if handler is None or found is None:
            titles = [h.declaration.title for h in self.kernel.registry.shortcuts()]
            raise AssertionError(f"No shortcut {title!r} on the message {said.ts}; there are: {titles}.")
        author = User(id=found.user, name=found.user.lower())
        payload = Shortcut(
            name=handler.declaration.match,
            message=ChatMessage(
                text=found.text, user=author, channel=said.channel, ts=said.ts, thread_ts=found.thread_ts
            ),
            by_app=by_app,
            user=User(id=user, name=user.lower()),
            reply_to=ReplyTo(channel=said.channel, user=user),
            trigger_id="trigger",
        )
        callback = f"{handler.plugin}:{handler.declaration.match}"
        return self._from_person("slack.shortcut", callback, payload, handler, user)

    def tick(self, method: str, *, due_at: datetime | None = None) -> Delivered:
        """Let a scheduled method's time come."""
        name = f"{self.plugin.name}.{method}"
        handler = self.kernel.registry.handler(name)
        if handler is None or handler.declaration.trigger != "schedule":
            raise AssertionError(f"{name!r} is not a scheduled method.")
        tick = Tick(schedule=name, due_at=due_at or self.clock(), zone=handler.declaration.zone)
        return self._deliver(tick_event(name, handler.declaration.queue, tick))

    def _press(self, label: str, user: str, selected: Sequence[str], message: Message | None) -> Delivered:
        found, ts, channel = self._find(label, message)
        plugin, _, name = found.action.partition(":")
        handler = self.kernel.registry.action(plugin, name)
        if handler is None:
            raise AssertionError(f"The button {label!r} names the action {found.action!r}, which nobody has.")
        payload = Click(
            button_id=found.id,
            action=name,
            selected=tuple(selected),
            user=User(id=user, name=user.lower()),
            reply_to=ReplyTo(channel=channel, user=user),
            message_ts=ts,
            trigger_id="trigger",
        )
        return self._from_person("slack.action", found.action, payload, handler, user)

    def _find(self, label: str, message: Message | None) -> tuple[Button | Select, str, str]:
        sent = [(shown.message, shown.ts, shown.channel) for shown in self.chat.late_screens]
        sent += [(reply.message, "", reply.channel) for reply in self.chat.replies]
        sent += [(home, "", "") for home in self.chat.homes.values()]
        wanted = [(message, "", CHANNEL)] if message else list(reversed(sent))
        for candidate, ts, channel in wanted:
            for pressable in candidate.pressables():
                if label == (pressable.text if isinstance(pressable, Button) else pressable.placeholder):
                    return pressable, ts, channel
        texts = [p.text for m, _, _ in sent for p in m.pressables() if isinstance(p, Button)]
        raise AssertionError(f"No message has a button {label!r}; there are: {texts}.")

    def _from_person(
        self, kind: str, subject: str, payload: Payload, handler: Handler, user: str
    ) -> Delivered:
        runs = ((handler.name, handler.declaration.queue),)
        return self._deliver(self._world.source.event(kind, payload, subject=subject, actor=user, runs=runs))

    def _deliver(self, new: NewEvent) -> Delivered:
        receipt = self.kernel.inbox.put(new)
        self.work()
        return Delivered(self.kernel, receipt.event_id, duplicate=receipt.duplicate)

    # -- working -----------------------------------------------------------------------------------

    def work(self) -> None:
        """Run what is due now. What failed waits for `advance` or `settle`."""
        while due := self.kernel.inbox.due():
            for run in due:
                self._run(run.run_id)

    def _run(self, run_id: str) -> None:
        try:
            self._runner.run(run_id)
        except WorkerKilled:
            # As in production: nothing is written down, the lease has to run out.
            return

    def advance(self, delta: timedelta | None = None, **spans: float) -> None:
        """Let time pass (`kit.advance(minutes=5)`) and run what has become due."""
        self.clock.advance(delta or timedelta(**spans))
        self.work()

    def settle(self, limit: timedelta = timedelta(days=1)) -> None:
        """Go from retry to retry until every run is done or a dead letter."""
        end = self.clock() + limit
        while (at := self._next_due()) is not None:
            _require(at <= end, f"Still not finished after {limit}; next attempt at {at}.")
            self.clock.set(max(at, self.clock()))
            self.work()

    def rerun(self, delivered: Delivered | None = None) -> None:
        """Handle it once more: the worker died after the work, before it could say so.

        Without an argument, everything that is done is handled again.
        """
        done = update(tables.runs).where(tables.runs.c.status == "done")
        if delivered is not None:
            done = done.where(tables.runs.c.event_id == delivered.event_id)
        with self.kernel.db.write() as tx:
            tx.execute(done.values(status="pending", attempts=0, due_at=self.clock()))
        self.work()

    def _next_due(self) -> datetime | None:
        runs = tables.runs
        pending = select(func.min(runs.c.due_at)).where(runs.c.status == "pending")
        leased = select(func.min(runs.c.lease_until)).where(runs.c.status == "leased")
        with self.kernel.db.read() as tx:
            times = [tx.execute(pending).scalar(), tx.execute(leased).scalar()]
        found = [times[0]] if times[0] else []
        found += [times[1] + _LEASE_MARGIN] if times[1] else []
        return min(found, default=None)

    # -- what came of it ---------------------------------------------------------------------------

    @property
    def steps(self) -> list[StepView]:
        """Recorded steps of everything delivered so far, oldest first."""
        names = ("name", "status", "call", "result", "error", "started_at", "finished_at")
        query = select(*(tables.steps.c[name] for name in names)).order_by(tables.steps.c.started_at)
        with self.kernel.db.read() as tx:
            return [StepView(*row) for row in tx.execute(query)]

    @property
    def replies(self) -> list[Reply]:
        return self.chat.replies

    @property
    def reply(self) -> Reply:
        """The newest answer to a person."""
        _require(self.replies, "Nobody was answered.")
        return self.replies[-1]

    @property
    def deadletters(self) -> list[RunView]:
        return self.kernel.inbox.runs(status="dead")

    @property
    def audit(self) -> list[AuditRow]:
        return self.kernel.audit.rows()

    @property
    def effects(self) -> list[Call]:
        """What was changed in the outside world, answers to people included."""
        ran = [effect for executor in self.executors.fakes for effect in executor.effects]
        return [*self.chat.effects, *self.tickets.effects, *self.alerts.effects, *ran]

    def records(self, kind: str, subject: str | None = None) -> list[Record]:
        """What the plugin noted down, oldest first."""
        found = Records(self.kernel.db, self.plugin.name, None, self.clock)
        return found.find(kind, subject=subject, limit=1000)[::-1]

    def all_records(self) -> int:
        """How many facts the plugin noted down in all."""
        count = select(func.count()).where(tables.records.c.plugin == self.plugin.name)
        with self.kernel.db.read() as tx:
            return tx.execute(count).scalar_one()

    def document(self, key: str) -> Document | None:
        return Documents(self.kernel.db, self.plugin.name, self.clock).get(key)

    def health(self) -> Health:
        """Ask the plugin how it is, as `/signalbox status` does."""
        return self.plugin.health(self._context("kit.health"))

    def page(self) -> Page:
        """The plugin's page in the console."""
        return self.plugin.page(self._context("kit.page"))

    def _context(self, kind: str) -> Context:
        handler = next(self.plugin.handlers(), None)
        if handler is None:
            raise AssertionError(f"{self.plugin.name!r} declares no handler.")
        now = Event("kit", "kit", kind, self.plugin.name, self.clock())
        return Context(self.kernel, now, handler, Payload())


def _require(condition: object, message: str) -> None:
    if not condition:
        raise AssertionError(message)
