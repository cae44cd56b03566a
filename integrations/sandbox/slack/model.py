"""What a workspace holds."""

from typing import Any

from pydantic import BaseModel, Field

HOME_ID = "T0SANDBOX"


class Team(BaseModel):
    """A workspace, and who the app's bot is there."""

    id: str
    name: str
    domain: str
    bot_user: str
    bot_id: str


class User(BaseModel):
    id: str
    team: str = HOME_ID
    name: str
    real_name: str
    email: str
    title: str = ""
    is_admin: bool = False
    is_bot: bool = False


class UserGroup(BaseModel):
    id: str
    team: str = HOME_ID
    handle: str
    name: str
    users: list[str]


class Channel(BaseModel):
    id: str
    team: str = HOME_ID
    name: str
    members: list[str]
    purpose: str = ""
    im_user: str | None = None
    """Whose direct messages with the bot these are; None for a public channel."""


class File(BaseModel):
    id: str
    name: str
    size: int
    user: str
    title: str = ""
    created: int = 0
    mimetype: str = "application/octet-stream"


class Reaction(BaseModel):
    name: str
    users: list[str]


class Message(BaseModel):
    channel: str
    team: str = HOME_ID
    ts: str
    user: str
    text: str = ""
    blocks: list[dict[str, Any]] = Field(default_factory=list)
    attachments: list[dict[str, Any]] = Field(default_factory=list)
    thread_ts: str | None = None
    broadcast: bool = False
    edited: dict[str, str] | None = None
    reactions: list[Reaction] = Field(default_factory=list)
    files: list[File] = Field(default_factory=list)
    metadata: dict[str, Any] | None = None
    bot_id: str | None = None
    app_id: str | None = None
    ephemeral_for: str | None = None
    state: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What people chose in the message's inputs so far: block id, action id, value."""

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts


class View(BaseModel):
    id: str
    team: str = HOME_ID
    user: str
    body: dict[str, Any]
    """The view as the bot sent it, ids filled in."""
    hash: str
    root_view_id: str
    previous_view_id: str | None = None
    state: dict[str, dict[str, Any]] = Field(default_factory=dict)
    errors: dict[str, str] = Field(default_factory=dict)
    """What the bot found wrong with the last submission, by block id."""
