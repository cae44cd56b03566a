"""Writes the pages of reference from the code: `python docs/make_reference.py`."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.main import get_command

from bot.cli.extensions import GROUP
from bot.cli.main import app
from bot.core import events
from bot.core.events import Payload
from bot.core.kernel import declared_kernel
from bot.core.schedule_source import KIND as SCHEDULE
from bot.core.settings import Settings
from bot.core.settings_loader import KNOWN
from bot.queue import CeleryQueue
from bot.web.app import build_web

DOCS = Path(__file__).parent
MADE = "<!-- Made by docs/make_reference.py. -->\n"


def settings_page() -> str:
    head = f"""# Settings

{MADE}
`signalbox.toml` in the working directory (or `SIGNALBOX_CONFIG`), overridden by the environment. A variable
that ends in `_FILE` names a file that holds the value. `signalbox doctor --all` shows what holds and where it
came from.

| setting | variable | default | |
|---|---|---|---|
"""
    return head + "\n".join(_rows(Settings)) + "\n" + _plugin_pages()


def _rows(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        place = (*above, name)
        if name == "plugins":
            continue
        inner = _section(field)
        if inner:
            yield from _rows(inner, place if field.annotation is inner else (*place, "NAME"))
        else:
            cells = (
                f"`{'.'.join(place)}`",
                f"`{_variable(place)}`",
                _default(field),
                field.description or "",
            )
            yield f"| {' | '.join(cells)} |"


def _section(field: FieldInfo) -> type[BaseModel] | None:
    found = [field.annotation, *get_args(field.annotation)]
    return next((a for a in found if isinstance(a, type) and issubclass(a, BaseModel)), None)


def _variable(place: tuple[str, ...]) -> str:
    ecosystem = {known: variable for variable, known in KNOWN.items()}
    return ecosystem.get(place, "SIGNALBOX_" + "__".join(place).upper().replace("-", "_"))


def _default(field: FieldInfo) -> str:
    value = "" if field.is_required() else field.get_default(call_default_factory=True)
    return "" if value in (None, "", (), {}) else f"`{_plain(value)}`"


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _plugin_pages() -> str:
    pages = ""
    for entry in sorted(entry_points(group="signalbox.plugins"), key=lambda entry: entry.name):
        fields = entry.load().Config.model_fields
        if entry.value.startswith("plugins.") and fields:
            variable = _variable(("plugins", entry.name, "…"))
            pages += f"\n## `[plugins.{entry.name}]`\n\nAs variables: `{variable}`.\n\n"
            pages += "| setting | default | |\n|---|---|---|\n"
            rows = (f"| `{name}` | {_default(f)} | {f.description} |" for name, f in fields.items())
            pages += "\n".join(rows) + "\n"
    return pages


def _metrics(module: ModuleType) -> Iterator[MetricWrapperBase]:
    for value in vars(module).values():
        found = value.values() if isinstance(value, dict) else (value,)
        yield from (metric for metric in found if isinstance(metric, MetricWrapperBase))


def metrics_page() -> str:
    ours = [metric for module in MODULES for metric in _metrics(module)]
    head = f"""# Metrics

{MADE}
`GET /metrics` of any web process answers for all processes of its node.

| metric | type | labels | |
|---|---|---|---|
"""
    rows = []
    for metric in sorted(ours, key=lambda metric: metric._name):  # noqa: SLF001
        [family] = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(metric._labelnames)  # noqa: SLF001  # the library has no other way to ask
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return head + "\n".join(rows) + "\n"


MODULES = tuple(
    import_module(name)
    for name in (
        "bot.core.metrics",
        "plugins.alert_relay.metrics",
        "plugins.anomaly_watch.figures",
        "plugins.autotag.metrics",
        "plugins.churn_digest.metrics",
    )
)


# -- commands ----------------------------------------------------------------------------------------


def commands_page() -> str:
    everything = copy.deepcopy(app)
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        everything.add_typer(entry.load(), name=entry.name)
    head = f"""# Commands

{MADE}
All begin with `signalbox`; `--help` after any of them says the same. They end with 0 when all went well, with
1 when what was checked is not well, and with 2 and a sentence when they could not be run.
"""
    return head + "".join(_commands(get_command(everything), ()))


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    within = getattr(command, "commands", {})
    for name in within:
        yield from _commands(within[name], (*path, name))
    if not within:
        own = [parameter for parameter in command.params if parameter.name != "help"]
        wanted = [_argument(parameter) for parameter in own if parameter.param_type_name == "argument"]
        usage = " ".join([*path, *wanted])
        yield f"\n## `{usage}`\n\n{_one_line(command.help)}\n"
        told = [row for parameter in own if (row := _parameter(parameter))]
        if told:
            yield "\n| | default | |\n|---|---|---|\n" + "\n".join(told) + "\n"


def _argument(parameter: Any) -> str:
    name = parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _parameter(parameter: Any) -> str:
    is_option = parameter.param_type_name == "option"
    if not is_option and not parameter.help:
        return ""
    name = ", ".join(parameter.opts) if is_option else parameter.name.upper()
    value = parameter.default
    shown = getattr(value, "value", value)
    default = "required" if parameter.required else f"`{shown}`" if shown not in (None, "", False) else ""
    return f"| `{name}` | {default} | {_one_line(parameter.help)} |"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


# -- API ---------------------------------------------------------------------------------------------


def api_page() -> str:
    settings = Settings()
    document = build_web(declared_kernel(settings), cast("CeleryQueue", _NoQueue())).openapi()
    head = f"""# API

{MADE}
The web process serves the whole document at `/openapi.json`, and a page to try it at `/docs`. Where a token
is wanted, send `Authorization: Bearer TOKEN`; `signalbox tokens create NAME --scope read` makes one. Answers
that are no success say what happened and what to do next; `RateLimit` and `Retry-After` say when to try anew.

| | | token | answers |
|---|---|---|---|
"""
    rows = [
        f"| `{method.upper()} {path}` | {_one_line(told['summary'])} | "
        f"{'yes' if told.get('security') else ''} | {', '.join(sorted(told['responses']))} |"
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]
    return head + "\n".join(rows) + "\n" + _DOORS


class _NoQueue:
    """Nothing is sent while the document is made."""

    def enqueue(self, runs: object) -> None: ...


_DOORS = """
Deliveries come to `/slack/events` and `/webhooks/NAME`, each signed or with its token as [its
sender](connecting.md) does it, and pages for people are [the console](console.md)'s.
"""


# -- events ------------------------------------------------------------------------------------------

KINDS: dict[str, type[Payload]] = {
    "ticket.created, ticket.updated, ticket.commented, ticket.deleted": events.TicketEvent,
    "alertmanager.group": events.AlertGroup,
    "slack.command": events.Command,
    "slack.action": events.Click,
    "slack.view": events.Submission,
    "slack.shortcut": events.Shortcut,
    "slack.mention, slack.message, slack.home": events.ChatMessage,
    "slack.reaction": events.Reaction,
    "slack.links": events.SharedLinks,
    "generic.NAME": events.Hook,
    SCHEDULE: events.Tick,
    "a name that a plugin chose": events.Errand,
}
PARTS = (events.Ticket, events.Alert, events.User, events.ReplyTo)


def events_page() -> str:
    head = f"""# Events

{MADE}
What comes in is stored as an event of one of these kinds, and handlers get its payload
([plugins](plugins.md#what-you-can-declare)). Fields are only ever added. Times have a zone.
"""
    kinds = [
        _payload(", ".join(f"`{kind}`" if " " not in kind else kind for kind in names.split(", ")), payload)
        for names, payload in KINDS.items()
    ]
    return head + "".join([*kinds, *(_payload(part.__name__, part) for part in PARTS)])


def _payload(title: str, payload: type[Payload]) -> str:
    told = inspect.cleandoc(payload.__doc__ or "") if payload.__doc__ != Payload.__doc__ else ""
    rows = "\n".join(
        f"| `{name}` | `{_type(field.annotation)}` | {_default(field)} |"
        for name, field in payload.model_fields.items()
    )
    name = "" if title == payload.__name__ else f": {payload.__name__}"
    return f"\n## {title}{name}\n\n{told}\n\n| field | type | default |\n|---|---|---|\n{rows}\n".replace(
        "\n\n\n", "\n"
    )


def _type(annotation: Any) -> str:
    plain = (
        annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
    )
    return re.sub(r"\b(?:\w+\.)+", "", plain).replace("|", "or")


PAGES = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "commands.md": commands_page,
    "api.md": api_page,
    "events.md": events_page,
}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (DOCS / file).write_text(page(), encoding="utf-8")
