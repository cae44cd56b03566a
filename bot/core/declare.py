"""Declaring what a plugin wants: decorators that only attach data, and the base class that collects it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal

from croniter import croniter
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

from bot.core.errors import ConfigError
from bot.core.pages import Page
from bot.core.ports import Health
from bot.core.zones import is_time_zone

if TYPE_CHECKING:
    from bot.core.context import Context
    from bot.core.events import User
    from bot.core.messages import Block

API_VERSION = 1
Queue = Literal["interactive", "io", "model", "spark"]
Trigger = Literal["event", "command", "action", "view", "shortcut", "schedule"]
CatchUp = Literal["latest", "skip"]
BY_PEOPLE: frozenset[Trigger] = frozenset({"command", "action", "view", "shortcut"})
"""Triggers that a person pulls; each name is declared once."""
M = TypeVar("M", bound=Callable[..., Any])
SHORTCUT_TITLE, SHORTCUT_HELP = 24, 150
"""Characters that Slack's menus have room for (docs.slack.dev, app manifest reference)."""
_NAME = re.compile(r"[a-z][a-z0-9-]{1,39}")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one decorator says about one method."""

    trigger: Trigger
    match: str
    queue: Queue
    permission: str | None = None
    help: str = ""
    usage: str = ""
    title: str = ""
    zone: str = "UTC"
    catch_up: CatchUp = "latest"


@dataclass(frozen=True, slots=True)
class Handler:
    """A declared method of a loaded plugin. `name` ("plugin.method") is what inbox rows carry."""

    plugin: str
    method: str
    declaration: Declaration

    @property
    def name(self) -> str:
        return f"{self.plugin}.{self.method}"


def _declare(declaration: Declaration) -> Callable[[M], M]:
    def attach(method: M) -> M:
        method.__dict__.setdefault("__signalbox__", []).append(declaration)
        return method

    return attach


def on(kind: str, *, queue: Queue = "io") -> Callable[[M], M]:
    """Handle events of a kind, e.g. "ticket.created" or "alertmanager.group"."""
    return _declare(Declaration("event", kind, queue))


def command(
    name: str, *, help: str = "", usage: str = "", permission: str | None = None, queue: Queue = "interactive"
) -> Callable[[M], M]:
    """Handle `/signalbox name …`. Without `help` the docstring's first line is shown.

    `permission=None` is for commands that only read; what changes the outside world names one.
    """
    return _declare(Declaration("command", name, queue, permission, help, usage))


def action(name: str, *, permission: str | None, queue: Queue = "interactive") -> Callable[[M], M]:
    """Handle a button or menu. Buttons change things, so it must be said who may.

    `permission=None` is for what concerns nobody but the person who presses.
    """
    return _declare(Declaration("action", name, queue, permission))


def view(name: str, *, permission: str, queue: Queue = "interactive") -> Callable[[M], M]:
    """Handle a submitted modal."""
    return _declare(Declaration("view", name, queue, permission))


def shortcut(
    name: str, *, title: str, help: str = "", permission: str, queue: Queue = "interactive"
) -> Callable[[M], M]:
    """Handle an entry in the menu of any message, called `title` there.

    Slack shows it once the app's manifest names it. Without `help` the docstring's first line explains it.
    """
    return _declare(Declaration("shortcut", name, queue, permission, help, title=title))


def schedule(
    cron: str, *, zone: str = "UTC", catch_up: CatchUp = "latest", queue: Queue = "io"
) -> Callable[[M], M]:
    """Run by the clock: a cron expression in an IANA zone, once however many schedulers run.

    After downtime, "latest" runs the most recent missed time once and "skip" none. A cron of the
    form "config:field" is read from the plugin's config model, and so is such a zone. A sixth field is
    seconds: "* * * * * */30" is twice a minute. The clock is looked at every 10 s.
    """
    return _declare(Declaration("schedule", cron, queue, zone=zone, catch_up=catch_up))


class PluginConfig(BaseModel):
    """Base of a plugin's [plugins.<name>] section."""

    model_config = ConfigDict(frozen=True, extra="forbid")


C = TypeVar("C", bound=PluginConfig, default=PluginConfig)


class Plugin(Generic[C]):
    """A plugin: a name, a typed config model and decorated methods.

    `class Relay(Plugin[RelayConfig])` with `Config = RelayConfig` has a typed `self.config`; a plugin
    without settings is just `class Hello(Plugin)`.

    Methods are plain synchronous functions `(self, payload, ctx)`; see `bot.plugin` for the names.
    """

    name: ClassVar[str]
    api: ClassVar[int] = 1
    """The plugin API that it was made for. Whoever says nothing was made for the first: this stays 1."""
    Config: ClassVar[type[PluginConfig]] = PluginConfig
    sections: ClassVar[tuple[str, ...]] = ()
    """Top-level lists of the settings, such as [[mitigations]], that fill fields of `Config` by name."""
    config: C

    def __init__(self, config: C) -> None:
        self.config = config

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        _check(cls)

    def health(self, ctx: Context) -> Health:  # noqa: ARG002  # a hook: subclasses use the context
        return Health()

    page_title: ClassVar[str] = ""
    """Title of this plugin's page in the console; empty: it has none."""

    def page(self, ctx: Context) -> Page:  # noqa: ARG002  # a hook: subclasses use the context
        """What the console shows under `page_title`. It only reads: it runs in the web process."""
        return Page(title=self.page_title)

    def page_of(self, key: str, ctx: Context) -> Page | None:  # noqa: ARG002  # a hook
        """The page of one thing that `page` links to as /pages/<plugin>/of/<key>; None: there is none."""
        return None

    def home(self, user: User, ctx: Context) -> Sequence[Block]:  # noqa: ARG002  # a hook
        """What a person's Home tab shows of this plugin; nothing: it is left out.

        Its buttons and menus have `once=False`; their handlers end with `ctx.show_home(click.user)`.
        """
        return ()

    def routers(self) -> list[Any]:
        """FastAPI routers under /api/<plugin name>, behind a token; built in the web process only.

        Their routes are declared by `get`, `post` and the like: no token would guard any other.
        """
        return []

    @classmethod
    def declarations(cls) -> Iterator[tuple[str, Declaration]]:
        for method, function in inspect.getmembers(cls, inspect.isfunction):
            for declaration in getattr(function, "__signalbox__", ()):
                yield method, _with_help(declaration, function)

    def handlers(self) -> Iterator[Handler]:
        """The declared methods, with "config:field" schedules filled in from this plugin's config."""
        for method, declaration in self.declarations():
            yield Handler(self.name, method, self._resolve(declaration))

    def _resolve(self, declaration: Declaration) -> Declaration:
        if declaration.trigger != "schedule":
            return declaration
        match, zone = (self._from_config(value) for value in (declaration.match, declaration.zone))
        if not croniter.is_valid(match):
            raise ConfigError(
                f"Plugin {self.name!r}: {match!r} is not a cron expression. "
                'Use five fields, for example "0 9 * * MON-FRI".'
            )
        if not is_time_zone(zone):
            raise ConfigError(
                f"Plugin {self.name!r}: {zone!r} is not an IANA time zone. Use one such as 'Europe/Berlin'."
            )
        return Declaration("schedule", match, declaration.queue, zone=zone, catch_up=declaration.catch_up)

    def _from_config(self, value: str) -> str:
        prefix, _, field = value.partition("config:")
        return str(getattr(self.config, field)) if field and not prefix else value


def _with_help(declaration: Declaration, function: Callable[..., Any]) -> Declaration:
    if declaration.help or declaration.trigger not in {"command", "shortcut"}:
        return declaration
    doc = (inspect.getdoc(function) or "").split("\n", maxsplit=1)[0]
    return replace(declaration, help=doc)


def _check(cls: type[Plugin[Any]]) -> None:
    """Refuse a faulty declaration when the class is made, with the words that mend it."""
    name = getattr(cls, "name", "")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{cls.__qualname__}: set `name` to lower-case words joined by '-', not {name!r}.")
    seen: set[tuple[str, str]] = set()
    for method, declaration in cls.declarations():
        key = (declaration.trigger, declaration.match)
        if declaration.trigger in BY_PEOPLE and key in seen:
            raise ConfigError(
                f"{cls.__qualname__}.{method}: {declaration.trigger} {declaration.match!r} is declared twice."
            )
        seen.add(key)
        if declaration.trigger == "shortcut":
            _check_shortcut(f"{cls.__qualname__}.{method}", declaration)


def _check_shortcut(where: str, declaration: Declaration) -> None:
    title, about = declaration.title, declaration.help
    if not 0 < len(title) <= SHORTCUT_TITLE or not 0 < len(about) <= SHORTCUT_HELP:
        raise ConfigError(
            f"{where}: a shortcut's title has 1 to {SHORTCUT_TITLE} characters, not {len(title)}, "
            f"and its help (or docstring's first line) 1 to {SHORTCUT_HELP}, not {len(about)}."
        )
