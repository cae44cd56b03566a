"""One run's work on digests: choose, keep, show; a retry or a second run of the job adds nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from bot.plugin import Context, MessageRef
from ml.churn.runs import Run
from plugins.churn_digest import delivery, layout, memory, messages, outcomes, policy, results, scored, trend
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.layout import Page
from plugins.churn_digest.state import Case, Digest, Part, Row


class Desk:
    def __init__(self, config: ChurnDigestConfig, ctx: Context) -> None:
        self._config = config
        self._ctx = ctx

    # -- the digest --------------------------------------------------------------------------------

    def post(self, at: datetime) -> Part | None:
        """Post what is new in this ISO week; None when there is no run, or nothing that was not shown."""
        run = scored.latest(self._ctx)
        if run is None:
            self._ctx.log.info("churn.no_run", next_step=scored.NEXT_STEP)
            return None
        week = policy.week_of(at.astimezone(ZoneInfo(self._config.zone)).date())
        part = self._part(week, run)
        if part is not None:
            self._mark(week, part)
            self._publish(week, part)
        return part

    def _part(self, week: str, run: Run) -> Part | None:
        """This event's part of the week's digest, made once."""
        digest = memory.digest(self._ctx, week)
        if all(run.run_id != part.run_id for part in digest.parts):
            digest = self._add(digest, run)
        return next((part for part in digest.parts if part.event_id == self._ctx.event.id), None)

    def _add(self, digest: Digest, run: Run) -> Digest:
        cases = self._settle(run)
        now = self._ctx.now()
        found = policy.select(run, scored.scores(run), cases, digest, self._config, now)
        for score in found.held_out:
            memory.open_case(self._ctx, policy.held_out(score, run, now))
        if digest.parts and not found.rows:
            return digest
        made = Part(
            number=len(digest.parts) + 1,
            event_id=self._ctx.event.id,
            run_id=run.run_id,
            as_of=run.as_of,
            threshold=run.threshold,
            model_version=str(run.model_version),
            currency=run.currency,
            channel=self._config.channel,
            posted_at=now,
            rows=self._dated(found.rows, run),
            places=delivery.places(layout.owners(found.rows), self._config, self._ctx),
            left_out=found.left_out,
            at_risk=found.at_risk,
            value_at_risk=found.value_at_risk,
            results=results.sentences(cases.values()),
        )
        self._keep_total(run, made)
        return memory.change_digest(self._ctx, digest.week, lambda known: _with_part(known, made))

    def _dated(self, rows: Sequence[Row], run: Run) -> tuple[Row, ...]:
        """Whoever is new to the digest may have been at risk for longer."""
        new = [row.customer_id for row in rows if row.change == "new"]
        since = scored.at_risk_since(self._ctx, run, new)
        return tuple(row.model_copy(update={"since": since.get(row.customer_id, row.since)}) for row in rows)

    def _settle(self, run: Run) -> dict[str, Case]:
        """All cases, with what the data says by now about those whose time has come."""
        known = memory.cases(self._ctx)
        due = {c for c, case in known.items() if policy.is_due(case, run, self._config.outcome_days)}
        if not due:
            return known
        present = due & {score.customer_id for score in scored.scores(run)}
        for customer in due:
            tell = partial(policy.observed, left=customer not in present)
            known[customer] = memory.change_case(self._ctx, customer, tell) or known[customer]
        return known

    def _mark(self, week: str, part: Part) -> None:
        for row in part.rows:
            see = partial(policy.shown, row=row, part=part, week=week, config=self._config)
            case = memory.change_case(self._ctx, row.customer_id, see)
            data = {"run_id": part.run_id, "week": week, "change": row.change, "probability": row.probability}
            memory.note_once(
                self._ctx, "shown", row.customer_id, data | {"episode": case.episode if case else 1}
            )

    def _publish(self, week: str, part: Part) -> None:
        first, *others = layout.pages(week, part)
        ref = self._show(week, part, first)
        self._keep_ref(week, part, ref)
        for page in others:
            self._show(week, part, page, ref)
        self._tell_owners(part, ref)
        if part.number == 1:
            self._picture(part, ref)
        outcomes.export(self._ctx)

    def _keep_ref(self, week: str, part: Part, ref: MessageRef) -> None:
        def apply(known: Digest) -> Digest:
            parts = tuple(
                p.model_copy(update={"ref": ref}) if p.number == part.number else p for p in known.parts
            )
            return known.model_copy(update={"parts": parts})

        memory.change_digest(self._ctx, week, apply)

    def _tell_owners(self, part: Part, ref: MessageRef) -> None:
        """Those who get their accounts in the thread."""
        for owner in (owner for owner, place in part.places.items() if place == delivery.THREAD):
            rows = [row for row in part.rows if row.owner == owner]
            message = messages.owner_list(owner, rows, part, self._config)
            name = f"owner-{hashlib.sha256(owner.encode()).hexdigest()[:12]}"
            self._ctx.step(name, self._ctx.chat.post, channel=ref.channel, message=message, thread=ref)

    def _picture(self, part: Part, ref: MessageRef) -> None:
        totals = [trend.Total.model_validate(d.data) for d in self._ctx.documents.having("run:")]
        self._ctx.step(
            "trend",
            self._ctx.chat.upload,
            channel=ref.channel,
            filename=f"churn-{part.as_of}.png",
            content=trend.picture(totals),
            title="Value at risk and customers at risk, run by run",
            thread=ref,
        )

    def _keep_total(self, run: Run, part: Part) -> None:
        self._keep(run, part.at_risk, part.value_at_risk)
        for earlier in scored.earlier(self._ctx, run, trend.SHOWN - 1):
            if self._ctx.documents.get(f"run:{earlier.run_id}") is None:
                risky = [
                    s.value_at_risk for s in scored.scores(earlier) if s.probability >= earlier.threshold
                ]
                self._keep(earlier, len(risky), sum(risky))

    def _keep(self, run: Run, at_risk: int, value: float) -> None:
        total = trend.Total(
            run_id=run.run_id, as_of=run.as_of, at_risk=at_risk, value_at_risk=value, currency=run.currency
        )
        self._ctx.documents.put(f"run:{run.run_id}", total.model_dump(mode="json"), version=0)

    # -- showing -----------------------------------------------------------------------------------

    def show(self, customer_id: str) -> None:
        """Bring the newest messages that hold this account up to date."""
        case = memory.case(self._ctx, customer_id)
        part = self.part_of(case) if case else None
        if case is None or part is None:
            return
        for page in layout.pages(case.week, part):
            if any(row.customer_id == customer_id for row in page.rows):
                self._show(case.week, part, page, part.ref)

    def part_of(self, case: Case) -> Part | None:
        """The part of a digest that showed the customer last."""
        parts = memory.digest(self._ctx, case.week).parts if case.week else ()
        return next((part for part in parts if part.number == case.part), None)

    def _show(self, week: str, part: Part, page: Page, under: MessageRef | None = None) -> MessageRef:
        """Show until what is shown is what is kept: whoever shows last, shows the newest."""
        customers = [row.customer_id for row in page.rows]
        shown: tuple[str, MessageRef] | None = None
        while True:
            cases = memory.cases_of(self._ctx, customers)
            message = page.render(part, week, cases, self._config, self._ctx.settings.slack.command)
            digest = hashlib.sha256(message.model_dump_json().encode()).hexdigest()[:16]
            if shown is not None and shown[0] == digest:
                return shown[1]
            ref = self._ctx.step(
                f"show-{page.key}-{digest}",
                self._ctx.chat.upsert,
                channel=page.channel,
                key=page.key,
                message=message,
                thread=under if page.in_thread else None,
            )
            shown = (digest, ref)

    # -- what nobody takes -------------------------------------------------------------------------

    def escalate(self) -> None:
        digest = memory.newest_digest(self._ctx)
        for part in digest.parts if digest else ():
            self._call_for(part)

    def _call_for(self, part: Part) -> None:
        """Claim the accounts that nobody took, then say so once: of two clocks, one claims."""
        now, event_id, after = self._ctx.now(), self._ctx.event.id, self._config.escalate_after
        if after is None or part.ref is None or now < part.posted_at + after:
            return

        def claim(case: Case | None) -> Case | None:
            late = case is not None and policy.is_unclaimed(case, now, after)
            return case.model_copy(update={"escalated": event_id}) if case and late else case

        kept = {row.customer_id: memory.change_case(self._ctx, row.customer_id, claim) for row in part.rows}
        ours = {customer for customer, case in kept.items() if case and case.escalated == event_id}
        rows = [row for row in part.rows if row.customer_id in ours]
        if rows:
            message = messages.unclaimed(rows, part, self._config)
            name = f"escalate-{part.run_id}"
            self._ctx.step(
                name, self._ctx.chat.post, channel=part.ref.channel, message=message, thread=part.ref
            )
            memory.note_once(self._ctx, "escalated", part.run_id, {"customers": sorted(ours)})


def _with_part(known: Digest, made: Part) -> Digest:
    """Whoever adds a run's part first wins."""
    if any(part.run_id == made.run_id or part.number == made.number for part in known.parts):
        return known
    return known.model_copy(update={"parts": (*known.parts, made)})
