"""Which model serves: offers challengers, lets them serve, goes back. Each is a change record, once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bot.plugin import Change, Context, Message, Refused, User
from ml.churn import shadow, shelf
from ml.churn.errors import ModelTamperedError, ModelUnavailableError
from ml.churn.shelf import Model, Shelf
from plugins.churn_digest import candidates, memory, model_changes, model_messages, scored
from plugins.churn_digest.candidates import Offer
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.model_changes import TEMPLATE
from plugins.churn_digest.state import Candidate

POLICY = "policy"
_TAKEN_UP = 20


class Promotion:
    def __init__(self, config: ChurnDigestConfig, ctx: Context) -> None:
        self._config = config
        self._ctx = ctx

    # -- by the clock ------------------------------------------------------------------------------

    def look(self) -> None:
        """Offer a challenger that is ready, once, or let it serve where the policy says so."""
        found = self._shelf()
        self._settle(found)
        for done in found.promotions[-_TAKEN_UP:]:
            self._take_up(done, found)
        offer = self._offer(found)
        known = memory.candidate(self._ctx, offer.challenger.name) if offer else None
        if offer is None or (known is not None and known.shown):
            return
        change = self._propose(offer)
        candidate = self._remember(offer, change)
        if candidate.state == "ready" and change.change_type == "standard":
            self._carry_out(candidate, POLICY)
            candidate = self._decide(candidate.name, "promoted", POLICY)
        self._show(candidate)

    def _settle(self, found: Shelf) -> None:
        """Offers that can't be decided any more say so: the model serves, or another took its place."""
        for candidate in memory.candidates(self._ctx):
            if candidate.state == "ready" and not _stands(candidate, found):
                serves = found.champion is not None and found.champion.digest == candidate.digest
                by = self._complete(candidate, found) if serves else self._close(candidate, found)
                self._show(self._decide(candidate.name, "promoted" if serves else "gone", by))

    def _take_up(self, done: shelf.Promotion, found: Shelf) -> None:
        """What was promoted while the database was away, or by older versions' commands, is recorded now."""
        key = f"churn-elsewhere/{done.digest[:12]}/{done.at}"
        target = found.named(done.model)
        recorded = "Change " in done.why or memory.candidate(self._ctx, done.model) is not None
        if target is None or recorded or self._ctx.documents.get(f"told:{key}") is not None:
            return
        change = self._ctx.changes.propose(
            "emergency",
            f"Churn model {done.model} was let serve on the command line",
            key=key,
            reason=done.why or "No reason was given.",
            plan=f"Let {done.model} serve.",
            backout_plan="`signalbox models rollback`",
            items=model_changes.items(target),
            evidence={"by": done.by, "at": done.at},
        )
        self._ctx.changes.begin(change.id)
        self._ctx.changes.end(change.id, after={"champion": done.model})
        self._ctx.documents.put(f"told:{key}", {"change": change.id})

    def _complete(self, candidate: Candidate, found: Shelf) -> str:
        """It was promoted on the command line, or by an attempt that was cut off; returns by whom."""
        done = found.promotion(candidate.digest)
        by = done.by if done and done.by else "the command line"
        if self._ctx.changes.get(candidate.change_id).status == "assessed":
            self._ctx.changes.authorise(candidate.change_id, by=by)
        self._ctx.changes.begin(candidate.change_id)
        self._ctx.changes.end(candidate.change_id, after={"champion": candidate.name})
        return by

    def _close(self, candidate: Candidate, found: Shelf) -> str:
        reason = candidates.stands(found)
        if self._ctx.changes.get(candidate.change_id).status == "assessed":
            self._ctx.changes.authorise(candidate.change_id, approve=False, by="superseded", rationale=reason)
        return reason

    def _propose(self, offer: Offer) -> Change:
        """A standard change where the policy promotes; a person's word where its template is not allowed."""
        automatic = self._ctx.settings.churn.promote == "gate"
        template = TEMPLATE if automatic and TEMPLATE in self._ctx.settings.records.templates else ""
        return model_changes.promotion(offer, self._ctx.changes, template=template)

    def _remember(self, offer: Offer, change: Change) -> Candidate:
        made = Candidate(
            name=offer.challenger.name,
            digest=offer.challenger.digest,
            data_sha256=offer.challenger.data_sha256,
            against=offer.champion.name,
            change_id=change.id,
            channel=self._config.channel,
            offered_at=self._ctx.now(),
            reviewed=change.change_type == "standard",
            lines=model_messages.side_by_side(offer),
        )
        return memory.change_candidate(self._ctx, made.name, lambda known: known or made) or made

    # -- by people ---------------------------------------------------------------------------------

    def promote(self, name: str, user: User) -> str:
        """Let an offered challenger serve; whoever proposed the change may not press this."""
        candidate = self._decidable(name)
        if candidate.state == "ready":
            self._ctx.changes.authorise(candidate.change_id)
            self._carry_out(candidate, f"{model_messages.SLACK_USER}{user.id}")
            candidate = self._decide(name, "promoted", f"{model_messages.SLACK_USER}{user.id}")
        self._show(candidate)
        return "it serves now"

    def keep(self, name: str, user: User) -> str:
        """Leave the champion; the change is rejected."""
        candidate = self._decidable(name)
        if candidate.state == "promoted":
            raise Refused(
                f"This was decided already. {candidates.stands(self._shelf())}", check="still-waiting"
            )
        if candidate.state == "ready":
            self._ctx.changes.authorise(candidate.change_id, approve=False, rationale="The champion is kept.")
            self._ctx.audit("churn.model_kept", name, after={"champion": candidate.against})
            candidate = self._decide(name, "kept", f"{model_messages.SLACK_USER}{user.id}")
        self._show(candidate)
        return f"{candidate.against} stays"

    def review(self, change_id: str, model: str, *, successful: bool) -> str:
        """The word that a change is owed after it was carried out."""
        self._ctx.changes.review(change_id, successful=successful)
        self._ctx.audit("churn.change_reviewed", change_id, after={"successful": successful})
        if (done := self._mark(model, "reviewed") if model else None) is not None:
            self._show(done)
        return "it went well" if successful else "it did not; `/signalbox churn rollback` goes back"

    def _decidable(self, name: str) -> Candidate:
        """The offer as it stands; one that is over says how things are now."""
        candidate = memory.candidate(self._ctx, name)
        found = self._shelf()
        if candidate is None:
            raise Refused(f"{name} was never offered. {candidates.stands(found)}", check="known")
        if candidate.state == "ready" and not _stands(candidate, found):
            self._settle(found)
            candidate = memory.candidate(self._ctx, name) or candidate
        ours = candidate.event_id == self._ctx.event.id and candidate.state != "gone"
        if candidate.state == "ready" or ours:
            return candidate
        raise Refused(f"This was decided already. {candidates.stands(found)}", check="still-waiting")

    # -- going back --------------------------------------------------------------------------------

    def ask_rollback(self) -> Message:
        found = self._shelf()
        if found.champion is None or found.before is None or found.before == found.champion:
            raise Refused(
                f"No model served before this one, so there is nothing to go back to. "
                f"{candidates.stands(found)}",
                check="before",
            )
        promotion = found.promotion(found.champion.digest)
        return model_messages.question(found.champion, found.before, promotion)

    def rollback(self, serving: str, before: str, user: User) -> str:
        """An emergency change: at once, and reviewed afterwards. Pressed late or twice, it does nothing."""
        found = self._shelf()
        target, present = found.named(before), found.champion.name if found.champion else ""
        if target is None or present not in {serving, before} or (present == before and not self._is_ours()):
            raise Refused(f"Nothing was rolled back: {candidates.stands(found)}", check="still-serving")
        asked = f"{user.name or user.id} asked for it."
        change = model_changes.rollback(target, serving, asked, self._ctx.event.id, self._ctx.changes)
        memory.note_once(self._ctx, "rollback", before, {"from": serving, "change": change.id})
        by = f"{model_messages.SLACK_USER}{user.id}"
        self._apply(change, target, by, f"Rollback. Change {change.id}.")
        self._ctx.audit("churn.model_rolled_back", before, before=serving, after=before)
        self._ctx.step(
            "told",
            self._ctx.chat.post,
            channel=self._config.channel,
            message=model_messages.rolled_back(serving, before, user.id, change.id),
        )
        return f"{before} serves again"

    def _is_ours(self) -> bool:
        newest = self._ctx.records.find("rollback", limit=20)
        return any(record.event_id == self._ctx.event.id for record in newest)

    # -- looking -----------------------------------------------------------------------------------

    def listing(self) -> Message:
        found = self._shelf()
        return model_messages.listing(found, self._why_not(found))

    def _why_not(self, found: Shelf) -> str:
        name = found.challenger.name if found.challenger else ""
        told = candidates.why_not(
            found,
            shelf.verdict(self._folder, name),
            shadow.of(self._folder, name),
            self._config.shadow_cycles,
        )
        known = memory.candidate(self._ctx, name) if name else None
        return "It is ready: see the message with its figures." if known and known.state == "ready" else told

    # -- effects -----------------------------------------------------------------------------------

    @property
    def _folder(self) -> Path:
        return scored.folder(self._ctx)

    def _shelf(self) -> Shelf:
        return shelf.read(self._folder)

    def _offer(self, found: Shelf) -> Offer | None:
        name = found.challenger.name if found.challenger else ""
        besides = shadow.of(self._folder, name) if name else []
        return candidates.offer(found, shelf.verdict(self._folder, name), besides, self._config.shadow_cycles)

    def _carry_out(self, candidate: Candidate, by: str) -> None:
        change = self._ctx.changes.get(candidate.change_id)
        target = self._shelf().named(candidate.name)
        if target is None:
            raise Refused(f"{candidate.name} is not there any more; train anew.", check="known")
        self._apply(change, target, by, f"{change.reason} Change {change.id}.")
        self._ctx.audit(
            "churn.model_promoted", candidate.name, before=candidate.against, after=candidate.name
        )

    def _apply(self, change: Change, target: Model, by: str, why: str) -> None:
        """The step that changes something. Doing it again changes nothing more."""
        from ml.churn import registry  # noqa: PLC0415  # numpy: only for who promotes

        self._ctx.changes.begin(change.id)
        place = registry.home(self._folder) / target.name
        try:
            registry.promote(self._folder, place, by=by, why=why)
        except (ModelTamperedError, ModelUnavailableError) as exc:
            self._ctx.changes.end(change.id, "failed", outcome=str(exc))
            raise Refused(f"{exc} Nothing was changed.", check="model") from exc
        self._ctx.changes.end(change.id, after={"champion": target.name})

    def _decide(self, name: str, state: str, by: str) -> Candidate:
        decided = {"state": state, "by": by, "at": self._ctx.now(), "event_id": self._ctx.event.id}

        def apply(known: Candidate | None) -> Candidate | None:
            return known.model_copy(update=decided) if known and known.state == "ready" else known

        kept = memory.change_candidate(self._ctx, name, apply)
        if kept is None:
            raise Refused(f"{name} was never offered.", check="known")
        return kept

    def _show(self, candidate: Candidate) -> None:
        self._ctx.step(
            f"model-{candidate.name}-{candidate.state}-{candidate.reviewed}",
            self._ctx.chat.upsert,
            channel=candidate.channel,
            key=f"churn-model:{candidate.name}",
            message=model_messages.offered(candidate),
        )
        self._mark(candidate.name, "shown")

    def _mark(self, name: str, field: Literal["shown", "reviewed"]) -> Candidate | None:
        return memory.change_candidate(
            self._ctx, name, lambda known: known.model_copy(update={field: True}) if known else None
        )


def _stands(candidate: Candidate, found: Shelf) -> bool:
    """Whether the offer is still about the challenger and the champion of now."""
    waiting = found.challenger is not None and found.challenger.digest == candidate.digest
    return waiting and found.champion is not None and found.champion.name == candidate.against
