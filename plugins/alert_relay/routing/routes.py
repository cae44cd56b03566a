from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from plugins.alert_relay.routing.conditions import Conditions
from plugins.alert_relay.routing.quiet import QuietHours


class Route(Conditions):
    """Groups that match go to `channel`."""

    channel: str = Field(description="Channel for the groups that match.")
    escalate_minutes: float | None = Field(
        None, ge=0, description="Instead of the general escalate_minutes; 0 never escalates."
    )
    oncall: str = Field(
        "", description="Name of the on-call entry that is called; empty for the general one."
    )
    quiet: QuietHours | None = Field(None, description="Instead of the general quiet hours.")


class OnCall(BaseModel):
    """Who is called: a Slack user group, or people who take turns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field("", pattern=r"^(S[A-Z0-9]+)?$", description="Id of a Slack user group, e.g. S0123ABC.")
    users: tuple[Annotated[str, Field(pattern=r"^[UW][A-Z0-9]+$")], ...] = Field(
        (), description="Slack user ids in the order of their shifts."
    )
    start: AwareDatetime = Field(
        datetime(2024, 1, 1, tzinfo=UTC), description="When the first person's first shift began."
    )
    shift_hours: float = Field(168.0, gt=0, description="Length of a shift; 168 is a week.")

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.group and not self.users:
            raise ValueError('an on-call entry names a group or users. Example: users = ["U0123", "U0456"]')
        return self

    def now(self, at: datetime) -> str:
        """The id of the person or user group to call."""
        if not self.users:
            return self.group
        return self.users[(at - self.start) // timedelta(hours=self.shift_hours) % len(self.users)]
