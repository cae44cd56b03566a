"""What programs and services say, made fit to be shown and kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.core.logs import known_secrets
from bot.core.masking import MASK
from bot.core.settings import Settings

LONGEST = 2000
"""Characters; what came last tells most."""
_SHORTEST_SECRET = 6
_ASSIGNED = re.compile(
    r"(?i)((?:token|secret|password|passwd|authorization|api[_-]?key)[\"']?\s*[:=]\s*[\"']?(?:bearer\s+)?)"
    r"[^\s\"',;&]+"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|\x1b\[[0-9;]*[A-Za-z]")


class Masker:
    """Takes out secrets of our settings, and whatever calls itself one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]

    @classmethod
    def of(cls, settings: Settings) -> Masker:
        return cls(known_secrets(settings))

    def __call__(self, raw: bytes | str) -> str:
        text = raw if isinstance(raw, str) else raw.decode("utf-8", errors="replace")
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        text = _ASSIGNED.sub(rf"\g<1>{MASK}", _CONTROL.sub("", text)).strip()
        return text if len(text) <= LONGEST else "…" + text[-(LONGEST - 1) :]
