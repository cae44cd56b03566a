"""Where proposals and runs are kept, and where the guardrails are enforced: one transaction for both.

A record "mitigation" per transition (its subject is the alert group) tells the history; an audit row goes
with each. A record "mitigation.attempt" counts for the limits from the moment before anything is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.core.context import Together
from bot.core.masking import MASK, names_a_secret
from bot.core.memory import Records
from bot.plugin import Change, Context, Refused, Transient
from plugins.alert_relay.mitigation import guardrails, switch, switch_changes
from plugins.alert_relay.mitigation.declarations import Rules
from plugins.alert_relay.mitigation.guardrails import Attempt, Case, Facts, OpenRun
from plugins.alert_relay.mitigation.runs import Proposal, Run, Status

LOCK = "mitigations"
OPEN, AUTO_ON = "mitigations-open", "mitigations-auto"
RECORD, ATTEMPT = "mitigation", "mitigation.attempt"
_MOST = 2000
_LOOKED_THROUGH = 100


class Ledger:
    def __init__(self, ctx: Context, rules: Rules) -> None:
        self._ctx = ctx
        self._rules = rules

    # -- reading -----------------------------------------------------------------------------------

    def proposal(self, run_id: str) -> Proposal:
        found = self._ctx.documents.get(f"mitigation-proposal:{run_id}")
        if found is None:
            raise Refused("This dialog is not known here any more; nothing was run.", check="confirm")
        return Proposal.model_validate(found.data)

    def keep(self, proposal: Proposal) -> None:
        """Keep what is asked; asked anew under the same id, the newest counts."""
        self._ctx.documents.put(f"mitigation-proposal:{proposal.id}", proposal.model_dump(mode="json"))

    def run(self, run_id: str) -> Run:
        found = self._ctx.documents.get(document_of(run_id))
        if found is None:
            raise Refused("This run is not known here any more; nothing was done.", check="known")
        return Run.model_validate(found.data)

    def has_run(self, run_id: str) -> bool:
        return self._ctx.documents.get(document_of(run_id)) is not None

    def newest_run(self, group: str, episode: int, mitigation: str) -> Run | None:
        """What was done last about a group with one mitigation, in one episode."""
        for record in self._ctx.records.find(RECORD, subject=group, limit=_LOOKED_THROUGH):
            if record.data["mitigation"] == mitigation and record.data["episode"] == episode:
                found = self._ctx.documents.get(document_of(record.data["run"]))
                return Run.model_validate(found.data) if found else None
        return None

    def attempts_in_hour(self) -> int:
        return self._ctx.records.count(ATTEMPT, since=self._ctx.now() - guardrails.HOUR)

    def open_runs(self) -> list[Run]:
        found = self._ctx.documents.get(OPEN)
        return [self.run(run_id) for run_id in (found.data["runs"] if found else {})]

    def auto_on(self) -> dict[str, bool]:
        found = self._ctx.documents.get(AUTO_ON)
        return dict(found.data["on"]) if found else {}

    # -- one transaction: facts, guardrails, claim ----------------------------------------------------

    def check(self, case: Case, facts: Facts) -> None:
        """Ask the guardrails without a claim."""
        with self._ctx.exclusive(LOCK) as tx:
            guardrails.enforce(case, self._facts(tx, case, facts))

    def claim(self, case: Case, facts: Facts, run: Run) -> Run:
        """Make the run, unless a guardrail says no; the same event finds the run that it made before."""
        with self._ctx.exclusive(LOCK) as tx:
            known = tx.documents.get(document_of(run.id))
            if known is not None and known.data.get("claimed_by") == self._ctx.event.id:
                return Run.model_validate(known.data)
            guardrails.enforce(case, self._facts(tx, case, facts))
            return self._store(tx, run)

    def start(self, case: Case, facts: Facts, run: Run, moved: Run) -> Run:
        """The last check before anything is done; the attempt counts from here."""
        with self._ctx.exclusive(LOCK) as tx:
            guardrails.enforce(case, self._facts(tx, case, facts))
            tx.records.append(ATTEMPT, run.proposal.mitigation, _attempt(run))
            return self._store(tx, moved, known=run)

    def move(self, run: Run, moved: Run) -> Run:
        """One or no transition, by compare-and-set; whoever comes second is told by Transient."""
        with self._ctx.exclusive(LOCK) as tx:
            return self._store(tx, moved, known=run)

    def _store(self, tx: Together, changed: Run, *, known: Run | None = None) -> Run:
        moved = changed.model_copy(update={"revision": changed.revision + 1})
        found = tx.documents.get(document_of(moved.id))
        if known is not None and (found is None or found.data["revision"] != known.revision):
            raise Transient(f"The run {moved.id[:8]} was changed by somebody else; it is looked at again.")
        claimed = found.data["claimed_by"] if found else self._ctx.event.id
        data = {**moved.model_dump(mode="json"), "claimed_by": claimed}
        if not tx.documents.put(document_of(moved.id), data, version=found.version if found else 0):
            raise Transient(f"The run {moved.id[:8]} was changed by somebody else; it is looked at again.")
        self._index(tx, moved)
        for step in moved.transitions[len(known.transitions) if known else 0 :]:
            fact = _fact(moved, step.to, step.by, step.text)
            tx.records.append(RECORD, moved.proposal.group, fact)
            tx.audit(
                f"mitigation.{step.to}",
                f"{moved.proposal.mitigation}: {', '.join(moved.proposal.targets)}",
                before={"status": _before(moved, step.seq), "baseline": moved.baseline.goal},
                after={**fact, **_evidence(moved)},
                outcome=_OUTCOMES.get(step.to, "done"),
            )
        return moved

    def _index(self, tx: Together, run: Run) -> None:
        found = tx.documents.get(OPEN)
        runs: dict[str, Any] = dict(found.data["runs"]) if found else {}
        if run.is_open:
            runs[run.id] = {
                "mitigation": run.proposal.mitigation,
                "service": run.proposal.service,
                "targets": list(run.proposal.targets),
                "by": run.proposal.by,
            }
        else:
            runs.pop(run.id, None)
        tx.documents.put(OPEN, {"runs": runs})

    def _facts(self, tx: Together, case: Case, facts: Facts) -> Facts:
        """The facts that others may be changing, read where nobody can change them."""
        longest = max(
            (max(m.limits.cooldown, m.auto.within if m.auto else 0) for m in self._rules.mitigations),
            default=0,
        )
        since = facts.now - max(timedelta(seconds=longest), guardrails.HOUR)
        opened = tx.documents.get(OPEN)
        found = tx.documents.get(AUTO_ON)
        policy = self._rules.policy
        return replace(
            facts,
            switch=switch.read(tx.documents, self._ctx.data_dir, observe_only=policy.observe_only),
            open_runs=tuple(
                _open_run(i, data) for i, data in (opened.data["runs"] if opened else {}).items()
            ),
            attempts=_attempts(tx.records, ATTEMPT, since),
            failures=tuple(a for a in _attempts(tx.records, RECORD, since, status="failed")),
            auto_on=dict(found.data["on"]) if found else {},
            known_run=tx.documents.get(document_of(case.proposal.id)) is not None,
        )

    # -- switches ----------------------------------------------------------------------------------

    def set_auto(self, name: str, on: bool) -> None:  # noqa: FBT001  # the value that is set
        """Refused where the operator allows no mitigation in advance: then none may run by itself either."""
        proposed = switch_changes.auto(name, on=on, ctx=self._ctx)
        with self._ctx.changes.carrying_out(proposed.id), self._ctx.exclusive(LOCK) as tx:
            found = tx.documents.get(AUTO_ON)
            now = {**(found.data["on"] if found else {}), name: on}
            tx.documents.put(AUTO_ON, {"on": now})
            tx.audit("mitigation.auto", name, before=found.data["on"] if found else {}, after=now)

    def set_switch(self, mode: switch.Mode, by: str, reason: str) -> Change:
        """An emergency change, at once; returned as it ended."""
        proposed = switch_changes.switch(mode, reason, self._ctx)
        with self._ctx.changes.carrying_out(proposed.id), self._ctx.exclusive(LOCK) as tx:
            found = tx.documents.get(switch.KEY)
            said = switch.word(mode, by, reason, self._ctx.now())
            tx.documents.put(switch.KEY, said)
            tx.audit("mitigation.switch", mode, before=found.data if found else None, after=said)
        return self._ctx.changes.get(proposed.id)

    def note_refusal(self, case: Case, refused: Refused) -> None:
        proposal = case.proposal
        self._ctx.audit(
            "mitigation.refused",
            f"{proposal.mitigation}: {', '.join(proposal.targets)}",
            after={
                "check": refused.check,
                "words": str(refused),
                "stage": case.stage,
                "asked_by": proposal.by,
                "actor": case.actor,
                "group": proposal.group,
                "policy": proposal.version,
                "parameters_hash": proposal.parameters_hash,
            },
            outcome="refused",
        )


_OUTCOMES: Mapping[Status, str] = {
    "refused": "refused",
    "rejected": "refused",
    "expired": "refused",
    "failed": "failed",
    "unknown": "failed",
    "escalated": "failed",
}


def masked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as they may be kept and shown."""
    return {
        name: MASK if names_a_secret(name) else masked(value) if isinstance(value, Mapping) else value
        for name, value in parameters.items()
    }


def document_of(run_id: str) -> str:
    return f"mitigation-run:{run_id}"


def _before(run: Run, seq: int) -> str | None:
    return run.transitions[seq - 2].to if seq > 1 else None


def _attempt(run: Run) -> dict[str, Any]:
    proposal = run.proposal
    return {
        "run": run.id,
        "mitigation": proposal.mitigation,
        "service": proposal.service,
        "targets": list(proposal.targets),
        "auto": run.is_auto,
    }


def _fact(run: Run, to: Status, by: str, text: str) -> dict[str, Any]:
    proposal = run.proposal
    return {
        **_attempt(run),
        "status": to,
        "by": by,
        "text": text,
        "title": proposal.title,
        "episode": proposal.episode,
        "environment": proposal.environment,
        "requested_by": proposal.by,
        "approved_by": list(run.approved_by),
        "verdict": run.verdict,
        "harmed": run.harmed,
    }


def _evidence(run: Run) -> dict[str, Any]:
    proposal = run.proposal
    return {
        "policy": proposal.version,
        "binding": run.binding,
        "parameters_hash": proposal.parameters_hash,
        "parameters": [masked(part.parameters) for part in proposal.parts],
        "dry_run": [part.plan.effect for part in proposal.parts],
        "results": [part.detail for part in proposal.parts if part.progress],
        "undone": [part.undo_detail for part in proposal.parts if part.undo],
        "metric": run.latest.goal,
        "harm": run.latest.harm,
    }


def _open_run(run_id: str, data: Mapping[str, Any]) -> OpenRun:
    return OpenRun(run_id, data["mitigation"], data["service"], tuple(data["targets"]), data.get("by", ""))


def _attempts(records: Records, kind: str, since: Any, status: str = "") -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            mitigation=r.data["mitigation"],
            service=r.data["service"],
            targets=tuple(r.data["targets"]),
            at=r.at,
            auto=bool(r.data["auto"]),
            run=r.data["run"],
        )
        for r in records.find(kind, since=since, limit=_MOST)
        if not status or r.data.get("status") == status
    )
