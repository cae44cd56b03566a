from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from bot.plugin import PluginConfig

SlackUser = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]+$")]


class ChurnDigestConfig(PluginConfig):
    channel: str = Field("#churn", description="Channel for the digest.")
    cron: str = Field("0 9 * * MON", description="When the digest is posted, as a cron expression.")
    zone: str = Field("UTC", description="IANA time zone of the cron expressions, such as 'Europe/Berlin'.")
    most: int = Field(
        15, ge=1, le=45, description="Accounts in one digest; above 15 they go on in the thread."
    )
    least_value: float = Field(
        0.0,
        ge=0,
        description="Accounts with less value at risk than this are left out, in the run's currency.",
    )
    segments: tuple[str, ...] = Field((), description="Only accounts of these segments; empty: all.")
    change_points: float = Field(
        10.0, gt=0, le=100, description="A probability that moved by so many points is worth a new mention."
    )
    renewal_days: int = Field(
        30, ge=0, description="An account at risk is mentioned again when it renews within so many days."
    )
    owners: dict[str, SlackUser] = Field(
        default_factory=dict, description="Owner as the data names them (e-mail) to Slack user id."
    )
    owner_digests: Literal["off", "thread", "channel"] = Field(
        "thread",
        description="Where each owner gets their own accounts: in the digest's thread, in the channel that "
        "owner_channels names, or nowhere.",
    )
    owner_channels: dict[str, str] = Field(
        default_factory=dict, description="Owner to a channel, or to a Slack user id for a direct message."
    )
    escalate_hours: float = Field(
        48.0, ge=0, description="Accounts that nobody took after so many hours are escalated; 0: never."
    )
    escalate_to: str = Field(
        "", pattern=r"^([UWS][A-Z0-9]+)?$", description="Slack user or user group that is then called."
    )
    ticket_project: str = Field("", description="Jira project for tasks; empty: there is no such button.")
    control_share: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Share of customers that are scored but not shown, to measure whether acting helps.",
    )
    outcome_days: int = Field(
        90, ge=1, description="Days after a warning when the data tells whether the customer left."
    )
    shadow_cycles: int = Field(
        1, ge=1, le=52, description="Scorings that a challenger does beside the champion before it may serve."
    )
    train_cron: str = Field("0 3 * * MON", description="When a new model is trained, a challenger.")
    score_cron: str = Field("0 6 * * MON", description="When all customers are scored.")
    run_jobs: bool = Field(
        default=False,
        description="Whether this plugin starts training and scoring; else your own scheduler does.",
    )
    job_hours: float = Field(6.0, gt=0, description="A training or scoring that runs longer is ended.")

    @property
    def change(self) -> float:
        return self.change_points / 100

    @property
    def escalate_after(self) -> timedelta | None:
        return timedelta(hours=self.escalate_hours) if self.escalate_hours else None

    def user_of(self, owner: str) -> str:
        """The Slack user id of an owner; empty when the settings name none."""
        return self.owners.get(owner) or self.owners.get(owner.lower(), "")
