from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

from bot.core.errors import SignalboxError
from bot.plugin import (
    ChatMessage,
    Click,
    Command,
    Context,
    Permanent,
    Plugin,
    ReplyTo,
    action,
    command,
    on,
)
from plugins.core import messages, policy
from plugins.core.policy import Condition
from plugins.core.settings import SettingsHandlers

DEAD_LETTERS_SHOWN = 10
_DAY = timedelta(days=1)
SWITCH = "plugins.switch"


class Core(SettingsHandlers, Plugin):
    name = "core"

    @command("help", help="List the commands you may use, or explain one.", usage="help [command]")
    def help(self, command: Command, ctx: Context) -> None:
        if command.text:
            self._explain(command, ctx)
            return
        found = policy.usable(
            ctx.registry.commands(), lambda permission: ctx.permissions.allowed(command.user.id, permission)
        )
        ctx.reply(messages.command_list(ctx.settings.slack.command, found))

    def _explain(self, command: Command, ctx: Context) -> None:
        name = command.text.split()[0].lower()
        handler = ctx.registry.command(name)
        slash = ctx.settings.slack.command
        if handler is None:
            ctx.reply(messages.unknown_command(slash, name, ctx.registry.nearest(name)))
            return
        allowed = ctx.permissions.allowed(command.user.id, handler.declaration.permission)
        ctx.reply(messages.command_detail(slash, handler, allowed=allowed))

    @on("slack.mention", queue="interactive")
    def mentioned(self, said: ChatMessage, ctx: Context) -> None:
        """Commands are slash commands; who calls the bot by name is shown the one that they meant."""
        near = [word for word in policy.words(said.text) if ctx.registry.command(word)][:1]
        to = ReplyTo(channel=said.channel, user=said.user.id, thread_ts=said.thread_ts)
        hint = messages.call_me_by(ctx.settings.slack.command, near)
        ctx.step("reply", ctx.chat.reply, to=to, message=hint)

    @on("slack.home", queue="interactive")
    def show_home(self, opened: ChatMessage, ctx: Context) -> None:
        ctx.show_home(opened.user)

    @command("status", help="Show what is waiting, what is dead and how the plugins are.")
    def status(self, command: Command, ctx: Context) -> None:  # noqa: ARG002  # nothing to choose
        conditions = policy.worst_first(self._conditions(ctx))
        ctx.reply(
            messages.status(
                ctx.inbox.counts(ctx.now() - _DAY),
                ctx.inbox.oldest_pending_seconds(),
                conditions,
                policy.not_loaded(ctx.registry.report),
            )
        )

    def _conditions(self, ctx: Context) -> Iterator[Condition]:
        resting, off = ctx.pauses.all(), ctx.switches.all()
        for name, plugin in ctx.registry.plugins.items():
            if name in off:
                yield Condition(name, "degraded", off[name].words)
                continue
            if name in resting:
                yield Condition(name, "degraded", resting[name])
                continue
            try:
                yield policy.condition_of(name, plugin.health(ctx))
            except SignalboxError as exc:
                yield Condition(name, "down", str(exc))
            except Exception as exc:  # a plugin's bug must not hide how the others are
                ctx.log.exception("plugin.health_failed", checked=name)
                yield Condition(
                    name, "down", f"Its health check failed with {type(exc).__name__}; see the log."
                )

    @command(
        "plugins",
        help="List plugins, or switch one off and on.",
        usage="plugins [disable NAME [why] | enable NAME]",
    )
    def plugins(self, command: Command, ctx: Context) -> None:
        words = command.text.split(maxsplit=2)
        if len(words) >= 2 and words[0] in {"disable", "enable"}:
            ctx.permissions.require(command.user.id, SWITCH, f"{words[0]} a plugin")
            ctx.reply(self._switched(words[0], words[1], "".join(words[2:]), command.user.id, ctx))
            return
        ctx.reply(messages.plugins(ctx.registry.report, ctx.switches.all()))

    def _switched(self, verb: str, name: str, why: str, user: str, ctx: Context) -> str:
        if name not in ctx.registry.plugins:
            return f"There is no plugin {name!r}. The plugins are {', '.join(sorted(ctx.registry.plugins))}."
        if verb == "disable":
            off = ctx.switches.turn_off(name, user, why, ctx.event.id)
            return f"{off.words}. Its events wait until it is enabled."
        if ctx.switches.turn_on(name, user, why, ctx.event.id):
            return f"{name} is on again; what waited is worked on within a minute."
        return f"{name} is on."

    @command("ping", help="Answer, and say where the time went.")
    def ping(self, command: Command, ctx: Context) -> None:  # noqa: ARG002  # nothing to choose
        queued = (ctx.now() - ctx.event.received_at).total_seconds()
        started = time.perf_counter()
        ctx.inbox.oldest_pending_seconds()
        ctx.reply(messages.pong(queued, time.perf_counter() - started))

    @command("trace", help="Follow an event from its delivery to its effects.", usage="trace ID")
    def trace(self, command: Command, ctx: Context) -> None:
        if not command.text:
            ctx.reply(messages.recent(ctx.settings.slack.command, ctx.inbox.recent(10)))
            return
        try:
            found = ctx.trace(command.text.split()[0])
        except Permanent as exc:
            # A typo is no dead letter.
            ctx.reply(str(exc))
            return
        ctx.reply(messages.trace(found))

    @command("deadletters", help="List what failed for good; show or replay it.", permission="inbox.replay")
    def deadletters(self, command: Command, ctx: Context) -> None:  # noqa: ARG002  # nothing to choose
        dead = ctx.inbox.runs(status="dead", limit=DEAD_LETTERS_SHOWN)
        ctx.reply(messages.dead_letters(dead, ctx.inbox.open_counts()["dead"]))

    @action("show", permission="inbox.replay")
    def show(self, click: Click, ctx: Context) -> None:
        ctx.reply(messages.trace(ctx.trace(click.args["event_id"])))

    @action("replay", permission="inbox.replay")
    def replay(self, click: Click, ctx: Context) -> str:
        run_id = click.args["run_id"]
        try:
            ctx.replay(run_id)
        except Permanent as exc:
            # Somebody was faster, or this press was interrupted after it had replayed.
            ctx.reply(str(exc))
            return "nothing left to replay"
        ctx.audit("replay", run_id, before="dead", after="pending")
        ctx.reply(messages.replayed(click.args))
        return "replayed"

    @command("why", help="Say why somebody may do something, or not.", usage="why @user permission")
    def why(self, command: Command, ctx: Context) -> None:
        words = [word for word in command.text.split() if word != "can"]
        if len(words) != 2:
            ctx.reply(f"Usage: {ctx.settings.slack.command} why @user permission")
            return
        user, permission = policy.user_id(words[0]), words[1]
        allowed = ctx.permissions.allowed(user, permission)
        ctx.reply(messages.why(user, permission, ctx.permissions.granting(permission), allowed=allowed))
