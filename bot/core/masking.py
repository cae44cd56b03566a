"""What must not be read by everybody: which values are secrets, and the passwords within addresses."""

from __future__ import annotations

import re
from urllib.parse import unquote

from pydantic import SecretStr

MASK = "***"
_NAME = re.compile(r"secret|token|password|passphrase|key|credential|private", re.IGNORECASE)
_PASSWORD = re.compile(
    r"://[^/@:]*:([^/@]+)@"
    r"|[?&](?:[\w.-]*(?:password|passwd|token|secret|signature|api[_-]?key|access[_-]?key)|key|sig)=([^&#\s]+)",
    re.IGNORECASE,
)


def is_secret(name: str, value: object) -> bool:
    """By its type, or a text by its name."""
    return isinstance(value, SecretStr) or (isinstance(value, str) and names_a_secret(name))


def names_a_secret(name: str) -> bool:
    return _NAME.search(name) is not None


def passwords_in(address: str) -> set[str]:
    """Where user and host stand, or among the parameters; as it is written, and as it is meant."""
    written = {password for found in _PASSWORD.findall(address) for password in found if password}
    return written | {unquote(password) for password in written}


def without_passwords(text: str) -> str:
    """A text as it is; an address with its passwords masked."""
    if "://" not in text:
        return text
    # Logging needs this module in processes that have no database, and SQLAlchemy takes 11 MiB.
    from sqlalchemy.engine import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        shown = make_url(text).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "set, but not a URL that can be read"
    for password in passwords_in(shown):  # among the parameters
        shown = shown.replace(password, MASK)
    return shown
