"""The door to the engine: buttons, the dialog, the command, the clock and errands."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import Any

from bot.plugin import (
    Click,
    Command,
    Context,
    Errand,
    Permanent,
    Submission,
    Tick,
    User,
    action,
    command,
    on,
    schedule,
    view,
)
from plugins.alert_relay.mitigation import asking, console, driving, proposals, rounds, scene, telling
from plugins.alert_relay.mitigation.proposals import Asker
from plugins.alert_relay.mitigation.runs import Proposal
from plugins.alert_relay.mitigation.scene import Scene
from plugins.alert_relay.state import GroupState

_DIALOG_SECONDS = 2.5
"""Slack takes a dialog within three seconds after the press."""


class MitigationHandlers:
    """What `AlertRelay` adds to its own handlers."""

    @abstractmethod
    def _scene(self, ctx: Context, actor: str = "") -> Scene:
        """The engine's surroundings, for one run of a handler."""

    @abstractmethod
    def _group(self, args: dict[str, Any], ctx: Context, user: User) -> GroupState:
        """The group that a control belongs to; Refused when it is over."""

    @action("mitigate", permission="mitigation.run")
    def ask_for_mitigation(self, click: Click, ctx: Context) -> None:
        here = self._scene(ctx, click.user.id)
        state = self._group(click.args, ctx, click.user)
        name = str(click.args["mitigation"])
        asker = Asker(click.user.id, click.user.name, click.reply_to.channel, ctx.now())
        run_id = proposals.identity(ctx.event.id, name)
        _show(here, asking.propose(here, state, name, asker, run_id), click.trigger_id)

    @view("mitigate", permission="mitigation.run")
    def confirm_mitigation(self, form: Submission, ctx: Context) -> None:
        if ctx.reply_to is not None:  # a form has no channel of its own
            ctx.reply_to = ctx.reply_to.model_copy(update={"channel": form.private["channel"]})
        here = self._scene(ctx, form.user.id)
        asking.confirm(here, str(form.private["run"]), str(form.private["binding"]), form.user.id)

    @action("mitigate-now", permission="mitigation.run")
    def confirm_late_mitigation(self, click: Click, ctx: Context) -> str:
        here = self._scene(ctx, click.user.id)
        run = asking.confirm(here, str(click.args["run"]), str(click.args["binding"]), click.user.id)
        return run.status

    @action("approve-mitigation", permission="mitigation.approve")
    def approve_mitigation(self, click: Click, ctx: Context) -> str:
        here = self._scene(ctx, click.user.id)
        return asking.approve(here, str(click.args["run"]), str(click.args["binding"]), click.user)

    @action("reject-mitigation", permission="mitigation.approve")
    def reject_mitigation(self, click: Click, ctx: Context) -> str:
        here = self._scene(ctx, click.user.id)
        return asking.reject(here, str(click.args["run"]), str(click.args["binding"]), click.user)

    @action("mitigation-worked", permission="mitigation.run")
    def mitigation_worked(self, click: Click, ctx: Context) -> str:
        here = self._scene(ctx, click.user.id)
        return asking.answer(here, str(click.args["run"]), click.user, worked=True)

    @action("mitigation-failed", permission="mitigation.run")
    def mitigation_failed(self, click: Click, ctx: Context) -> str:
        here = self._scene(ctx, click.user.id)
        return asking.answer(here, str(click.args["run"]), click.user, worked=False)

    @on(scene.DUE)
    def drive_mitigation(self, errand: Errand, ctx: Context) -> None:
        driving.advance(self._scene(ctx), str(errand.data["run"]))

    @on(scene.TELL)
    def tell_of_mitigation(self, errand: Errand, ctx: Context) -> None:
        here = self._scene(ctx)
        here.tell(here.ledger.run(str(errand.data["run"])))

    @on(scene.AUTO_DUE)
    def start_mitigation(self, errand: Errand, ctx: Context) -> None:
        asked = errand.data
        rounds.start_automatic(self._scene(ctx), asked["key"], asked["episode"], asked["mitigation"])

    @schedule("* * * * * */10")
    def look_after_mitigations(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002  # any time is like another
        rounds.walk(self._scene(ctx))

    @command("mitigations", help="Mitigations and their kill switch", usage=console.USAGE)
    def mitigations(self, asked: Command, ctx: Context) -> None:
        ctx.reply(console.answer(self._scene(ctx, asked.user.id), asked.text, asked.user))


def _show(here: Scene, proposal: Proposal, trigger_id: str) -> None:
    """Ask for confirmation in a dialog, or in a message when the dry run took too long for one."""
    ctx = here.ctx
    mitigation, blocks = asking.question(here, proposal)
    late = ctx.now() - ctx.event.received_at > timedelta(seconds=_DIALOG_SECONDS)
    if not late:
        modal = telling.dialog(proposal, blocks, mitigation.title)
        try:
            ctx.step("dialog", ctx.chat.open_modal, trigger_id=trigger_id, modal=modal)
        except Permanent as exc:  # it was late after all: the trigger lives for three seconds
            ctx.log.warning("dialog.not_opened", error=str(exc))
        else:
            return
    ctx.reply(telling.late_dialog(proposal, blocks, mitigation.title))
