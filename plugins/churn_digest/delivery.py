"""Where owners get their own accounts: as the settings say, or as they chose on their Home tab."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.plugin import Actions, Block, Context, Option, Refused, Section, Select, md
from plugins.churn_digest.config import ChurnDigestConfig

THREAD = ""
_CHOICE = "delivery:"
_OPTIONS = {"thread": "in the digest's thread", "direct": "as a direct message", "off": "not at all"}
_WORDS = {**_OPTIONS, "channel": "in the channel that the settings name"}


def places(owners: Iterable[str], config: ChurnDigestConfig, ctx: Context) -> dict[str, str]:
    """Owner to a channel, a user or `THREAD`; owners who get nothing of their own are left out."""
    chosen = {d.key.removeprefix(_CHOICE): str(d.data["choice"]) for d in ctx.documents.having(_CHOICE)}
    found = {owner: _place(owner, chosen, config) for owner in owners}
    return {owner: place for owner, place in found.items() if place is not None}


def choose(user: str, choice: str, ctx: Context) -> None:
    if choice not in _OPTIONS:
        raise Refused(f"{choice!r} is no place for a digest; nothing was changed.", check="place")
    known = ctx.documents.get(_CHOICE + user)
    ctx.documents.put(_CHOICE + user, {"choice": choice}, version=known.version if known else 0)


def menu(user: str, config: ChurnDigestConfig, ctx: Context) -> Sequence[Block]:
    """How it stands for this owner, and a menu to change it."""
    known = ctx.documents.get(_CHOICE + user)
    now = _WORDS[str(known.data["choice"]) if known else config.owner_digests]
    options = tuple(Option(text=words, value=choice) for choice, words in _OPTIONS.items())
    select = Select(placeholder="Where your accounts come", action="delivery", options=options, once=False)
    text = md("Besides the digest of all, *your own accounts come {}*.", now)
    return (Section(text=text), Actions(elements=(select,)))


def _place(owner: str, chosen: dict[str, str], config: ChurnDigestConfig) -> str | None:
    user = config.user_of(owner)
    match chosen.get(user, config.owner_digests):
        case "thread":
            return THREAD
        case "direct":
            return user
        case "channel":
            return config.owner_channels.get(owner)
        case _:
            return None
