"""Failures ordered through the page's API, so that a test can see how the bot takes them."""

import asyncio

from fastapi import Response
from pydantic import BaseModel, Field

from integrations.sandbox.faults import cut


class Fault(BaseModel):
    method: str
    """A Web API method, `response_url`, or `*` for any."""
    status: int | None = None
    delay_seconds: float = Field(default=0.0, ge=0)
    answer_delay_seconds: float = Field(default=0.0, ge=0)
    """The effect takes place at once, the answer comes late."""
    error: str | None = None
    drop_after: bool = False
    """Close the connection without an answer, after the effect took place."""
    half_body: bool = False
    """Close the connection in the middle of the answer, after the effect took place."""
    retry_after: int = Field(default=1, ge=0)
    times: int = Field(default=1, ge=0)
    """How many calls it hits; 0 withdraws the faults of this method."""


class Faults:
    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, fault: Fault) -> None:
        if fault.times == 0:
            self._ordered = [f for f in self._ordered if f.method != fault.method]
        else:
            self._ordered.append(fault.model_copy())

    @staticmethod
    async def answer(fault: Fault | None, answer: Response) -> Response:
        """What the caller gets of it, and when."""
        if fault is None:
            return answer
        await asyncio.sleep(fault.answer_delay_seconds)
        return cut(answer, drop=fault.drop_after, half=fault.half_body)

    def pending(self) -> list[Fault]:
        return list(self._ordered)

    def take(self, method: str) -> Fault | None:
        for fault in self._ordered:
            if fault.method in (method, "*"):
                fault.times -= 1
                if fault.times == 0:
                    self._ordered.remove(fault)
                return fault
        return None
