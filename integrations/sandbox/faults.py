"""Faults that a person or a test switches on: an error answer, a delay, a connection cut after the work."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, model_validator
from starlette.types import Receive, Scope, Send

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Around = Callable[[Request, Handler], Awaitable[Response]]


class Fault(BaseModel):
    path_prefix: str
    """Below the stand-in's mount point, e.g. `/rest/api/3/issue`."""
    method: str | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    delay_seconds: float = Field(default=0.0, ge=0.0, le=300.0)
    drop_after: bool = False
    """Do the work, then cut the connection: the caller cannot know that it was done."""
    retry_after: int | None = Field(default=None, ge=0)
    times: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def does_something(self) -> "Fault":
        if self.status is None and not self.delay_seconds and not self.drop_after:
            raise ValueError("A fault needs a status, a delay_seconds or drop_after, or it would do nothing.")
        return self

    def hits(self, method: str, path: str) -> bool:
        return path.startswith(self.path_prefix) and self.method in (None, method)


class Faults:
    """The first planned fault that fits a request is used up by it."""

    def __init__(self, mount: str) -> None:
        self._mount = mount
        self._planned: list[Fault] = []

    @property
    def planned(self) -> list[Fault]:
        return list(self._planned)

    def plan(self, fault: Fault) -> None:
        self._planned.append(fault)

    def clear(self) -> None:
        self._planned.clear()

    def take(self, method: str, path: str) -> Fault | None:
        below = path.removeprefix(self._mount)
        for position, fault in enumerate(self._planned):
            if fault.hits(method, below):
                self._use_up(position, fault)
                return fault
        return None

    def _use_up(self, position: int, fault: Fault) -> None:
        if fault.times == 1:
            del self._planned[position]
        else:
            self._planned[position] = fault.model_copy(update={"times": fault.times - 1})

    async def around(self, request: Request, work: Handler, answer: Callable[[Fault], Response]) -> Response:
        fault = self.take(request.method, request.url.path)
        if fault is None:
            return await work(request)
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        if fault.status is not None:
            return answer(fault)
        response = await work(request)
        return CutConnection() if fault.drop_after else response


class CutConnection(Response):
    """Promises a body and never sends it; the server then closes the connection."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1024"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


def fault_routes(router: APIRouter, faults: Faults) -> None:
    """The switches on a stand-in's page API."""

    @router.get("/faults")
    async def planned() -> list[Fault]:
        return faults.planned

    @router.post("/faults", status_code=201)
    async def plan(fault: Fault) -> Fault:
        faults.plan(fault)
        return fault

    @router.delete("/faults", status_code=204)
    async def clear() -> None:
        faults.clear()


def route_class(around: Around) -> type[APIRoute]:
    """Routes whose handlers run inside `around`: authentication, faults and the vendor's error shape."""

    class Route(APIRoute):
        def get_route_handler(self) -> Handler:
            work = super().get_route_handler()

            async def handle(request: Request) -> Response:
                return await around(request, work)

            return handle

    return Route
