"""Writes docs/settings.md and docs/metrics.md from the code: `python docs/make_reference.py`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import get_args

from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot.core.settings import Settings
from bot.core.settings_loader import KNOWN

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
PAGES = {"settings.md": settings_page, "metrics.md": metrics_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (DOCS / file).write_text(page(), encoding="utf-8")
