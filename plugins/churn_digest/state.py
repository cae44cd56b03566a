"""What is remembered about customers that were flagged, and about the digests that showed them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.plugin import MessageRef

Change = Literal["new", "worse", "renewal", "snooze-over", "better"]
OutcomeKind = Literal["saved", "churned", "false_alarm"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Row(_Value):
    """One account as a digest shows it; probabilities in 0..1, money in the digest's currency."""

    customer_id: str
    name: str
    segment: str = ""
    owner: str = ""
    change: Change
    probability: float
    before: float | None = None
    monthly_value: float = 0.0
    remaining_months: float = 0.0
    value_at_risk: float = 0.0
    renewal: date | None = None
    reasons: tuple[str, ...] = ()
    since: date


class Snooze(_Value):
    until: datetime
    by: str


class TicketLink(_Value):
    key: str
    url: str


class Outcome(_Value):
    kind: OutcomeKind
    by: str
    at: datetime


class Case(_Value):
    """A customer that was flagged. `episode` counts warnings that were closed and came again.

    `probability`, `at_risk` and `renewal` are those that people saw last; a customer of the control group
    is seen by nobody.
    """

    customer_id: str
    name: str
    owner: str = ""
    episode: int = 1
    since: date
    """The day of the data when people were warned, or would have been."""
    risky_since: date | None = None
    """Since when the scores say so without a break; None where that was not looked up: `since`."""
    flagged_at: datetime
    run_id: str
    drawn: bool = False
    """It was drawn by lot whether people see the first warning."""
    control: bool = False
    week: str = ""
    part: int = 0
    shown_at: datetime | None = None
    probability: float
    at_risk: bool = True
    renewal: date | None = None
    """The renewal date that people were warned about, once it is near."""
    assignee: str = ""
    snooze: Snooze | None = None
    ticket: TicketLink | None = None
    outcome: Outcome | None = None
    escalated: str = ""
    """The event that called somebody because nobody took it."""
    left: bool | None = None
    """What the data said `outcome_days` after the warning; None until then."""
    past: tuple[Case, ...] = ()
    """Earlier episodes, for the count of how warnings turned out."""

    @property
    def is_treated(self) -> bool:
        """Whether somebody saw the warning or acted on it: then its outcome is not the untouched one."""
        return bool(self.shown_at or self.assignee or self.snooze or self.ticket)

    @property
    def is_claimed(self) -> bool:
        return bool(self.assignee or self.snooze or self.ticket or self.outcome)


class Part(_Value):
    """What one run of the job added to the week's digest. `left_out` counts accounts beyond the limit."""

    number: int
    event_id: str
    run_id: str
    as_of: date
    threshold: float
    model_version: str
    currency: str
    channel: str
    posted_at: datetime
    rows: tuple[Row, ...]
    places: dict[str, str] = Field(default_factory=dict)
    """Where each owner got their own accounts when it was posted (`delivery.places`)."""
    left_out: int = 0
    at_risk: int = 0
    value_at_risk: float = 0.0
    ref: MessageRef | None = None
    """Where its first message stands."""
    results: tuple[str, ...] = ()
    """How earlier warnings turned out, as sentences."""


class Digest(_Value):
    """The digest of one ISO week, such as 2026-W48: however often the job runs, an account is in it once."""

    week: str
    parts: tuple[Part, ...] = ()

    @property
    def shown(self) -> frozenset[str]:
        return frozenset(row.customer_id for part in self.parts for row in part.rows)


class Candidate(_Value):
    """A challenger that may serve, and what became of it.

    `by` is a person's chat id, "policy", or whoever acted elsewhere; `event_id` is the event that decided.
    """

    name: str
    digest: str
    data_sha256: str = ""
    against: str
    change_id: str
    channel: str
    offered_at: datetime
    state: Literal["ready", "promoted", "kept", "gone"] = "ready"
    by: str = ""
    at: datetime | None = None
    event_id: str = ""
    shown: bool = False
    reviewed: bool = False
    lines: tuple[str, ...] = ()
    """The figures side by side, as they were when it was offered."""
