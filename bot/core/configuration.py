"""What the product starts with, beside what it started with before.

Whoever edits signalbox.toml or the environment changes the service, although outside of it: the next start
records which settings became others. Values of secrets are kept as keyed digests only, and never shown.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import BaseModel, SecretStr

from bot.core.masking import is_secret, without_passwords
from bot.core.memory import Documents
from bot.core.service_desk import Changes
from bot.core.service_ledger import Circumstances
from bot.core.service_models import Change, ConfigurationItem, RecordActor
from bot.core.settings import Settings

if TYPE_CHECKING:
    from bot.core.kernel import Kernel

TEMPLATE: Final = "configuration-file"
AUTHOR: Final = "whoever edited signalbox.toml or the environment"
_OWNER, _KEY = "signalbox.configuration", "started-with"  # no plugin's name has a dot
_PLACES = frozenset({
    "data_dir", "redis_url", "web.host", "web.port", "nlp.port", "churn.port", "workers.metrics_port",
})  # fmt: skip
"""Where this node's own parts lie and listen: `signalbox up` draws some anew, and nodes differ in them."""
_SHOWN = 200
_NOT_SHOWN, _UNSET = "not shown", "not set"


class Value(NamedTuple):
    """A setting that is not its default: a digest that tells whether it changed, and what may be shown."""

    digest: str
    shown: str

    @property
    def is_secret(self) -> bool:
        return self.shown == "a secret"


class Difference(NamedTuple):
    names: tuple[str, ...]
    secrets: tuple[str, ...]
    before: dict[str, str]
    after: dict[str, str]


def note_start(kernel: Kernel) -> Change | None:
    """Record what was changed since the last start; None where nothing was, or where this is the first.

    Nodes that start together with the same settings make one record.
    """
    documents = Documents(kernel.db, _OWNER, kernel.clock)
    key = _key(kernel.settings)
    values = dict(_values(kernel, key))
    now = {"key": _digest(key, "signalbox"), "values": {name: list(value) for name, value in values.items()}}
    found = documents.get(_KEY)
    if found is None:
        documents.put(_KEY, now, version=0)
        return None
    if found.data == now:
        return None
    known = {name: Value(*value) for name, value in found.data["values"].items()}
    different = compare(known, values, same_key=found.data["key"] == now["key"])
    changes = _changes(kernel)
    mark = _digest(key, json.dumps(now, sort_keys=True))
    change = _proposed(different, f"{found.version}/{mark}", changes, kernel.settings.records.templates)
    if not documents.put(_KEY, now, version=found.version):
        return change  # another node was faster, and goes on with it
    changes.begin(change.id)
    return changes.end(change.id, outcome="It started.")


def compare(known: Mapping[str, Value], values: Mapping[str, Value], *, same_key: bool) -> Difference:
    """Which settings became others. After `secret_key` was changed, other secrets can't be compared."""
    missing = Value("", _UNSET)

    def changed(name: str) -> bool:
        old, new = known.get(name, missing), values.get(name, missing)
        return old.shown != new.shown or (same_key and old.digest != new.digest)

    names = [name for name in {**known, **values} if changed(name)]
    names += [] if same_key or "secret_key" in names else ["secret_key"]
    either = {name: (known.get(name, missing), values.get(name, missing)) for name in sorted(names)}
    return Difference(
        tuple(either),
        tuple(n for n, pair in either.items() if n == "secret_key" or any(v.is_secret for v in pair)),
        {name: old.shown for name, (old, _) in either.items()},
        {name: new.shown for name, (_, new) in either.items()},
    )


def _changes(kernel: Kernel) -> Changes:
    by = Circumstances("core", RecordActor(type="service", id="signalbox", via="cli"))
    return Changes(kernel.ledger, by, kernel.settings.records.templates, kernel.clock)


def _proposed(different: Difference, key: str, changes: Changes, templates: Sequence[str]) -> Change:
    """A standard change where the operator says that the file is reviewed where it is kept; a secret that was
    exchanged is an emergency, as elsewhere.
    """
    standard = TEMPLATE in templates and not different.secrets
    return changes.propose(
        "standard" if standard else "emergency",
        f"Settings changed outside of the product: {', '.join(different.names)}"[:200],
        key=f"configuration/{key}",
        template=TEMPLATE if standard else "",
        by=AUTHOR,
        reason="Found at the start: these settings are not those of the start before.",
        plan="Start with the settings as they are now.",
        backout_plan="Put the values before back into signalbox.toml or the environment, and start again.",
        items=[ConfigurationItem(type="config", name=name) for name in different.names],
        evidence={"secrets": list(different.secrets)},
        before=different.before,
        after=different.after,
    )


# -- values ------------------------------------------------------------------------------------------------


def _values(kernel: Kernel, key: bytes) -> Iterator[tuple[str, Value]]:
    """Everything that is not its default, and the version."""
    version = metadata.version("signalbox")
    yield "version", Value(_digest(key, version), version)
    settings = kernel.settings
    first = dict(_leaves(Settings().model_dump(exclude={"plugins"})))
    for name, value in _leaves(settings.model_dump(exclude={"plugins"})):
        if name not in _PLACES and (name not in first or _text(first[name]) != _text(value)):
            yield name, _value(name, value, key)
    for plugin, given in settings.plugins.items():
        loaded = kernel.registry.plugins.get(plugin)
        fields: Mapping[str, Any] = loaded.config.model_dump(exclude_unset=True) if loaded else given
        for name, value in _leaves(fields, f"plugins.{plugin}."):
            yield name, _value(name, value, key)


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _value(name: str, value: Any, key: bytes) -> Value:
    return Value(_digest(key, f"{name}={_text(value)}"), _shown(name, value))


def _shown(name: str, value: Any) -> str:
    if value is None or value in ("", (), {}):
        return _UNSET
    if is_secret(name, value):
        return "a secret"
    if isinstance(value, str | int | float):
        return without_passwords(str(value))[:_SHOWN]
    if isinstance(value, tuple | list) and all(isinstance(part, str) for part in value):
        return ", ".join(map(without_passwords, value))[:_SHOWN]
    return _NOT_SHOWN if isinstance(value, tuple | list | Mapping) else str(value)[:_SHOWN]


def _text(value: Any) -> str:
    return json.dumps(value, default=_revealed, sort_keys=True)


def _revealed(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value.model_dump() if isinstance(value, BaseModel) else str(value)


def _key(settings: Settings) -> bytes:
    return settings.secret_key.get_secret_value().encode() if settings.secret_key else b""


def _digest(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
