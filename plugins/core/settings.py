"""/signalbox settings: what plugins are set to, changed in a dialog and obeyed everywhere within seconds."""

from __future__ import annotations

from typing import Any

from bot.core import settings_form
from bot.core.settings_changes import SettingsChanges
from bot.plugin import (
    Actions,
    Button,
    Change,
    Click,
    Command,
    Context,
    Message,
    Note,
    Option,
    Refused,
    Section,
    Select,
    Submission,
    action,
    command,
    join,
    md,
    view,
)

CONFIGURE = "plugins.configure"
_SHOWN = 200
_MOST = 10


class SettingsHandlers:
    @command(
        "settings",
        help="Change a plugin's settings.",
        usage="settings [PLUGIN [reset] | waiting]",
        permission=CONFIGURE,
    )
    def settings(self, command: Command, ctx: Context) -> None:
        words = command.text.split()
        if not words:
            ctx.reply(_choice(_plugins(ctx)))
        elif words == ["waiting"]:
            ctx.reply(_waiting(_desk(ctx).waiting()))
        elif words[1:] == ["reset"]:
            plugin = _known(words[0], ctx)
            known = ctx.overrides.of(plugin)
            _set(plugin, ctx.overrides.first(plugin), known.version if known else 0, command.user.id, ctx)
        else:
            _open(_known(words[0], ctx), command.trigger_id, ctx)

    @action("settings", permission=CONFIGURE)
    def choose_settings(self, click: Click, ctx: Context) -> None:
        _open(_known(click.selected[0], ctx), click.trigger_id, ctx)

    @view("settings", permission=CONFIGURE)
    def change_settings(self, sent: Submission, ctx: Context) -> None:
        plugin = _known(str(sent.private["plugin"]), ctx)
        fixed = ctx.overrides.fixed(plugin)
        values = settings_form.entered(ctx.registry.plugins[plugin].config, sent.values, fixed)
        if not values:
            ctx.reply(md("*{}* is set so already.", plugin))
            return
        _set(plugin, values, int(sent.private["version"]), sent.user.id, ctx)

    @action("settings_approve", permission=CONFIGURE)
    def approve_settings(self, click: Click, ctx: Context) -> str:
        """Whoever proposed it is refused: the change needs the word of another person."""
        change = ctx.changes.authorise(click.args["change"])
        _desk(ctx).carry_out(change, click.user.id)
        return "set"

    @action("settings_reject", permission=CONFIGURE)
    def reject_settings(self, click: Click, ctx: Context) -> str:
        ctx.changes.authorise(click.args["change"], approve=False)
        return "rejected"


def _set(plugin: str, values: dict[str, Any], version: int, user: str, ctx: Context) -> None:
    if not values:
        ctx.reply(_told(plugin, {}))
        return
    desk = _desk(ctx)
    change = desk.propose(plugin, values, version, key=ctx.event.id, reason="Asked for in the chat.")
    if change.change_type == "standard":
        ctx.reply(_told(plugin, desk.carry_out(change, user)))
        return
    ctx.reply(
        f"{plugin} stays as it is until another person who may change settings has agreed: "
        "`/signalbox settings waiting`."
    )


def _desk(ctx: Context) -> SettingsChanges:
    return SettingsChanges(ctx.overrides, ctx.registry, ctx.changes, ctx.settings.records.templates)


def _waiting(changes: list[Change]) -> Message:
    if not changes:
        return Message(text="No change of settings waits for anybody's word.")
    blocks: list[Section | Actions] = []
    for change in changes[:_MOST]:
        lines = [
            md("• {}: `{}`", field, str(value)[:_SHOWN]) for field, value in (change.after or {}).items()
        ]
        blocks.append(Section(text=join("\n", [md("*{}* by {}", change.title, change.initiator), *lines])))
        args, group = {"change": change.id}, change.id
        blocks.append(
            Actions(
                elements=(
                    Button(
                        text="Approve", action="settings_approve", args=args, group=group, style="primary"
                    ),
                    Button(text="Reject", action="settings_reject", args=args, group=group),
                )
            )
        )
    return Message(text="Changes of settings wait for another person's word.", blocks=tuple(blocks))


def _open(plugin: str, trigger_id: str, ctx: Context) -> None:
    known = ctx.overrides.of(plugin)
    config = ctx.registry.plugins[plugin].config
    modal = settings_form.form(plugin, config, ctx.overrides.fixed(plugin), known.version if known else 0)
    if not modal.inputs:
        raise Refused(f"{plugin} has no settings that can be changed here.", check="offered")
    ctx.step("form", ctx.chat.open_modal, trigger_id=trigger_id, modal=modal)


def _plugins(ctx: Context) -> list[str]:
    """Those with something to change."""
    ctx.overrides.refresh()
    return [
        name
        for name, plugin in sorted(ctx.registry.plugins.items())
        if settings_form.offered(plugin.Config, ())
    ]


def _known(name: str, ctx: Context) -> str:
    if name not in ctx.registry.plugins:
        raise Refused(f"There is no plugin {name!r}. There are {', '.join(_plugins(ctx))}.", check="known")
    return name


def _choice(plugins: list[str]) -> Message:
    menu = Select(
        placeholder="Choose a plugin",
        action="settings",
        options=tuple(Option(text=name, value=name) for name in plugins),
        once=False,
    )
    note = "Every process takes a change within seconds; it outlasts restarts. The environment wins over it."
    return Message(
        text="Change the settings of which plugin?",
        blocks=(
            Section(text="Change the settings of which plugin?"),
            Actions(elements=(menu,)),
            Note(parts=(note,)),
        ),
    )


def _told(plugin: str, changed: dict[str, object]) -> Message:
    lines = [md("• {}: `{}`", field, str(value)[:_SHOWN]) for field, value in changed.items()]
    if not lines:
        return Message(text=f"{plugin} is as the file and the environment say.")
    title = f"{plugin} is set anew"
    return Message(text=title, blocks=(Section(text=join("\n", [md("*{}*", title), *lines])),))
