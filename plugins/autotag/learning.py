"""Learns anew by the clock and when it got worse; the result serves when a person or the policy says so."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.plugin import Click, Context, Refused, Tick, action, schedule
from plugins.autotag import (
    asking,
    challenger_messages,
    challengers,
    model,
    model_changes,
    retraining,
    similar,
)
from plugins.autotag.challengers import Challenger
from plugins.autotag.config import AutoTagConfig
from plugins.autotag.decisions import DECISION, REVIEW
from plugins.autotag.retraining import Outcome

if TYPE_CHECKING:
    from ml.tagging.training.adapt import Reviewed

POLICY = "policy"
_SPAN = timedelta(days=365)
_AFTER_A_DROP = timedelta(days=2)
_MOST = 100_000


class LearningHandlers:
    config: AutoTagConfig

    @schedule("config:retrain_cron", zone="config:zone", queue="model")
    def retrain(self, tick: Tick, ctx: Context) -> None:
        """Look whether there is a reason; then learn, compare, and offer what is better."""
        if self.config.retrain == "off":
            return
        self._settle(ctx)
        made = challengers.get(ctx.event.id, ctx) or self._learned(tick.due_at, ctx)
        if made is None:
            return
        better = made.state == "ready" and made.low > 0
        if better and self.config.retrain == "gate" and model_changes.in_advance(ctx):
            made = self._let_serve(made, POLICY, ctx)
        self._show(made, ctx)

    @action("promote", permission="tags.promote", queue="model")
    def promote(self, click: Click, ctx: Context) -> str:
        """Let a challenger serve; the workers take it with the next ticket."""
        done = self._let_serve(self._decidable(click.args["id"], ctx), click.user.id, ctx)
        self._show(done, ctx)
        return f"{done.version} serves now"

    @action("keep", permission="tags.promote", queue="model")
    def keep(self, click: Click, ctx: Context) -> str:
        """Leave the model that serves."""
        done = self._decidable(click.args["id"], ctx)
        if done.state == "ready":
            done = self._end(done, "kept", click.user.id, ctx)
            ctx.audit("tags.model_kept", done.version, after={"serves": done.against})
        self._show(done, ctx)
        return f"{done.against} stays"

    # -- deciding ----------------------------------------------------------------------------------

    def _settle(self, ctx: Context) -> None:
        """Offers beside a model that serves no more can't be decided, and say so."""
        offered = [found for found in challengers.known(ctx) if found.state == "ready"]
        version = model.load(self._cache(ctx)).version if offered else ""
        for found in offered:
            if found.against != version and found.id != ctx.event.id:
                self._show(self._end(found, "gone", f"{version} serves by now", ctx), ctx)

    def _decidable(self, id_: str, ctx: Context) -> Challenger:
        self._settle(ctx)
        found = challengers.get(id_, ctx)
        if found is None:
            raise Refused("This model is not known any more.", check="known")
        if found.state == "ready" or found.decided_by_event == ctx.event.id:
            return found
        raise _decided_already(found)

    def _let_serve(self, made: Challenger, by: str, ctx: Context) -> Challenger:
        """Decided first, so that nobody else decides otherwise; a retry takes up from there."""
        done = challengers.decide(made.id, "serves", by, ctx) or made
        if done.decided_by_event != ctx.event.id:
            raise _decided_already(done)
        change = model_changes.begun(done, ctx, policy=by == POLICY)
        if model.load(self._cache(ctx)).version != done.version:
            try:
                self._promote(done, ctx)
            except Refused as exc:
                ctx.changes.end(change.id, "failed", outcome=str(exc))
                raise
            after = {"against": made.against, "accuracy": made.accuracy, "before": made.before, "by": by}
            ctx.audit("tags.model_promoted", made.version, after=after)
        ctx.changes.end(change.id, after={"champion": done.version})
        shutil.rmtree(done.folder, ignore_errors=True)  # what serves is a copy
        return done

    def _promote(self, done: Challenger, ctx: Context) -> None:
        try:
            model.promote(Path(done.folder), self._cache(ctx))
        except Refused as exc:
            self._show(
                challengers.keep(done.model_copy(update={"state": "gone", "detail": str(exc)}), ctx), ctx
            )
            raise

    def _end(self, made: Challenger, state: challengers.State, detail: str, ctx: Context) -> Challenger:
        done = challengers.decide(made.id, state, detail, ctx) or made
        if done.state == state:
            shutil.rmtree(made.folder, ignore_errors=True)
        return done

    def _show(self, made: Challenger, ctx: Context) -> None:
        """One that is no better is told only when the model that serves got worse."""
        if made.state == "none" and not made.dropped:
            ctx.log.info("tags.learned_nothing", why=made.why, detail=made.detail)
            return
        ctx.step(
            f"tell-{made.id}-{made.state}",
            ctx.chat.upsert,
            channel=self.config.channel,
            key=f"tag-model:{made.id}",
            message=challenger_messages.message(made),
        )

    # -- learning ----------------------------------------------------------------------------------

    def _learned(self, now: datetime, ctx: Context) -> Challenger | None:
        """None when there is no reason to learn."""
        models = self._cache(ctx)
        tagger = model.load(models)
        found = _outcomes(now, ctx)
        before = next(iter(challengers.known(ctx)), None)
        drop = retraining.degraded(found, tagger.version, model.precision(models), now)
        if drop:
            ctx.service_records.event(
                "warning", "tags.degradation", drop, key=f"{tagger.version}:{now:%G-W%V}"
            )
        if drop and before is not None and now - before.at < _AFTER_A_DROP:
            return None
        every = timedelta(days=self.config.retrain_days)
        why = drop or retraining.due(found, before.at if before else None, every, now)
        if not why:
            return None
        made = Challenger(
            id=ctx.event.id, at=now, against=tagger.version, why=why, dropped=bool(drop), learned=0
        )
        return challengers.keep(self._trained(made, found, tagger, ctx), ctx)

    def _trained(
        self, made: Challenger, found: Sequence[Outcome], tagger: model.Tagger, ctx: Context
    ) -> Challenger:
        from ml.tagging import DataError, artifact  # noqa: PLC0415  # workers only
        from ml.tagging.training import adapt  # noqa: PLC0415

        models = self._cache(ctx)
        reviewed, ats = _reviewed(found, tagger, model.scored(models), ctx)
        out = models / "challengers" / made.id
        shutil.rmtree(out, ignore_errors=True)  # of an attempt that was cut off
        try:
            manifest, comparison = adapt.make(models, reviewed, ats, out, made.at)
        except DataError as exc:
            return made.model_copy(update={"detail": str(exc), "learned": len(reviewed)})
        better = comparison.gain > 0
        if not better:
            shutil.rmtree(out)
        return made.model_copy(
            update={
                "version": manifest.version,
                "folder": str(out),
                "digest": artifact.digest(out) if better else "",
                "data": manifest.facts.data_sha256,
                "learned": manifest.facts.examples,
                "state": "ready" if better else "none",
                "accuracy": comparison.challenger,
                "before": comparison.champion,
                "low": comparison.low,
                "high": comparison.high,
                "detail": "" if better else "what it learned was no better",
            }
        )

    def _cache(self, ctx: Context) -> Path:
        return self.config.cache_dir or ctx.data_dir / "models"


def _decided_already(found: Challenger) -> Refused:
    words = {"serves": f"{found.version} serves", "kept": f"{found.against} was kept"}
    return Refused(
        f"This was decided already: {words.get(found.state, found.detail)}.", check="still-waiting"
    )


def _outcomes(now: datetime, ctx: Context) -> list[Outcome]:
    decisions = ctx.records.find(DECISION, since=now - _SPAN, limit=_MOST)
    reviews = ctx.records.find(REVIEW, since=now - _SPAN, limit=_MOST)
    return retraining.outcomes(decisions, reviews, now)


def _reviewed(
    found: Sequence[Outcome], tagger: model.Tagger, categories: Sequence[str], ctx: Context
) -> tuple[Reviewed, list[datetime]]:
    """What the model's encoder has read and what it has a category for; and when each was said."""
    import numpy as np  # noqa: PLC0415  # workers only

    from ml.tagging.training.adapt import NONE, Reviewed  # noqa: PLC0415

    records = ctx.records.find(similar.VECTOR, since=found[0].decided_at - _SPAN, limit=_MOST)
    vectors = asking.vectors(r for r in records if r.data["encoder"] == tagger.encoder_version)
    place = {"": NONE} | {name: at for at, name in enumerate(categories)}
    known = [o for o in found if o.ticket in vectors and o.truth in place]
    matrix = np.array([vectors[o.ticket] for o in known], np.float32).reshape(len(known), -1)
    wanted = np.array([place[o.truth] for o in known], np.int64)
    return Reviewed(matrix, wanted), [outcome.at for outcome in known]
