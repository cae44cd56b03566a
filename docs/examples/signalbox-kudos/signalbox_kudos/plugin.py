from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

from bot.plugin import (
    Command,
    Context,
    Markup,
    Message,
    Plugin,
    Section,
    Tick,
    command,
    join,
    md,
    mention,
    schedule,
)
from signalbox_kudos.config import KudosConfig

_ASKED = re.compile(r"<@(?P<user>[UW][A-Z0-9]+)(\|[^>]*)?>\s+(?P<why>\S.*)", re.DOTALL)
_WEEK = timedelta(days=7)


class Kudos(Plugin[KudosConfig]):
    name = "kudos"
    api = 1
    Config = KudosConfig

    @command("kudos", help="Thank somebody.", usage="@PERSON for WHAT")
    def thank(self, command: Command, ctx: Context) -> None:
        asked = _ASKED.fullmatch(command.text.strip())
        if asked is None:
            ctx.reply("Say whom and what for, such as: kudos @bob for the quick fix. Nobody was thanked.")
            return
        if asked["user"] == command.user.id:
            ctx.reply("Thank somebody else; you know it anyway.")
            return
        said = md("{} thanks {} {}", mention(command.user.id), mention(asked["user"]), asked["why"])
        ctx.reply(said, public=True)
        # One event gives one thank-you: a handler that is run again finds its own record.
        if not any(r.event_id == ctx.event.id for r in ctx.records.find("kudos", subject=asked["user"])):
            ctx.records.append("kudos", asked["user"], {"by": command.user.id})

    @schedule("config:cron", zone="config:zone")
    def count(self, tick: Tick, ctx: Context) -> None:
        found = ctx.records.find("kudos", since=tick.due_at - _WEEK, until=tick.due_at, limit=1000)
        ranks = Counter(record.subject for record in found).most_common(5)
        text = _ranking(ranks) if ranks else md("Nobody was thanked this week.")
        message = Message(text="Kudos of the week", blocks=(Section(text=text),))
        ctx.step("post", ctx.chat.post, channel=self.config.channel, message=message)


def _ranking(ranks: list[tuple[str, int]]) -> Markup:
    lines = [md("{}: {}", mention(user), str(number)) for user, number in ranks]
    return join("\n", [md("*Kudos of the week*"), *lines])
