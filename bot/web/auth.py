"""Bearer tokens with a scope. Deny by default: no configured token, no access."""

from __future__ import annotations

import hmac
from typing import Annotated, Any, Literal

from fastapi import Depends, HTTPException, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bot.core.errors import ConfigError
from bot.core.settings import Settings

Scope = Literal["read", "write", "admin"]
_RANK: dict[str, int] = {"read": 0, "write": 1, "admin": 2}
_bearer = HTTPBearer(auto_error=False, description="A token from the setting api_tokens.")


class Auth:
    """A token of a higher scope may do what a lower one may."""

    def __init__(self, settings: Settings) -> None:
        unknown = settings.api_tokens.keys() - _RANK
        if unknown:
            raise ConfigError(
                f"api_tokens has no scope {', '.join(sorted(unknown))}. Expected: read, write or admin, "
                'for example [api_tokens] read = "…".'
            )
        self._tokens = [
            (token.get_secret_value().encode(), _RANK[scope])
            for scope, token in settings.api_tokens.items()
            if token.get_secret_value()
        ]

    def require(self, scope: Scope) -> Any:
        """A FastAPI dependency that lets through tokens of at least this scope."""

        def check(given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None) -> None:
            rank = self._rank(given.credentials.encode() if given else b"")
            if rank is None:
                raise HTTPException(
                    401,
                    "Send `Authorization: Bearer <token>` with a token from the setting api_tokens.",
                    {"WWW-Authenticate": "Bearer"},
                )
            if rank < _RANK[scope]:
                raise HTTPException(403, f"This token lacks the scope {scope!r}; use one that has it.")

        return Depends(check)

    def _rank(self, given: bytes) -> int | None:
        """The best rank of the tokens that match; all are compared, in constant time each."""
        ranks = [rank for token, rank in self._tokens if hmac.compare_digest(token, given)]
        return max(ranks, default=None)
