from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.plugin import (
    Block,
    Click,
    Command,
    Context,
    Errand,
    Health,
    Message,
    Page,
    Permanent,
    Plugin,
    Refused,
    Tick,
    Ticket,
    TicketEvent,
    Transient,
    User,
    action,
    command,
    on,
    schedule,
)
from plugins.autotag import asking, messages, metrics, model, policy, retraining, shadow, similar
from plugins.autotag import page as pages
from plugins.autotag.config import AutoTagConfig
from plugins.autotag.decisions import DECISION, REVIEW, Decisions, model_error, note_model
from plugins.autotag.effort import by_category, measured, shift
from plugins.autotag.filing import FILED, FilingHandlers, event_of
from plugins.autotag.learning import LearningHandlers
from plugins.autotag.policy import Decision
from plugins.autotag.similar import Similar
from plugins.autotag.unfurling import UnfurlHandlers

MOST_DAYS, MOST_RECORDS = 400, 100_000


class AutoTag(FilingHandlers, LearningHandlers, UnfurlHandlers, Plugin[AutoTagConfig]):
    name = "autotag"
    page_title = "Tickets"
    Config = AutoTagConfig

    @on("ticket.created", queue="model")
    @on("ticket.updated", queue="model")
    def consider(self, event: TicketEvent, ctx: Context) -> None:
        """Decide once, keep the decision, then act on it; a retry acts on the decision that was kept."""
        if event.by_us:
            return
        key = event.ticket.key
        kept = Decisions(ctx, key)
        decision = kept.of_this_event()
        if decision is None and policy.is_settled(kept.all(), event.ticket):
            self._heard(event, kept, ctx)
            return
        ticket = ctx.tickets.get(key)
        if decision is None:
            decision = self._decide(ticket, kept, ctx)
        if decision is not None:
            self._act(ticket, decision, ctx)

    @on(FILED, queue="model")
    def tag_filed(self, errand: Errand, ctx: Context) -> None:
        self.consider(event_of(errand), ctx)

    def _heard(self, event: TicketEvent, kept: Decisions, ctx: Context) -> None:
        """A person who changes labels in the helpdesk reviews what was decided."""
        newest = kept.newest()
        said = newest and policy.said_in_the_helpdesk(
            event, newest, model.slugs(self._cache(ctx)), self.config.label_prefix
        )
        if said:
            kept.review(*said, event.actor)

    def _decide(self, ticket: Ticket, kept: Decisions, ctx: Context) -> Decision | None:
        why = policy.left_alone(ticket, self.config)
        if why or policy.is_settled(kept.all(), ticket) or kept.is_reviewed():
            ctx.log.info("ticket.left_alone", ticket=ticket.key, why=why or "it is decided already")
            return None
        return self._decide_now(ticket, kept, ctx)

    def _tag(self, ticket: Ticket, ctx: Context) -> Decision:
        try:
            tagger = model.load(self._cache(ctx))
        except (Transient, Permanent) as exc:
            note_model(ctx, error=str(exc))
            raise
        text = policy.text_of(ticket)
        [tagging] = tagger.tag([text])
        note_model(ctx, version=tagger.version)
        if self.config.shadow:
            shadow.observe(ticket.key, text, self.config.shadow, self._cache(ctx), ctx)
        words = tagger.words_for(text, tagging.category) if tagging.category else ()
        return policy.decided(ticket, tagging, tagger.version, words)

    def _act(self, ticket: Ticket, decision: Decision, ctx: Context) -> None:
        if decision.scores and decision.reason != policy.BY_A_PERSON:
            tagger = model.load(self._cache(ctx))
            similar.remember(ticket, tagger.embed(policy.text_of(ticket)), tagger.encoder_version, ctx)
        if decision.band == "apply":
            labels = self._apply(ticket, decision, ctx)
            if self.config.announce:
                self._tell(
                    ticket, messages.applied(ticket, decision, labels, model.slugs(self._cache(ctx))), ctx
                )
        elif decision.band == "suggest":
            self._tell(ticket, self._suggestion(ticket, decision, ctx), ctx)

    def _suggestion(self, ticket: Ticket, decision: Decision, ctx: Context) -> Message:
        alike = self._similar(ticket, ctx)
        slugs = model.slugs(self._cache(ctx))
        return messages.suggestion(ticket, decision, self.config.choices, slugs, alike)

    def _similar(self, ticket: Ticket, ctx: Context) -> list[Similar]:
        tagger = model.load(self._cache(ctx))
        return similar.find(ticket, tagger.embed(policy.text_of(ticket)), tagger.encoder_version, ctx)

    def _apply(self, ticket: Ticket, decision: Decision, ctx: Context) -> str:
        """The labels that were set, as people read them."""
        labels = [self.config.label_prefix + category for category in decision.categories]
        for number, label in enumerate(labels):
            step = f"label-{number}" if number else "label"
            ctx.step(step, ctx.tickets.add_label, key=ticket.key, label=label)
        after = {
            "label": ", ".join(labels),
            "confidence": decision.confidence,
            "model_version": decision.model_version,
        }
        ctx.audit("tags.apply", ticket.key, before={"labels": list(ticket.labels)}, after=after)
        return ", ".join(labels)

    def _tell(self, ticket: Ticket, message: Message, ctx: Context) -> None:
        key = messages.message_key(ticket.key)
        ctx.step("tell", ctx.chat.upsert, channel=self.config.channel, key=key, message=message)

    @action("accept", permission="tags.write")
    def accept(self, click: Click, ctx: Context) -> str:
        return self._set(click.args["key"], click.args["category"], click, ctx)

    @action("choose", permission="tags.write")
    def choose(self, click: Click, ctx: Context) -> str:
        return self._set(click.args["key"], click.selected[0], click, ctx)

    @action("reject", permission="tags.write")
    def reject(self, click: Click, ctx: Context) -> str:
        key = click.args["key"]
        ctx.audit("tags.reject", key)
        Decisions(ctx, key).review("reject", None, click.user.id)
        return f"{key} stays untagged"

    @action("correct", permission="tags.write")
    def correct(self, click: Click, ctx: Context) -> str:
        """Take away what was set without asking, and set the one that a person chose."""
        key, right = click.args["key"], click.selected[0]
        wrong = click.args.get("categories") or [click.args["category"]]  # messages of an earlier version
        labels = [self.config.label_prefix + category for category in wrong]
        for number, label in enumerate(labels):
            step = f"unlabel-{number}" if number else "unlabel"
            ctx.step(step, ctx.tickets.remove_label, key=key, label=label)
        label = ", ".join(labels)
        ctx.audit("tags.undo", key, before={"label": label})
        if right != messages.NONE:
            return self._set(key, right, click, ctx)
        Decisions(ctx, key).review("reject", None, click.user.id)
        return f"{key} is no longer {label}"

    def _set(self, key: str, category: str, click: Click, ctx: Context) -> str:
        if category not in model.slugs(self._cache(ctx)):
            raise Refused(f"{category!r} is not a category any more. Set the label in the helpdesk.")
        label = self.config.label_prefix + category
        self._require_room(key, label, ctx)
        ctx.step("label", ctx.tickets.add_label, key=key, label=label)
        kept = Decisions(ctx, key)
        said = policy.verdict(kept.newest(), category)
        ctx.audit(f"tags.{said}", key, after={"label": label})
        kept.review(said, category, click.user.id)
        return f"{key} is {label}"

    def _require_room(self, key: str, label: str, ctx: Context) -> None:
        """What somebody has set in the helpdesk since the question was asked stands: no second label."""
        ticket = ctx.tickets.get(key)
        set_there = policy.category_labels(
            ticket.labels, model.slugs(self._cache(ctx)), self.config.label_prefix
        )
        if set_there and label not in set_there:
            raise Refused(
                f"{key} is {', '.join(set_there)} by now; nothing was set. Change it in the helpdesk.",
                check="room",
            )

    @command("tags", help="Show how many tickets were tagged, corrected and left.", usage="tags [DAYS]")
    def tags(self, command: Command, ctx: Context) -> None:
        days = int(command.text) if command.text.isdecimal() and 0 < int(command.text) <= MOST_DAYS else 30
        since = ctx.now() - timedelta(days=days)
        decisions = ctx.records.find(DECISION, since=since, limit=MOST_RECORDS)
        reviews = ctx.records.find(REVIEW, since=since, limit=MOST_RECORDS)
        drift = shift(decisions, ctx.now())
        shadowed = shadow.compared(ctx.records.find(shadow.SHADOW, since=since, limit=MOST_RECORDS), reviews)
        ctx.reply(messages.effort(measured(decisions, reviews), days, by_category(reviews), drift, shadowed))

    @schedule("17 * * * *", catch_up="skip")
    def measure(self, tick: Tick, ctx: Context) -> None:
        """Accuracy and drift as figures for Prometheus."""
        since = tick.due_at - retraining.RECENT - timedelta(days=7)
        decisions = ctx.records.find(DECISION, since=since, limit=MOST_RECORDS)
        recent = tick.due_at - retraining.RECENT
        reviews = ctx.records.find(REVIEW, since=recent, limit=MOST_RECORDS)
        for found in by_category(reviews):
            metrics.ACCURACY.labels(found.name).set(found.right / found.reviewed)
        done = measured((record for record in decisions if record.at >= recent), reviews)
        if done.applied:
            metrics.KEPT.labels("apply").set(1 - done.corrected / done.applied)
        if (drift := shift(decisions, tick.due_at)) is not None:
            metrics.DRIFT.set(drift.psi)

    @schedule("config:ask_cron", zone="config:zone", queue="model")
    def ask(self, tick: Tick, ctx: Context) -> None:
        """Ask about the tickets whose review teaches most, a few a day."""
        since = tick.due_at - timedelta(days=1)
        decisions = ctx.records.find(DECISION, since=since, limit=MOST_RECORDS)
        reviewed = {record.subject for record in ctx.records.find(REVIEW, since=since, limit=MOST_RECORDS)}
        vectors = asking.vectors(ctx.records.find(similar.VECTOR, since=since, limit=MOST_RECORDS))
        open_ = [Decision.model_validate(r.data) for r in decisions if r.subject not in reviewed]
        for decision in asking.chosen(open_, vectors, self.config.ask_daily):
            ticket = ctx.tickets.get(decision.ticket)
            if not policy.left_alone(ticket, self.config):
                key = messages.message_key(ticket.key)
                message = self._suggestion(ticket, decision, ctx)
                ctx.step(
                    f"ask-{ticket.key}",
                    ctx.chat.upsert,
                    channel=self.config.channel,
                    key=key,
                    message=message,
                )

    @command(
        "tag",
        help="Tag a ticket now, or show what it might be.",
        usage="tag KEY",
        permission="tags.write",
        queue="model",
    )
    def tag(self, command: Command, ctx: Context) -> None:
        key = command.text.strip()
        if not policy.is_key(key):
            ctx.reply(f"Usage: {ctx.settings.slack.command} tag KEY, for example OPS-12")
            return
        try:
            ticket = ctx.tickets.get(key)
        except Permanent as exc:
            # A typo is no dead letter.
            ctx.reply(str(exc))
            return
        self._answer(ticket, ctx)

    def _answer(self, ticket: Ticket, ctx: Context) -> None:
        kept = Decisions(ctx, ticket.key)
        decision = kept.of_this_event() or self._decide_now(ticket, kept, ctx)
        prefix = self.config.label_prefix
        if decision.reason == policy.BY_A_PERSON:
            ctx.reply(messages.left(ticket, f"{prefix}{decision.category} was set by hand"))
        elif decision.band == "apply" and (
            gone := policy.withdrawn(kept.earlier(), ticket, prefix) & set(decision.categories)
        ):
            ctx.reply(messages.left(ticket, f"somebody took {prefix}{min(gone)} away"))
        elif decision.band == "apply":
            labels = self._apply(ticket, decision, ctx)
            ctx.reply(messages.applied(ticket, decision, labels, model.slugs(self._cache(ctx))))
        else:
            ctx.reply(self._suggestion(ticket, decision, ctx))

    def _decide_now(self, ticket: Ticket, kept: Decisions, ctx: Context) -> Decision:
        labelled = policy.category_labels(
            ticket.labels, model.slugs(self._cache(ctx)), self.config.label_prefix
        )
        return kept.keep(policy.by_a_person(ticket, labelled) if labelled else self._tag(ticket, ctx))

    def health(self, ctx: Context) -> Health:
        """The model's state as the workers left it; asking loads nothing."""
        error = model_error(ctx, self.name)
        return Health(status="degraded", detail=error) if error else Health()

    def page(self, ctx: Context) -> Page:
        return pages.tickets(ctx, self.page_title)

    def home(self, user: User, ctx: Context) -> Sequence[Block]:
        return pages.home(ctx) if ctx.permissions.allowed(user.id, "tags.write") else ()
