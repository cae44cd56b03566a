"""Bearer tokens with a scope. Deny by default: no token that holds, no access."""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bot.core.errors import ConfigError
from bot.core.settings import Settings
from bot.core.tokens import PREFIX, Scope, Tokens
from bot.web.limits import STATE, ApiLimits

_RANK: dict[str, int] = {"read": 0, "write": 1, "admin": 2}
SHORTEST = 16
_bearer = HTTPBearer(auto_error=False, description="A token of `signalbox tokens create` or of api_tokens.")


class Auth:
    """A token of a higher scope may do what a lower one may.

    Args:
        tokens: those that were made by command; they expire and are revoked without a restart.
    """

    def __init__(self, settings: Settings, tokens: Tokens, limits: ApiLimits) -> None:
        unknown = settings.api_tokens.keys() - _RANK
        if unknown:
            raise ConfigError(
                f"api_tokens has no scope {', '.join(sorted(unknown))}. Expected: read, write or admin, "
                'for example [api_tokens] read = "…".'
            )
        for scope, token in settings.api_tokens.items():
            if 0 < len(token.get_secret_value()) < SHORTEST:
                raise ConfigError(
                    f"api_tokens.{scope} is shorter than {SHORTEST} characters, so that it could be guessed. "
                    "Expected: a random one, e.g. the output of: "
                    'python -c "import secrets; print(secrets.token_urlsafe(32))".'
                )
        self._given = [
            (token.get_secret_value().encode(), scope)
            for scope, token in settings.api_tokens.items()
            if token.get_secret_value()
        ]
        self._tokens = tokens
        self._limits = limits

    def require(self, scope: Scope) -> Any:
        """A FastAPI dependency that lets tokens of at least this scope through, and names the caller."""

        def check(
            request: Request,
            given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
        ) -> str:
            found = self._known(given.credentials) if given else None
            if found is None:
                # Only who fails is slowed down: others may come from the same address, a proxy's.
                _refuse(self._limits.failures.wait(request.client.host if request.client else ""), {})
                raise HTTPException(
                    401,
                    "Send `Authorization: Bearer <token>` with a token of `signalbox tokens create` "
                    "or of the setting api_tokens.",
                    {"WWW-Authenticate": "Bearer"},
                )
            name, rank = found
            seconds, headers = self._limits.count(name)
            request.scope[STATE] = headers
            _refuse(seconds, headers)
            if rank < _RANK[scope]:
                raise HTTPException(403, f"This token lacks the scope {scope!r}; use one that has it.")
            return name

        return Depends(check)

    def _known(self, given: str) -> tuple[str, int] | None:
        """The caller's name and rank: those of the settings are all compared, in constant time each."""
        matching = [scope for token, scope in self._given if hmac.compare_digest(token, given.encode())]
        if matching:
            scope = max(matching, key=_RANK.__getitem__)
            return f"setting:{scope}", _RANK[scope]
        found = self._tokens.check(given) if given.startswith(PREFIX) else None
        return (f"token:{found.name}", _RANK[found.scope]) if found else None


def _refuse(seconds: int, headers: dict[str, str]) -> None:
    if seconds:
        told = {**headers, "Retry-After": str(seconds)}
        raise HTTPException(429, f"Too many requests; try again in {seconds} s.", told)
