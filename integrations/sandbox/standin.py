"""What the application shell needs of a stand-in, so that it can mount and stop it.

A stand-in package (`integrations.sandbox.jira`, ...) exposes `stand_in(options, changes) -> StandIn`.
`/page/*` is guarded by the shell against foreign hosts and origins; stand-ins need not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter


async def _nothing() -> None:
    """A stand-in without background work has nothing to start or stop."""


@dataclass(frozen=True)
class StandIn:
    name: str
    api: APIRouter
    """The vendor's own protocol; mounted at `/{name}`."""
    page: APIRouter
    """JSON for the page and for tests; mounted at `/page`, so its paths start with `/{noun}`."""
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    """Also the moment to write the last snapshot."""
