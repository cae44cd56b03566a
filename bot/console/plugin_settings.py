"""A plugin's settings as a form: what `/signalbox settings` does in the chat, by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from bot.console.frame import Console
from bot.console.sign_in import Session
from bot.core import settings_form
from bot.core.declare import Plugin
from bot.core.errors import Refused
from bot.core.events import new_id
from bot.core.kernel import Kernel
from bot.core.messages import Modal
from bot.core.service_desk import Changes
from bot.core.service_ledger import Circumstances
from bot.core.service_models import RecordActor
from bot.core.settings_changes import SettingsChanges

CONFIGURE = "plugins.configure"
_DESK = "core"
"""The plugin in whose name settings are changed, so that the chat finds what waits for another person."""
_WAITS = (
    "It stays as it is until another person who may change settings has agreed: they say "
    "`{slash} settings waiting` in Slack."
)


def add_settings(router: APIRouter, console: Console) -> None:
    kernel = console.kernel

    @router.get("/plugins/{name}/settings")
    def settings(request: Request, name: str, done: str = "") -> Response:
        session = console.session(request)
        console.require(session, CONFIGURE, "change settings")
        return _show(request, console, _plugin(kernel, name), done=done)

    @router.post("/plugins/{name}/settings")
    async def change(request: Request, name: str) -> Response:
        sent = {key: str(value) for key, value in (await request.form()).items()}
        return await run_in_threadpool(_change, request, console, name, sent)


def _change(request: Request, console: Console, name: str, sent: Mapping[str, str]) -> Response:
    kernel = console.kernel
    session = console.acts(request, sent.get("token", ""))
    console.require(session, CONFIGURE, "change settings")
    plugin = _plugin(kernel, name)
    try:
        done = _set(kernel, plugin, session, sent)
    except Refused as exc:
        entered = None if exc.check == "unchanged" else sent  # what stands now is to be looked at first
        return _show(request, console, plugin, why=str(exc), entered=entered, code=422)
    return RedirectResponse(f"/plugins/{name}/settings?done={done}", 303)


def _set(kernel: Kernel, plugin: Plugin[Any], session: Session, sent: Mapping[str, str]) -> str:
    """What came of it: "set", "waits", or "same"."""
    name, overrides = plugin.name, kernel.overrides
    values = (
        overrides.first(name)
        if "reset" in sent
        else settings_form.entered(plugin.config, _fields(sent), overrides.fixed(name))
    )
    if not values:
        return "same"
    desk = _desk(kernel, session)
    change = desk.propose(
        name, values, _version(sent), key=new_id(), reason="Asked for in the console.", by=_who(session)
    )
    if change.change_type != "standard":
        return "waits"
    desk.carry_out(change, f"console:{session.user}")
    return "set"


def _show(
    request: Request,
    console: Console,
    plugin: Plugin[Any],
    *,
    done: str = "",
    why: str = "",
    entered: Mapping[str, str] | None = None,
    code: int = 200,
) -> Response:
    kernel, name = console.kernel, plugin.name
    plugin = _plugin(kernel, name)  # as it is after what was just sent
    fixed, known = kernel.overrides.fixed(name), kernel.overrides.of(name)
    form = settings_form.form(name, plugin.config, fixed, known.version if known else 0)
    return console.show(
        request,
        "plugin_settings.html",
        "plugins",
        code=code,
        plugin=name,
        form=form,
        kinds=_kinds(plugin, form),
        origins={field.id: kernel.overrides.origin(name, field.id) for field in form.inputs},
        version=_version(entered) if entered else form.private["version"],
        entered=_fields(entered) if entered else {field.id: field.initial for field in form.inputs},
        changed=bool(kernel.overrides.first(name)),
        fixed=sorted(fixed.items()),
        told=_told(done, kernel.settings.slack.command),
        why=why,
    )


def _kinds(plugin: Plugin[Any], form: Modal) -> dict[str, str]:
    """The kind of field in a browser, for those that no menu stands for."""
    fields = type(plugin.config).model_fields
    numbers = {field.id for field in form.inputs if fields[field.id].annotation in (int, float)}
    return {field.id: "number" if field.id in numbers else "text" for field in form.inputs}


def _told(done: str, slash: str) -> str:
    return {
        "set": "Set. Every process takes it within seconds.",
        "same": "Everything is set so already.",
        "waits": _WAITS.format(slash=slash),
    }.get(done, "")


def _plugin(kernel: Kernel, name: str) -> Plugin[Any]:
    kernel.overrides.refresh()
    if name not in kernel.registry.plugins:
        raise HTTPException(404, f"There is no plugin {name!r} here.")
    return kernel.registry.plugins[name]


def _desk(kernel: Kernel, session: Session) -> SettingsChanges:
    asks = Circumstances(_DESK, RecordActor.of(f"console:{session.user}"))
    templates = kernel.settings.records.templates
    changes = Changes(kernel.ledger, asks, templates, kernel.clock)
    return SettingsChanges(kernel.overrides, kernel.registry, changes, templates)


def _who(session: Session) -> str:
    """Who wants it, as the chat knows them: nobody may agree there to what they proposed here."""
    return f"console:{session.user}" if session.by_link else session.user


def _version(sent: Mapping[str, str]) -> int:
    version = sent.get("version", "")
    return int(version) if version.isdecimal() and len(version) < 10 else 0


def _fields(sent: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix("field:"): value for key, value in sent.items() if key.startswith("field:")}
