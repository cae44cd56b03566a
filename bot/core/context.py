"""What a handler is given besides its payload."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from bot.core import home
from bot.core.audit import Audit, AuditOutcome
from bot.core.backup_state import BackupState
from bot.core.declare import BY_PEOPLE, Handler
from bot.core.errands import errand_event
from bot.core.errors import Permanent, SignalboxError
from bot.core.events import DedupeKey, Event, Payload, ReplyTo, User
from bot.core.executors import Executor
from bot.core.inbox import DueRun
from bot.core.memory import Documents, Records
from bot.core.messages import Block, Markup, Message, Modal, Section, Text
from bot.core.ports import Alerts, Chat, Gateway, Metrics, Tickets
from bot.core.service_desk import Changes, ServiceRecords
from bot.core.service_ledger import Circumstances
from bot.core.service_models import RecordActor
from bot.core.trace import Trace

if TYPE_CHECKING:
    from bot.core.kernel import Kernel

T = TypeVar("T")
COMMAND_LINE = "cli"
"""Source of the event that a command of `signalbox` makes up: whoever typed it is its actor."""


@dataclass(frozen=True)
class Together:
    """What is read and written here stands in one transaction: all of it counts, or nothing."""

    documents: Documents
    records: Records
    audit: Callable[..., None]
    """As `Context.audit`."""


class Context:
    """The kernel as one handler run sees it. Side effects go through `step`."""

    def __init__(self, kernel: Kernel, event: Event, handler: Handler, payload: Payload) -> None:
        self._kernel = kernel
        self._replies = 0
        self.event = event
        self.handler = handler
        self.payload = payload
        self.reply_to: ReplyTo | None = getattr(payload, "reply_to", None)
        self.registry = kernel.registry
        self.inbox = kernel.inbox
        self.pauses = kernel.pauses
        self.switches = kernel.switches
        self.overrides = kernel.overrides
        self.permissions = kernel.permissions
        self.settings = kernel.settings
        self.records = Records(kernel.db, handler.plugin, event.id, kernel.clock)
        self.documents = Documents(kernel.db, handler.plugin, kernel.clock)
        self.log: structlog.stdlib.BoundLogger = structlog.get_logger().bind(
            event_id=event.id, plugin=handler.plugin, handler=handler.name
        )

    def in_place_of(self, plugin: str) -> Context:
        """The same event as another plugin sees it: with its documents and records. It is only to read."""
        handler = next(self.registry.plugins[plugin].handlers())
        return Context(self._kernel, self.event, handler, self.payload)

    @property
    def chat(self) -> Chat:
        return self._kernel.chat

    @property
    def tickets(self) -> Tickets:
        return self._kernel.tickets

    @property
    def alerts(self) -> Alerts:
        return self._kernel.alerts

    @property
    def metrics(self) -> Metrics:
        return self._kernel.metrics

    @property
    def gateway(self) -> Gateway:
        return self._kernel.gateway

    @property
    def executors(self) -> Mapping[str, Executor]:
        return self._kernel.executors

    @property
    def data_dir(self) -> Path:
        return self._kernel.settings.data_dir

    @property
    def changes(self) -> Changes:
        """Changes to the service, in the words of ITIL 4; not to be used within `exclusive`."""
        templates = self.settings.records.templates
        return Changes(self._kernel.ledger, self._circumstances(), templates, self._kernel.clock)

    @property
    def service_records(self) -> ServiceRecords:
        """Events, incidents and service requests; not to be used within `exclusive`."""
        return ServiceRecords(self._kernel.ledger, self._circumstances(), self._kernel.clock)

    @property
    def backups(self) -> BackupState:
        return self._kernel.backups

    def _circumstances(self) -> Circumstances:
        asked = self._asked()
        if asked:
            actor = RecordActor.of(asked)
        elif self.handler.declaration.trigger == "schedule":
            actor = RecordActor(type="scheduler", id=f"plugin:{self.handler.plugin}", via="cron")
        else:
            actor = RecordActor(type="service", id=f"plugin:{self.handler.plugin}", via="api")
        return Circumstances(self.handler.plugin, actor, self.event.id)

    def _asked(self) -> str:
        """The person whose command, click, form or shortcut this run handles; empty when it is nobody's."""
        asked = self.handler.declaration.trigger in BY_PEOPLE or self.event.source == COMMAND_LINE
        return self.event.actor if asked else ""

    def now(self) -> datetime:
        return self._kernel.clock()

    def step(self, name: str, call: Callable[..., T], /, **kwargs: Any) -> T:
        """Make a port's call once for this event: a retry gets the recorded result instead.

        Buttons in a message are registered first. A message that lives under a `key` lends it to its
        buttons as their group, so that a claim outlasts updates.
        """
        base = str(kwargs.get("key") or f"{self.event.id}/{name}")
        arguments = {key: self._named(value, base) for key, value in kwargs.items()}
        try:
            result = self._kernel.steps.run(self.event.id, f"{self.handler.name}/{name}", call, arguments)
        except SignalboxError as exc:
            self.log.warning("step.failed", step=name, error=str(exc))
            raise
        self.log.info("step.done", step=name)
        return result

    def _named(self, value: Any, base: str) -> Any:
        """Buttons and forms as they travel: under this plugin's name, buttons with their ids."""
        if isinstance(value, Message):
            return self._kernel.buttons.register(value, self.handler.plugin, base)
        if isinstance(value, Modal):
            return value.model_copy(update={"view": f"{self.handler.plugin}:{value.view}"})
        return value

    def reply(self, answer: Message | Text, *, public: bool = False) -> None:
        """Answer the person whose command, click, form or shortcut this run handles."""
        if self.reply_to is None:
            raise Permanent(
                f"{self.handler.name} replied, but a {self.event.kind} event has nobody to answer."
            )
        self._replies += 1
        name = "reply" if self._replies == 1 else f"reply-{self._replies}"
        self.step(name, self.chat.reply, to=self.reply_to, message=as_message(answer), public=public)

    def show_home(self, user: User) -> None:
        """Show somebody's Home tab as it stands now, e.g. after they pressed something on it."""
        names = [name for name in self.registry.plugins if not self.switches.is_off(name)]
        tab = home.tab(self.settings.slack.command, [self._on_home(name, user) for name in names])
        self.step("home", self.chat.publish_home, user=user.id, message=tab)

    def _on_home(self, plugin: str, user: User) -> Sequence[Block]:
        """A plugin's part of the tab; one that fails is named there, and the others stand."""
        try:
            part = home.part(plugin, self.registry.plugins[plugin].home(user, self.in_place_of(plugin)))
            return self._kernel.buttons.register(part, plugin, f"home:{user.id}:{plugin}").blocks
        except Exception:  # a plugin's bug must not take the others' parts away
            self.log.exception("plugin.home_failed", failed=plugin)
            return home.failed(plugin)

    def audit(
        self,
        action: str,
        subject: str,
        *,
        before: Any = None,
        after: Any = None,
        outcome: AuditOutcome = "done",
    ) -> None:
        """Record who changed what: the person who asked for it, else the plugin of its own accord."""
        self._audit(self._kernel.audit, action, subject, before=before, after=after, outcome=outcome)

    def _audit(self, trail: Audit, action: str, subject: str, **what: Any) -> None:
        actor = self._asked() or f"plugin:{self.handler.plugin}"
        trail.record(actor, action, subject, event_id=self.event.id, **what)

    @contextmanager
    def exclusive(self, name: str, *, durable: bool = True) -> Iterator[Together]:
        """One transaction that no other process of any node has under this name at the same time.

        For rules over several documents and records, such as limits. Nothing else may be asked of the
        database inside of it, and nothing slow be done. `durable` is as in `Database.write`.
        """
        plugin, clock = self.handler.plugin, self._kernel.clock
        with self._kernel.db.exclusive(f"{plugin}:{name}", durable=durable) as tx:
            trail = Audit(tx, clock)
            yield Together(
                Documents(tx, plugin, clock),
                Records(tx, plugin, self.event.id, clock),
                lambda action, subject, **what: self._audit(trail, action, subject, **what),
            )

    def emit(
        self,
        kind: str,
        data: dict[str, Any],
        *,
        subject: str,
        serial: str | None = None,
        once: str = "",
        within: float = 25 * 3600.0,
    ) -> None:
        """Leave work for the handlers of `kind`; it gets a queue, attempts and a dead letter of its own.

        Errands with the same `serial` never overlap. A second one with the same `once` within `within`
        seconds is dropped; without it, this event leaves one errand of a kind and subject.
        """
        key = f"errand:{kind}:{once or f'{self.event.id}/{subject}'}"[:255]
        new = errand_event(
            self.registry, kind, data, subject=subject, serial=serial, once=DedupeKey(key, within)
        )
        if not self.inbox.put(new).duplicate:
            self._kernel.enqueue([DueRun(run_id, queue) for run_id, (_, queue) in new.run_ids()])

    def ticket_at(self, address: str) -> str | None:
        """The key of the ticket that an address shows; None unless it is a page of the helpdesk set up."""
        pages = self._kernel.ticket_pages
        return pages.key_at(address) if pages else None

    def trace(self, event_id: str) -> Trace:
        """From delivery to effects."""
        return self._kernel.trace(event_id)

    def replay(self, run_id: str) -> None:
        """Give a dead letter a new set of attempts."""
        self._kernel.enqueue([self.inbox.replay(run_id)])


def as_message(answer: Message | Text) -> Message:
    if isinstance(answer, Message):
        return answer
    fallback = answer.mrkdwn if isinstance(answer, Markup) else answer
    return Message(text=fallback, blocks=(Section(text=answer),))
