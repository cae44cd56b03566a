"""From a press to an answer: known, not expired, permitted, first. Every press is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from bot.core.buttons import Claim, StoredButton
from bot.core.context import Context
from bot.core.errors import Refused, SignalboxError
from bot.core.events import Click
from bot.core.kernel import Kernel
from bot.core.messages import MessageRef, md, mention

Method = Callable[[Any, Context], Any]


class ClickGate:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def press(self, click: Click, context: Context, method: Method) -> None:
        """Let one press through; what the handler returns as text becomes the outcome people see."""
        button = self._known(click, context)
        what = f"press {button.label!r}"
        self._kernel.permissions.require(click.user.id, context.handler.declaration.permission, what)
        filled = click.model_copy(update={"args": button.args})
        if not button.once:
            method(filled, context)
            return
        claim = self._kernel.buttons.claim(button, context.event.id, click.user.id)
        if claim.event_id != context.event.id:
            self._answer_late(claim, context)
            return
        self._press_claimed(filled, context, method, claim)

    def _known(self, click: Click, context: Context) -> StoredButton:
        button = self._kernel.buttons.get(click.button_id)
        named = (context.handler.plugin, context.handler.declaration.match)
        if button is None or (button.plugin, button.action) != named:
            raise Refused("This button is not known here any more; nothing was run.", check="known")
        if button.expires_at < self._kernel.clock():
            raise Refused(
                f"{button.label!r} expired at {button.expires_at:%Y-%m-%d %H:%M} UTC; nothing was run.",
                check="expired",
            )
        return button

    def _press_claimed(self, click: Click, context: Context, method: Method, claim: Claim) -> None:
        self._refresh(click, context)
        try:
            outcome = method(click, context)
        except Refused:
            self._kernel.buttons.release(claim)
            self._refresh(click, context)
            raise
        self._kernel.buttons.finish(claim, outcome if isinstance(outcome, str) else "")
        self._refresh(click, context)

    def abandon(self, context: Context) -> None:
        """The press failed for good: make the button pressable again."""
        claim = self._kernel.buttons.claimed_by(context.event.id)
        if claim is not None and isinstance(context.payload, Click):
            self._kernel.buttons.release(claim)
            self._refresh(context.payload, context)

    def _answer_late(self, claim: Claim, context: Context) -> None:
        state = "and it is running" if claim.running else (claim.outcome or "and it is done")
        context.reply(
            md(
                "*{}* was already taken by {} at {} UTC, {}.",
                claim.label,
                mention(claim.user_id),
                f"{claim.at:%H:%M:%S}",
                state,
            )
        )

    def _refresh(self, click: Click, context: Context) -> None:
        """Show the strip as it stands. The press itself must not fail because the chat is slow."""
        if not click.message_ts:
            return
        ref = MessageRef(channel=click.reply_to.channel, ts=click.message_ts)
        try:
            self._kernel.chat.refresh(ref=ref, step_key=context.event.id)
        except SignalboxError as exc:
            structlog.get_logger().warning("strip.not_refreshed", error=str(exc))
