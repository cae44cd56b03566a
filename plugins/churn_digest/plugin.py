from __future__ import annotations

from collections.abc import Sequence

from bot.plugin import (
    Actions,
    Block,
    Click,
    Command,
    Context,
    Health,
    Message,
    Page,
    Plugin,
    Refused,
    Submission,
    Tick,
    User,
    action,
    command,
    schedule,
    view,
)
from plugins.churn_digest import card, delivery, listing, page, scored
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.desk import Desk
from plugins.churn_digest.levers import Levers
from plugins.churn_digest.overseer import Overseer
from plugins.churn_digest.promotion import Promotion

_ON_HOME = 8


class ChurnDigest(Plugin[ChurnDigestConfig]):
    name = "churn-digest"
    page_title = "Churn"
    Config = ChurnDigestConfig

    @schedule("config:cron", zone="config:zone")
    def post(self, tick: Tick, ctx: Context) -> None:
        Desk(self.config, ctx).post(tick.due_at)

    @schedule("config:score_cron", zone="config:zone")
    def score(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002  # one time is like any other
        Overseer(self.config, ctx).start("score")

    @schedule("config:train_cron", zone="config:zone")
    def train(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002
        Overseer(self.config, ctx).start("train")

    @schedule("*/10 * * * *", catch_up="skip")
    def watch(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002
        Overseer(self.config, ctx).look()
        Promotion(self.config, ctx).look()
        Desk(self.config, ctx).escalate()

    @command(
        "churn",
        help="Who may leave, why, and what it is worth",
        usage="churn [CUSTOMER | OWNER | mine | all | status | models | rollback]",
        queue="io",
    )
    def churn(self, asked: Command, ctx: Context) -> None:
        text = asked.text.strip()
        match text.lower():
            case "models":
                ctx.reply(Promotion(self.config, ctx).listing())
            case "rollback":
                ctx.reply(Promotion(self.config, ctx).ask_rollback())
            case _:
                ctx.reply(listing.answer(text, asked.user.id, self.config, ctx))

    # -- buttons -----------------------------------------------------------------------------------

    @action("assign", permission="churn.act")
    def assign(self, click: Click, ctx: Context) -> None:
        levers, customer, [choice] = Levers(self.config, ctx, click.user), _customer(click), click.selected
        if choice == card.SOMEBODY:
            levers.ask_whom(customer, click.trigger_id, click.reply_to.channel)
        elif choice == card.OWNER:
            levers.assign(customer, self._owner(levers.case(customer).owner))
        else:
            levers.assign(customer, click.user.id)

    def _owner(self, owner: str) -> str:
        user = self.config.user_of(owner)
        if not user:
            raise Refused(f"The settings name no Slack user for {owner!r}: add it to owners.", check="owner")
        return user

    @view("assign", permission="churn.act")
    def assign_to(self, form: Submission, ctx: Context) -> None:
        Levers(self.config, ctx, form.user).assign(str(form.private["customer"]), str(form.values["user"]))

    @action("snooze", permission="churn.act")
    def snooze(self, click: Click, ctx: Context) -> None:
        Levers(self.config, ctx, click.user).snooze(_customer(click), int(click.selected[0]))

    @action("ticket", permission="churn.ticket", queue="io")
    def ticket(self, click: Click, ctx: Context) -> str:
        return Levers(self.config, ctx, click.user).ticket(_customer(click))

    @action("outcome", permission="churn.act")
    def outcome(self, click: Click, ctx: Context) -> None:
        [kind] = click.selected
        if kind not in card.OUTCOMES:
            raise Refused(f"{kind!r} is no outcome; nothing was recorded.", check="outcome")
        Levers(self.config, ctx, click.user).record(_customer(click), kind)  # type: ignore[arg-type]

    @action("more", permission="churn.act", queue="io")
    def more(self, click: Click, ctx: Context) -> None:
        Levers(self.config, ctx, click.user).more(_customer(click))

    # -- models ------------------------------------------------------------------------------------

    @action("promote", permission="churn.promote", queue="io")
    def promote(self, click: Click, ctx: Context) -> str:
        return Promotion(self.config, ctx).promote(str(click.args["model"]), click.user)

    @action("keep", permission="churn.promote", queue="io")
    def keep(self, click: Click, ctx: Context) -> str:
        return Promotion(self.config, ctx).keep(str(click.args["model"]), click.user)

    @action("rollback", permission="churn.promote", queue="io")
    def rollback(self, click: Click, ctx: Context) -> str:
        serving, before = str(click.args["from"]), str(click.args["to"])
        return Promotion(self.config, ctx).rollback(serving, before, click.user)

    @action("went-well", permission="churn.promote", queue="io")
    def went_well(self, click: Click, ctx: Context) -> str:
        return self._review(click, ctx, successful=True)

    @action("went-badly", permission="churn.promote", queue="io")
    def went_badly(self, click: Click, ctx: Context) -> str:
        return self._review(click, ctx, successful=False)

    def _review(self, click: Click, ctx: Context, *, successful: bool) -> str:
        change, model = str(click.args["change"]), str(click.args["model"])
        return Promotion(self.config, ctx).review(change, model, successful=successful)

    def page(self, ctx: Context) -> Page:
        return page.churn(ctx, self.page_title)

    def home(self, user: User, ctx: Context) -> Sequence[Block]:
        """The accounts at risk that somebody owns, and where they are told of them."""
        if user.id not in self.config.owners.values():
            return ()
        found = listing.answer("mine", user.id, self.config, ctx)
        shown = found.blocks if isinstance(found, Message) else ()
        accounts = [block for block in shown if not isinstance(block, Actions)][:_ON_HOME]
        return [*accounts, *delivery.menu(user.id, self.config, ctx)]

    @action("delivery", permission=None)
    def choose_delivery(self, click: Click, ctx: Context) -> None:
        """Everybody chooses for themselves: the menu stands on their own Home tab."""
        [choice] = click.selected
        delivery.choose(click.user.id, choice, ctx)
        ctx.show_home(click.user)

    def health(self, ctx: Context) -> Health:
        run = scored.latest(ctx)
        return Health() if run else Health(status="degraded", detail=scored.NEXT_STEP)


def _customer(click: Click) -> str:
    return str(click.args["customer"])
