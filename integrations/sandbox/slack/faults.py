"""Failures ordered through the page's API, so that a test can see how the bot takes them."""

from pydantic import BaseModel, Field


class Fault(BaseModel):
    method: str
    """A Web API method, `response_url`, or `*` for any."""
    status: int | None = None
    delay_seconds: float = Field(default=0.0, ge=0)
    error: str | None = None
    drop_after: bool = False
    """Close the connection without an answer, after the effect took place."""
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
