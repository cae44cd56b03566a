"""Who gets the digest as a direct message too, because they asked for it on their Home tab."""

from __future__ import annotations

from collections.abc import Sequence

from bot.plugin import Actions, Block, Button, Context, Section, md

_SUBSCRIBER = "subscriber:"


def all_of(ctx: Context) -> list[str]:
    """Users' ids, in their order."""
    return [
        document.key.removeprefix(_SUBSCRIBER)
        for document in ctx.documents.having(_SUBSCRIBER)
        if document.data["wanted"]
    ]


def choose(user: str, ctx: Context, *, wanted: bool) -> None:
    known = ctx.documents.get(_SUBSCRIBER + user)
    ctx.documents.put(_SUBSCRIBER + user, {"wanted": wanted}, version=known.version if known else 0)


def setting(user: str, channel: str, ctx: Context) -> Sequence[Block]:
    """How it stands, and a button to change it."""
    wanted = user in all_of(ctx)
    words = f"is posted in {channel}{', and sent to you too' if wanted else ''}"
    label = "Do not send it to me" if wanted else "Send it to me too"
    button = Button(text=label, action="subscribe", args={"wanted": not wanted}, once=False)
    return (Section(text=md("*The daily digest* {}.", words)), Actions(elements=(button,)))
