"""/signalbox settings: what plugins are set to, changed in a dialog and obeyed everywhere within seconds."""

from __future__ import annotations

from bot.plugin import (
    Actions,
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
from plugins.core import settings_form

CONFIGURE = "plugins.configure"
_SHOWN = 200


class SettingsHandlers:
    @command(
        "settings",
        help="Change a plugin's settings.",
        usage="settings [PLUGIN [reset]]",
        permission=CONFIGURE,
    )
    def settings(self, command: Command, ctx: Context) -> None:
        words = command.text.split()
        if not words:
            ctx.reply(_choice(_plugins(ctx)))
        elif words[1:] == ["reset"]:
            ctx.reply(_told(words[0], ctx.overrides.reset(_known(words[0], ctx), command.user.id)))
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
        changed = ctx.overrides.change(plugin, values, sent.user.id, int(sent.private["version"]))
        ctx.reply(_told(plugin, changed))


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
