from __future__ import annotations

from pathlib import Path

from bot.plugin import (
    Click,
    Command,
    Context,
    Health,
    Message,
    Permanent,
    Plugin,
    Ticket,
    TicketEvent,
    Transient,
    action,
    command,
    on,
)
from plugins.autotag import messages, model, policy
from plugins.autotag.config import AutoTagConfig
from plugins.autotag.decisions import Decisions, model_error, note_model
from plugins.autotag.policy import Decision


class AutoTag(Plugin[AutoTagConfig]):
    name = "autotag"
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
            return
        ticket = ctx.tickets.get(key)
        if decision is None:
            decision = self._decide(ticket, kept, ctx)
        if decision is not None:
            self._act(ticket, decision, ctx)

    def _decide(self, ticket: Ticket, kept: Decisions, ctx: Context) -> Decision | None:
        why = policy.left_alone(ticket, self.config)
        if why or policy.is_settled(kept.all(), ticket):
            ctx.log.info("ticket.left_alone", ticket=ticket.key, why=why or "it is decided already")
            return None
        return self._decide_now(ticket, kept, ctx)

    def _tag(self, ticket: Ticket, ctx: Context) -> Decision:
        try:
            tagger = model.load(self._cache(ctx))
        except (Transient, Permanent) as exc:
            note_model(ctx, error=str(exc))
            raise
        [tagging] = tagger.tag([policy.text_of(ticket)])
        note_model(ctx, version=tagger.version)
        return policy.decided(ticket, tagging, tagger.version)

    def _act(self, ticket: Ticket, decision: Decision, ctx: Context) -> None:
        if decision.band == "apply" and decision.category:
            label = self._apply(ticket, decision, decision.category, ctx)
            if self.config.announce:
                self._tell(ticket, messages.applied(ticket, decision, label), ctx)
        elif decision.band == "suggest":
            choices = decision.best(self.config.choices)
            self._tell(ticket, messages.suggestion(ticket, decision, choices), ctx)

    def _apply(self, ticket: Ticket, decision: Decision, category: str, ctx: Context) -> str:
        label = self.config.label_prefix + category
        ctx.step("label", ctx.tickets.add_label, key=ticket.key, label=label)
        after = {
            "label": label,
            "confidence": decision.confidence,
            "model_version": decision.model_version,
        }
        ctx.audit("tags.apply", ticket.key, before={"labels": list(ticket.labels)}, after=after)
        return label

    def _tell(self, ticket: Ticket, message: Message, ctx: Context) -> None:
        key = messages.message_key(ticket.key)
        ctx.step("tell", ctx.chat.upsert, channel=self.config.channel, key=key, message=message)

    @action("accept", permission="tags.write")
    def accept(self, click: Click, ctx: Context) -> str:
        key, category = click.args["key"], click.args["category"]
        label = self.config.label_prefix + category
        ctx.step("label", ctx.tickets.add_label, key=key, label=label)
        kept = Decisions(ctx, key)
        kept.review(policy.verdict(kept.newest(), category), category, click.user.id)
        return f"{key} is {label}"

    @action("reject", permission="tags.write")
    def reject(self, click: Click, ctx: Context) -> str:
        Decisions(ctx, click.args["key"]).review("reject", None, click.user.id)
        return f"{click.args['key']} stays untagged"

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
        elif decision.band == "apply" and decision.category in policy.withdrawn(
            kept.earlier(), ticket, prefix
        ):
            ctx.reply(messages.left(ticket, f"somebody took {prefix}{decision.category} away"))
        elif decision.band == "apply" and decision.category:
            label = self._apply(ticket, decision, decision.category, ctx)
            ctx.reply(messages.applied(ticket, decision, label))
        else:
            ctx.reply(messages.suggestion(ticket, decision, decision.best(self.config.choices)))

    def _decide_now(self, ticket: Ticket, kept: Decisions, ctx: Context) -> Decision:
        labelled = policy.category_labels(ticket.labels, model.slugs(), self.config.label_prefix)
        return kept.keep(policy.by_a_person(ticket, labelled) if labelled else self._tag(ticket, ctx))

    def health(self, ctx: Context) -> Health:
        """The model's state as the workers left it; asking loads nothing."""
        error = model_error(ctx, self.name)
        return Health(status="degraded", detail=error) if error else Health()

    def _cache(self, ctx: Context) -> Path:
        return self.config.cache_dir or ctx.data_dir / "models"
