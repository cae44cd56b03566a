"""A helpdesk's JSON API over HTTP, its faults as this product's errors."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import httpx2

from bot.core.errors import Permanent, Transient

TIMEOUT = httpx2.Timeout(15.0, connect=5.0)
_MENTION = re.compile(r"@(?=\w)")


class Api:
    """Args:
    name: of the vendor, for messages to people.
    fix: what to look at when the helpdesk refuses the credentials.
    """

    def __init__(
        self, name: str, base: str, *, fix: str, headers: dict[str, str] | None = None, auth: Any = None
    ) -> None:
        self.name = name
        self._fix = fix
        self._base = base.rstrip("/")
        self._client = httpx2.Client(headers=headers, auth=auth, timeout=TIMEOUT)

    def ask(
        self, what: str, method: str, path: str, *, body: Any = None, params: dict[str, str] | None = None
    ) -> Any:
        """The answer's JSON, None where there is none.

        Raises:
            Transient: no answer, 429 or 5xx; tried again, after as long as the helpdesk asks for.
            Permanent: refused; says what to look at.
        """
        _stays_below(path, what)
        try:
            response = self._client.request(method, self._base + path, json=body, params=params)
        except httpx2.RequestError as exc:
            raise Transient(
                f"{self.name} did not answer when asked to {what}: {type(exc).__name__}."
            ) from exc
        self._check(what, response)
        try:
            return response.json() if response.content else None
        except ValueError as exc:
            raise Permanent(
                f"{self.name} was asked to {what} and answered {response.status_code}, but with no JSON: "
                "check the URL, and that no login page stands before it."
            ) from exc

    def _check(self, what: str, response: httpx2.Response) -> None:
        status = response.status_code
        if status < 300:
            return
        if status == 429 or status >= 500 or _is_rate_limit(response):
            after = response.headers.get("Retry-After", "")
            raise Transient(
                f"{self.name} answered {status} when asked to {what}.",
                retry_after=float(after) if after.isdecimal() else None,
            )
        if status in {401, 403}:
            raise Permanent(f"{self.name} refused to {what} ({status}): {self._fix}")
        if status in {404, 410}:
            raise MissingError(
                f"{self.name} could not {what}: there is no such thing, or the bot's account may not see it."
            )
        raise Permanent(f"{self.name} refused to {what} ({status}): {response.text[:300]}")


def _stays_below(path: str, what: str) -> None:
    """A key of dots alone can't be quoted: it would lead to another place of the API.

    Raises:
        Permanent: it would.
    """
    if {".", ".."} & set(path.partition("?")[0].split("/")):
        raise Permanent(f"Nothing was asked to {what}: that is no key of a ticket.")


class MissingError(Permanent):
    """What was asked for is not there."""


def _is_rate_limit(response: httpx2.Response) -> bool:
    """GitHub says 403 with a Retry-After, or with no request left."""
    spent = response.headers.get("X-RateLimit-Remaining") == "0"
    return response.status_code == 403 and (spent or "Retry-After" in response.headers)


def reference(step_key: str) -> str:
    """By which what a step made is found again; short, because people may see it."""
    return f"signalbox-{hashlib.sha256(step_key.encode()).hexdigest()[:12]}"


def harmless(text: str) -> str:
    """Text in which nobody is mentioned, whoever wrote it."""
    return _MENTION.sub("@\u200b", text)
