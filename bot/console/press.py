"""Buttons on plugins' pages: who signed in with Slack presses them as they would in a message."""

from __future__ import annotations

from fastapi import HTTPException

from bot.core.buttons import StoredButton
from bot.core.events import Click, DedupeKey, NewEvent, ReplyTo, User, new_id
from bot.core.inbox import DueRun
from bot.core.kernel import Kernel
from bot.core.messages import Actions, Button, Message
from bot.core.pages import Controls


def shown(part: Controls, user: str, kernel: Kernel) -> list[Button]:
    """The buttons with their ids that this person may press now; one that somebody took is left out."""
    strip = Message(text=part.title, blocks=(Actions(elements=part.buttons),))
    present = kernel.buttons.present(kernel.buttons.register(strip, part.plugin, f"page:{part.plugin}"))
    return [b for b in present.pressables() if isinstance(b, Button) and _may(user, b, kernel)]


def press(button_id: str, user: str, kernel: Kernel) -> str:
    """Hand the press to the plugin that the button belongs to; the event's id.

    It is checked as any press: permission, expiry, the first one counts. Answers come in Slack.
    """
    found = kernel.buttons.get(button_id)
    handler = kernel.registry.action(found.plugin, found.action) if found else None
    if found is None or handler is None:
        raise HTTPException(404, "This button is not known here any more; reload the page.")
    new = NewEvent(
        source="slack",
        kind="slack.action",
        subject=f"{found.plugin}:{found.action}",
        body=_click(found, user).model_dump_json().encode(),
        dedupe=(DedupeKey(f"console:press:{new_id()}"),),
        actor=user,
        runs=((handler.name, handler.declaration.queue),),
    )
    event_id = kernel.inbox.put(new).event_id
    kernel.enqueue([DueRun(run_id, queue) for run_id, (_, queue) in new.run_ids()])
    return event_id


def _click(found: StoredButton, user: str) -> Click:
    return Click(
        button_id=found.id,
        action=found.action,
        user=User(id=user),
        reply_to=ReplyTo(channel=user, user=user),
    )


def _may(user: str, button: Button, kernel: Kernel) -> bool:
    handler = kernel.registry.action(*button.action.split(":", 1))
    return handler is not None and kernel.permissions.allowed(user, handler.declaration.permission)
