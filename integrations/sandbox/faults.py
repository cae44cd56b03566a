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


_DOES = ("status", "delay_seconds", "answer_delay_seconds", "drop_after", "half_body")


class Fault(BaseModel):
    path_prefix: str
    """Below the stand-in's mount point, e.g. `/rest/api/3/issue`."""
    method: str | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    delay_seconds: float = Field(default=0.0, ge=0.0, le=300.0)
    answer_delay_seconds: float = Field(default=0.0, ge=0.0, le=300.0)
    """Do the work at once and answer late, perhaps when the caller has given up."""
    drop_after: bool = False
    """Do the work, then cut the connection: the caller cannot know that it was done."""
    half_body: bool = False
    """Do the work, then cut the connection in the middle of the answer."""
    retry_after: int | None = Field(default=None, ge=0)
    times: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def does_something(self) -> "Fault":
        if not any(getattr(self, name) for name in _DOES):
            raise ValueError(f"A fault needs one of {', '.join(_DOES)}, or it would do nothing.")
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
        await asyncio.sleep(fault.answer_delay_seconds)
        return cut(response, drop=fault.drop_after, half=fault.half_body)


def cut(response: Response, *, drop: bool, half: bool) -> Response:
    """What a caller gets of an answer whose connection breaks."""
    if drop:
        return CutConnection()
    return HalfBody(bytes(response.body)) if half else response


class CutConnection(Response):
    """Promises a body and never sends it; the server then closes the connection."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1024"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class HalfBody(Response):
    """Promises all of the answer, sends its first half, and has the server close the connection."""

    def __init__(self, whole: bytes) -> None:
        super().__init__(whole, headers={"connection": "close"})

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


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
