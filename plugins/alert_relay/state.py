"""What is remembered about an alert group between its notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["firing", "resolved"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Mark(_Value):
    """The newest known state of one alert."""

    status: Status
    starts_at: datetime
    name: str


class Silenced(_Value):
    """A silence that somebody made here."""

    id: str
    until: datetime
    by: str


class Link(_Value):
    label: str
    url: str


class Card(_Value):
    """What the message says about the group itself; small, however many alerts there are."""

    title: str
    severity: str = ""
    summary: str = ""
    description: str = ""
    lines: tuple[str, ...] = ()
    firing: int = 0
    resolved: int = 0
    silenced: int = 0
    more: int = 0
    appeared: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    footnote: str = ""


class GroupState(_Value):
    """`episode` counts messages of the group; `silences` counts what its silence button made."""

    key: str
    channel: str
    labels: dict[str, str]
    card: Card
    status: Status
    started_at: datetime
    resolved_at: datetime | None = None
    episode: int = 1
    silences: int = 0
    silenced: Silenced | None = None
    confirmed: bool = False
    """Alertmanager's API has listed the group, so its absence there will mean its end."""
    event_id: str = ""
    """The event that changed it last: handled once more, it changes nothing."""
    marks: dict[str, Mark] = Field(default_factory=dict)

    @property
    def message_key(self) -> str:
        return f"alert:{self.key}:{self.episode}"

    @property
    def claim_group(self) -> str:
        return f"silence:{self.key}:{self.episode}:{self.silences}"
