"""Plugins: which there are and how they do, their pages, and the buttons on those."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from bot.console import charts, press
from bot.console.conditions import Conditions, reading
from bot.console.frame import Console
from bot.core.declare import Plugin
from bot.core.errors import Permanent, SignalboxError
from bot.core.kernel import Kernel
from bot.core.pages import Chart, Controls, Page

SWITCH = "plugins.switch"
_CHARTS_SECONDS = 30.0
_MOST_SHOWN = 50
log = structlog.get_logger()


class _Shown:
    """Pages as they were just shown: their charts are asked for right after, and show the same."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._pages: dict[tuple[str, str], tuple[float, Page]] = {}

    def make(self, plugin: str, key: str = "") -> Page:
        made = _page(self._kernel, plugin, key)
        if len(self._pages) >= _MOST_SHOWN:
            self._pages.clear()
        self._pages[plugin, key] = time.monotonic(), made
        return made

    def chart(self, plugin: str, key: str, number: int) -> Chart:
        at, page = self._pages.get((plugin, key), (0.0, None))
        if page is None or time.monotonic() - at > _CHARTS_SECONDS:
            page = self.make(plugin, key)
        if not (0 <= number < len(page.parts) and isinstance(drawn := page.parts[number], Chart)):
            raise HTTPException(404, "This page has no such chart; reload the page.")
        return drawn


def add_plugins(router: APIRouter, console: Console) -> None:
    _add_list(router, console)
    _add_pages(router, console)


def _add_list(router: APIRouter, console: Console) -> None:
    kernel = console.kernel
    conditions = Conditions(kernel)

    @router.get("/plugins")
    def plugins(request: Request) -> Response:
        console.session(request)
        kernel.overrides.refresh()
        shown: dict[str, Any] = {
            "report": kernel.registry.report,
            "resting": kernel.pauses.all(),
            "off": {name: off.words for name, off in kernel.switches.all().items()},
            "conditions": conditions.all(),
            "details": [_detail(plugin, kernel) for plugin in kernel.registry.plugins.values()],
        }
        return console.show(request, "plugins.html", "plugins", **shown)

    @router.post("/plugins/{name}/switch")
    def switch(
        request: Request,
        name: str,
        token: Annotated[str, Form()],
        to: Annotated[Literal["on", "off"], Form()],
        why: Annotated[str, Form(max_length=300)] = "",
    ) -> Response:
        session = console.acts(request, token)
        console.require(session, SWITCH, f"switch a plugin {to}")
        if name not in kernel.registry.plugins:
            raise HTTPException(404, f"There is no plugin {name!r} here.")
        by = f"console:{session.user}"
        if to == "on":
            kernel.switches.turn_on(name, by, why.strip())
        else:
            kernel.switches.turn_off(name, by, why.strip())
        return RedirectResponse("/plugins", 303)


def _add_pages(router: APIRouter, console: Console) -> None:
    kernel = console.kernel
    pages = _Shown(kernel)

    def show(request: Request, plugin: str, key: str = "") -> Response:
        session = console.session(request)
        made = pages.make(plugin, key)
        controls = [part for part in made.parts if isinstance(part, Controls) and not session.by_link]
        buttons = {part.title: press.shown(part, session.user, kernel) for part in controls}
        address = f"/pages/{plugin}/of/{key}" if key else f"/pages/{plugin}"
        shown: dict[str, Any] = {
            "page": made,
            "address": address,
            "buttons": buttons,
            "charts": charts,
            "key": key,
        }
        return console.show(request, "page.html", plugin, **shown)

    def draw(request: Request, plugin: str, key: str, number: int, *, narrow: bool) -> Response:
        console.session(request)
        drawn = charts.svg(pages.chart(plugin, key, number), charts.NARROW if narrow else charts.WIDE)
        return Response(drawn, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})

    @router.get("/pages/{plugin}")
    def page(request: Request, plugin: str) -> Response:
        return show(request, plugin)

    @router.get("/pages/{plugin}/of/{key}")
    def page_of(request: Request, plugin: str, key: str) -> Response:
        return show(request, plugin, key)

    @router.get("/pages/{plugin}/charts/{number}.svg")
    def chart(request: Request, plugin: str, number: int, *, narrow: bool = False) -> Response:
        return draw(request, plugin, "", number, narrow=narrow)

    @router.get("/pages/{plugin}/of/{key}/charts/{number}.svg")
    def chart_of(request: Request, plugin: str, key: str, number: int, *, narrow: bool = False) -> Response:
        return draw(request, plugin, key, number, narrow=narrow)

    @router.post("/press/{button_id}")
    def pressed(request: Request, button_id: str, token: Annotated[str, Form()]) -> Response:
        session = console.acts(request, token)
        if session.by_link:
            raise HTTPException(403, "Buttons need to know who presses: sign in with Slack.")
        return RedirectResponse(f"/events/{press.press(button_id, session.user, kernel)}", 303)


def _page(kernel: Kernel, name: str, key: str) -> Page:
    kernel.overrides.refresh()
    plugin = kernel.registry.plugins.get(name)
    if plugin is None or not plugin.page_title:
        raise HTTPException(404, f"The plugin {name!r} has no page here.")
    context = reading(kernel, plugin)
    try:
        made = plugin.page_of(key, context) if key else plugin.page(context)
    except SignalboxError:
        raise
    except Exception as exc:  # a faulty plugin may raise anything; the others' pages must work
        log.exception("console.page_failed", plugin=name)
        raise Permanent(
            f"The page of {name!r} could not be made: {type(exc).__name__}. The log has the details."
        ) from exc
    if made is None:
        raise HTTPException(404, f"The plugin {name!r} knows no {key!r}.")
    return made


def _worded(value: Any) -> str:
    """A setting as its form shows it, not as Python does."""
    if value is None or value in ("", [], {}):
        return "–"  # noqa: RUF001  # as other empty cells
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _detail(plugin: Plugin[Any], kernel: Kernel) -> dict[str, Any]:
    config = plugin.config.model_dump(mode="json")
    return {
        "name": plugin.name,
        "settings": [
            (name, _worded(config[name]), kernel.overrides.origin(plugin.name, name), field.description)
            for name, field in type(plugin.config).model_fields.items()
        ],
        "handlers": [
            (h.declaration.trigger, h.declaration.match, h.declaration.queue, h.declaration.permission or "")
            for h in plugin.handlers()
        ],
    }
