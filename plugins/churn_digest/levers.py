"""What people do about an account: take it, put it off, file a task, say how it ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bot.plugin import Context, Input, Message, Modal, Refused, Section, User, md, mention
from ml.churn import shelf
from ml.churn.runs import Run, Scored
from plugins.churn_digest import memory, messages, outcomes, policy, scored, words
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.desk import Desk
from plugins.churn_digest.state import Case, Outcome, OutcomeKind, Snooze, TicketLink


class Levers:
    def __init__(self, config: ChurnDigestConfig, ctx: Context, user: User) -> None:
        self._config = config
        self._ctx = ctx
        self._user = user
        self._desk = Desk(config, ctx)

    def case(self, customer_id: str) -> Case:
        """The customer's case; one that a person looked up is opened from the newest scores."""
        known = memory.case(self._ctx, customer_id)
        if known is None:
            score, run = self.score(customer_id)
            known = memory.open_case(self._ctx, policy.opened(score, run, self._ctx.now()))
        if known.control:
            raise Refused(
                f"{words.short(known.name)} is held out, so that it can be told whether acting helps; "
                "nothing was done. Set control_share to 0 to end that.",
                check="control-group",
            )
        return known

    def score(self, customer_id: str) -> tuple[Scored, Run]:
        run = scored.needed(self._ctx)
        found = scored.of_customer(run, customer_id)
        if found is None:
            raise Refused(
                f"No customer {words.short(customer_id)!r} is in the newest scores ({run.run_id}). "
                "Say the customer's id or the beginning of the name.",
                check="known",
            )
        return found, run

    # -- people ------------------------------------------------------------------------------------

    def assign(self, customer_id: str, assignee: str) -> None:
        before = self.case(customer_id)
        self._change(customer_id, lambda case: case.model_copy(update={"assignee": assignee}))
        self._note("assign", before, {"to": assignee})
        part = self._desk.part_of(before)
        if assignee != self._user.id and part is not None and part.ref is not None:
            text = md(
                "{} {} asks you to look after *{}*.", mention(assignee), mention(self._user.id), before.name
            )
            message = Message(text=f"Please look after {before.name}.", blocks=(Section(text=text),))
            self._ctx.step(
                "ask", self._ctx.chat.post, channel=part.ref.channel, message=message, thread=part.ref
            )

    def ask_whom(self, customer_id: str, trigger_id: str, channel: str) -> None:
        case = self.case(customer_id)
        modal = Modal(
            view="assign",
            title="Assign",
            submit="Ask them",
            blocks=(Section(text=words.short(case.name)),),
            inputs=(Input(id="user", label="Who looks after this customer?", people=True),),
            private={"customer": customer_id, "channel": channel},
        )
        self._ctx.step("form", self._ctx.chat.open_modal, trigger_id=trigger_id, modal=modal)

    def snooze(self, customer_id: str, weeks: int) -> None:
        before = self.case(customer_id)
        snooze = Snooze(until=self._ctx.event.received_at + timedelta(weeks=weeks), by=self._user.id)
        self._change(customer_id, lambda case: case.model_copy(update={"snooze": snooze}))
        self._note("snooze", before, {"weeks": weeks})

    # -- tasks -------------------------------------------------------------------------------------

    def ticket(self, customer_id: str) -> str:
        """File a task, once, and link it to the digest; returns its key."""
        case = self.case(customer_id)
        if case.ticket is not None and not self._is_ours("ticket", customer_id):
            return f"{case.ticket.key} was there already"
        made = self._ctx.step(
            "ticket",
            self._ctx.tickets.create,
            project=self._config.ticket_project,
            summary=f"Churn risk: {words.short(case.name)}",
            description=self._description(case),
            labels=("churn",),
        )
        self._note("ticket", case, {"ticket": made.key})
        link = TicketLink(key=made.key, url=made.url)
        self._change(customer_id, lambda known: known.model_copy(update={"ticket": link}))
        self._link(case, made.key)
        return str(made.key)

    def _link(self, case: Case, key: str) -> None:
        part = self._desk.part_of(case)
        if part is not None and part.ref is not None:
            url = self._ctx.chat.permalink(part.ref)
            title = f"Churn digest {case.week}"
            self._ctx.step("link", self._ctx.tickets.link, key=key, url=url, title=title)

    def _description(self, case: Case) -> str:
        part = self._desk.part_of(case)
        row = next((r for r in part.rows if r.customer_id == case.customer_id), None) if part else None
        facts = messages.facts(row, part) if row and part else ()
        who = self._user.name or self._user.id
        asked = f"Asked for by {who}. Customer {case.customer_id}, run {case.run_id}."
        return "\n".join([*facts, "", asked])

    # -- outcomes ----------------------------------------------------------------------------------

    def record(self, customer_id: str, kind: OutcomeKind) -> None:
        """An outcome is a fact and a label; a later one corrects it."""
        case = self.case(customer_id)
        now = self._ctx.event.received_at
        outcome = Outcome(kind=kind, by=self._user.id, at=now)
        self._change(customer_id, lambda known: known.model_copy(update={"outcome": outcome}))
        label = {
            "customer_id": customer_id,
            "outcome": kind,
            "recorded_at": now.isoformat(),
            "by": self._user.id,
            "run_id": case.run_id,
            "treated": case.is_treated,
        }
        self._note(outcomes.KIND, case, label)
        outcomes.export(self._ctx)

    # -- looking -----------------------------------------------------------------------------------

    def more(self, customer_id: str) -> None:
        """All reasons, and where the score comes from: data, model and run."""
        score, run = self.score(customer_id)
        promotion = shelf.read(scored.folder(self._ctx)).promotion(run.model_digest)
        self._ctx.reply(messages.more(score, run, memory.case(self._ctx, customer_id), promotion))

    # -- keeping -----------------------------------------------------------------------------------

    def _change(self, customer_id: str, apply: Callable[[Case], Case]) -> None:
        memory.change_case(self._ctx, customer_id, lambda case: apply(case) if case else None)
        self._desk.show(customer_id)

    def _is_ours(self, kind: str, subject: str) -> bool:
        newest = self._ctx.records.find(kind, subject=subject, limit=20)
        return any(record.event_id == self._ctx.event.id for record in newest)

    def _note(self, kind: str, case: Case, data: dict[str, Any]) -> None:
        """Record and audit once, however often this is tried."""
        memory.note_once(self._ctx, kind, case.customer_id, {"by": self._user.id, **data})
        self._ctx.audit(f"churn.{kind}", case.customer_id, after=data)
