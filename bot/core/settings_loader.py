"""Fills `Settings` from signalbox.toml and the environment, and remembers where each value came from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from bot.core.errors import ConfigError
from bot.core.settings import Settings

Place = tuple[str, ...]
# The ecosystem's own names are kept; all others are SIGNALBOX_<SECTION>__<FIELD>.
KNOWN: dict[str, Place] = {
    "SLACK_BOT_TOKEN": ("slack", "bot_token"),
    "SLACK_SIGNING_SECRET": ("slack", "signing_secret"),
    "SLACK_APP_TOKEN": ("slack", "app_token"),
    "SLACK_API_URL": ("slack", "api_url"),
    "SLACK_CLIENT_ID": ("slack", "client_id"),
    "SLACK_CLIENT_SECRET": ("slack", "client_secret"),
    "JIRA_URL": ("jira", "url"),
    "JIRA_EMAIL": ("jira", "email"),
    "JIRA_API_TOKEN": ("jira", "api_token"),
    "JIRA_WEBHOOK_SECRET": ("jira", "webhook_secret"),
    "DATABASE_URL": ("database_url",),
    "REDIS_URL": ("redis_url",),
    "ALERTMANAGER_URL": ("alertmanager", "url"),
    "PROMETHEUS_URL": ("prometheus", "url"),
    "PUSHGATEWAY_URL": ("pushgateway", "url"),
    "SPARK_MASTER": ("spark", "master"),
    "MLFLOW_TRACKING_URI": ("mlflow", "tracking_uri"),
}
PREFIX = "SIGNALBOX_"
DEFAULT_FILE = Path("signalbox.toml")


@dataclass(frozen=True)
class LoadedSettings:
    """`origins` maps a dotted setting to "signalbox.toml", the variable's name, or is silent: a default."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(path: Path | None = None, env: Mapping[str, str] | None = None) -> LoadedSettings:
    """Read the file, lay the environment over it, check it all.

    Raises:
        ConfigError: names every wrong setting, where its value came from, and what was expected.
    """
    environ = os.environ if env is None else env  # noqa: TID251  # the one place that reads it
    file = path or Path(environ.get("SIGNALBOX_CONFIG", str(DEFAULT_FILE)))
    values = _read_file(file, required=path is not None or "SIGNALBOX_CONFIG" in environ)
    origins = {".".join(place): str(file) for place in _leaves(values)}
    for variable, place, value in _from_environment(environ):
        _put(values, place, value)
        origins[".".join(place)] = variable
    try:
        return LoadedSettings(Settings.model_validate(values), origins)
    except ValidationError as exc:
        raise ConfigError("\n".join(_words(fault, origins) for fault in exc.errors())) from None


def plugin_variables(env: Mapping[str, str] | None = None) -> dict[tuple[str, str], str]:
    """Which fields of which plugins the environment sets: (plugin, field) to the variable."""
    environ = os.environ if env is None else env  # noqa: TID251  # see `load_settings`
    found = ((variable, place) for variable, place, _ in _from_environment(environ) if place[0] == "plugins")
    return {(place[1], place[2]): variable for variable, place in found if len(place) > 2}


def _read_file(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigError(f"The settings file {file} does not exist; correct SIGNALBOX_CONFIG.") from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"The settings file {file} is not valid TOML: {exc}.") from exc
    except OSError as exc:
        raise ConfigError(f"The settings file {file} can't be read: {exc.strerror}.") from exc


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, Place, Any]]:
    """Later ones win: the ecosystem's names, ours, files. An empty variable is as good as none, for that
    is how container files pass on what the operator left out.
    """
    for variable in sorted(filter(environ.get, environ), key=_rank):
        name = variable.removesuffix("_FILE")
        place = KNOWN.get(variable) or _own_place(variable)
        if place and not (variable.endswith("_FILE") and variable not in KNOWN):
            yield variable, place, _parsed(place, environ[variable])
        elif name != variable and (place := KNOWN.get(name) or _own_place(name)):
            yield variable, place, _secret_file(variable, environ[variable])


def _rank(variable: str) -> tuple[bool, bool, str]:
    return variable.endswith("_FILE"), variable.startswith(PREFIX), variable


def _own_place(variable: str) -> Place | None:
    if not variable.startswith(PREFIX) or variable == "SIGNALBOX_CONFIG":
        return None
    place = [part.lower() for part in variable.removeprefix(PREFIX).split("__")]
    if place[0] == "plugins" and len(place) > 1:
        place[1] = place[1].replace("_", "-")  # plugins' names have hyphens, which a shell's variables can't
    return tuple(place)


def _secret_file(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ConfigError(f"{variable} names the file {path}, which can't be read: {exc.strerror}.") from exc


def _parsed(place: Place, text: str) -> Any:
    """Lists in the environment are written with commas; everything else pydantic reads from text."""
    is_list = get_origin(_annotation(Settings, place)) is tuple
    return [part.strip() for part in text.split(",") if part.strip()] if is_list else text


def _annotation(model: type[BaseModel], place: Place) -> Any:
    field = model.model_fields.get(place[0])
    if field is None or len(place) == 1:
        return field.annotation if field else None
    inner = field.annotation
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return _annotation(inner, place[1:])
    values = get_args(inner)
    if len(place) > 2 and values and isinstance(values[-1], type) and issubclass(values[-1], BaseModel):
        return _annotation(values[-1], place[2:])
    return None


def _leaves(values: Mapping[str, Any], above: Place = ()) -> Iterator[Place]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name)


def _put(values: dict[str, Any], place: Place, value: Any) -> None:
    for name in place[:-1]:
        inner = values.get(name)
        values[name] = inner if isinstance(inner, dict) else {}
        values = values[name]
    values[place[-1]] = value


def _words(fault: Any, origins: Mapping[str, str]) -> str:
    """One wrong setting as a sentence. The value is never shown: it may be a secret."""
    place = tuple(str(part) for part in fault["loc"])
    dotted = ".".join(place)
    origin = next((o for name, o in origins.items() if name == dotted or name.startswith(f"{dotted}.")), "")
    where = f" (from {origin})" if origin else ""
    if fault["type"] == "extra_forbidden":
        from rapidfuzz import process  # noqa: PLC0415  # only for a wrong setting; it takes 3 MB

        near = process.extractOne(place[-1], _siblings(place), score_cutoff=55)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"Unknown setting {dotted}{where}.{hint}"
    problem = f"Setting {dotted}{where} is wrong: {fault['msg'].removeprefix('Value error, ')}."
    return (
        problem if fault["type"] == "value_error" else f"{problem} Expected, for example: {_example(place)}"
    )


def _siblings(place: Place) -> list[str]:
    model: Any = Settings
    for name in place[:-1]:
        field = getattr(model, "model_fields", {}).get(name)
        model = field.annotation if field else None
    return list(getattr(model, "model_fields", {}))


def _example(place: Place) -> str:
    annotation = _annotation(Settings, place)
    field = Settings.model_fields.get(place[0])
    default = field.default if field is not None and len(place) == 1 else None
    if len(place) == 2 and field is not None and isinstance(field.default, BaseModel):
        default = getattr(field.default, place[1], None)
    if isinstance(default, SecretStr) or default is None:
        return f"{place[-1]} = …  ({getattr(annotation, '__name__', 'see the reference')})"
    return f"{place[-1]} = {default!r}"
