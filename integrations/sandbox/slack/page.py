"""What the sandbox's page and the tests ask for; not part of Slack's protocol."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, Field

from integrations.sandbox.slack.call import SlackError
from integrations.sandbox.slack.courier import Courier
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.faults import Fault, Faults
from integrations.sandbox.slack.interactions import Interactions, Place
from integrations.sandbox.slack.model import Message, View
from integrations.sandbox.slack.rates import RateLimiter
from integrations.sandbox.slack.shapes import message_json, thread_json, view_json
from integrations.sandbox.slack.web import file_response
from integrations.sandbox.slack.workspace import KEPT_MESSAGES


class Say(BaseModel):
    user: str
    channel: str
    text: str = Field(min_length=1, max_length=40_000)
    thread_ts: str | None = None


class InPlace(BaseModel):
    """Where a person presses something: in a message (channel and ts) or in a view."""

    user: str
    channel: str | None = None
    ts: str | None = None
    view_id: str | None = None


class Click(InPlace):
    block_id: str
    action_id: str
    value: Any = None
    selected_option: Any = None
    selected_options: Any = None
    selected_user: str | None = None
    selected_users: list[str] | None = None
    selected_channel: str | None = None
    selected_conversation: str | None = None
    selected_date: str | None = None
    selected_time: str | None = None
    selected_date_time: int | None = None

    def given(self) -> Any:
        fields = self.model_dump(exclude_none=True, exclude={"block_id", "action_id", *InPlace.model_fields})
        return next((v for k, v in fields.items() if k.startswith("selected_")), fields.get("value"))


class Typed(InPlace):
    block_id: str
    action_id: str
    value: str = ""


class Shortcut(InPlace):
    callback_id: str


class Submit(BaseModel):
    user: str
    view_id: str
    values: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Close(BaseModel):
    user: str
    view_id: str
    cleared: bool = False


class React(BaseModel):
    user: str
    channel: str
    ts: str
    name: str


class Who(BaseModel):
    user: str


class Switch(BaseModel):
    enabled: bool


class Page:
    def __init__(
        self,
        desk: Desk,
        interactions: Interactions,
        courier: Courier,
        limiter: RateLimiter,
        faults: Faults,
        prefix: str = "/slack",
    ) -> None:
        self._desk = desk
        self._workspace = desk.workspace
        self._do = interactions
        self._courier = courier
        self._limiter = limiter
        self._faults = faults
        self.router = APIRouter(prefix=prefix)
        for path, reader in (
            ("/state", self.state),
            ("/deliveries", self.deliveries),
            ("/faults", self.faults),
            ("/limits", self.limits),
            ("/files/{file_id}", self.file),
        ):
            self.router.add_api_route(path, reader, methods=["GET"])
        for path, writer in (
            ("/say", self.say),
            ("/click", self.click),
            ("/options", self.options),
            ("/shortcut", self.shortcut),
            ("/submit", self.submit),
            ("/close", self.close),
            ("/react", self.react),
            ("/home", self.home),
            ("/uninstall", self.uninstall),
            ("/limits", self.switch_limits),
            ("/faults", self.order_fault),
            ("/socket/refresh", self.refresh_sockets),
        ):
            self.router.add_api_route(path, writer, methods=["POST"])

    async def state(
        self, user: str = "", limit: Annotated[int, Query(ge=0, le=KEPT_MESSAGES)] = 500
    ) -> dict[str, Any]:
        """Everything that this person sees, with the newest `limit` messages of each channel."""
        state = self._workspace.state
        known = self._known_user(user or next(iter(state.users)))
        home = state.homes.get(known)
        channels = [c for c in state.channels.values() if c.im_user in (None, known)]
        return {
            "team": self._workspace.team.model_dump(include={"id", "name", "bot_user"}),
            "me": known,
            "users": [person.model_dump() for person in state.users.values()],
            "usergroups": [group.model_dump() for group in state.groups.values()],
            "channels": [channel.model_dump() for channel in channels],
            "messages": {c.id: self._messages(c.id, known, limit) for c in channels},
            "views": [_view(view) for view in self._workspace.stack(known)],
            "home": _view(home) if home else None,
            "shortcuts": [shortcut.model_dump() for shortcut in self._desk.app.message_shortcuts()],
            "limits": {"enabled": self._limiter.enabled},
            "sockets": self._desk.sockets.connected,
        }

    async def deliveries(self) -> dict[str, Any]:
        return {"deliveries": list(self._courier.deliveries)}

    async def faults(self) -> dict[str, Any]:
        return {"faults": [fault.model_dump() for fault in self._faults.pending()]}

    async def limits(self) -> dict[str, bool]:
        return {"enabled": self._limiter.enabled}

    async def file(self, file_id: str) -> Response:
        return file_response(self._desk, file_id)

    async def say(self, body: Say) -> dict[str, Any]:
        with _told():
            return await self._do.say(body.user, body.channel, body.text, body.thread_ts)

    async def click(self, body: Click) -> dict[str, Any]:
        with _told():
            place = self._place(body)
            return await self._do.click(body.user, place, body.block_id, body.action_id, body.given())

    async def options(self, body: Typed) -> dict[str, Any]:
        with _told():
            place = self._place(body)
            return await self._do.options(body.user, place, body.block_id, body.action_id, body.value)

    async def shortcut(self, body: Shortcut) -> dict[str, Any]:
        with _told():
            place = self._place(body) if body.ts or body.view_id else None
            return await self._do.shortcut(body.user, body.callback_id, place)

    async def submit(self, body: Submit) -> dict[str, Any]:
        with _told():
            return await self._do.submit(body.user, self._view(body.user, body.view_id), body.values)

    async def close(self, body: Close) -> dict[str, Any]:
        with _told():
            view = self._view(body.user, body.view_id)
            return await self._do.close(body.user, view, cleared=body.cleared)

    async def react(self, body: React) -> dict[str, Any]:
        with _told():
            message = self._workspace.message(body.channel, body.ts)
            return await self._do.react(body.user, message, body.name)

    async def home(self, body: Who) -> dict[str, Any]:
        with _told():
            return await self._do.open_home(body.user)

    async def uninstall(self) -> dict[str, Any]:
        """The app is taken out of this workspace: its tokens are void, and it is told."""
        self._desk.oauth.revoke(self._workspace.team.id)
        return await self._do.uninstalled()

    async def switch_limits(self, body: Switch) -> dict[str, bool]:
        self._limiter.enabled = body.enabled
        self._workspace.changes.publish("slack.limits", {"enabled": body.enabled})
        return {"enabled": body.enabled}

    async def order_fault(self, body: Fault) -> dict[str, Any]:
        self._faults.order(body)
        return await self.faults()

    async def refresh_sockets(self) -> dict[str, int]:
        return {"asked": await self._desk.sockets.refresh_all()}

    def _known_user(self, user_id: str) -> str:
        with _told():
            return self._workspace.user(user_id).id

    def _place(self, body: InPlace) -> Place:
        if body.view_id is not None:
            return self._view(body.user, body.view_id)
        if body.channel is None or body.ts is None:
            raise SlackError("invalid_arguments", ["name a view_id, or a channel and a ts"])
        message = self._workspace.message(body.channel, body.ts)
        if message.ephemeral_for not in (None, body.user):
            raise SlackError("message_not_found")
        return message, self._workspace.channel(body.channel)

    def _view(self, user_id: str, view_id: str) -> View:
        for view in self._workspace.all_views():
            if view.id == view_id and view.user == user_id:
                return view
        raise SlackError("view_not_found")

    def _messages(self, channel_id: str, user: str, limit: int) -> list[dict[str, Any]]:
        kept = [m for m in self._workspace.messages(channel_id).values() if m.ephemeral_for in (None, user)]
        threads = self._workspace.threads(channel_id)
        return [
            self._message(message, threads.get(message.ts, []))
            for message in kept[max(0, len(kept) - limit) :]
        ]

    def _message(self, message: Message, replies: list[Message]) -> dict[str, Any]:
        shown = message_json(message, self._desk.options.public_url)
        for file in shown.get("files", []):
            file["page_url"] = f"/page/slack/files/{file['id']}"
        return {
            **shown,
            **thread_json(replies),
            "ephemeral_for": message.ephemeral_for,
            "state": message.state,
        }


@contextmanager
def _told() -> Iterator[None]:
    """Slack's error codes as an HTTP answer that the page can show."""
    try:
        yield
    except SlackError as exc:
        status = 404 if exc.error.endswith("_not_found") or exc.error == "no_such_element" else 422
        raise HTTPException(status, detail="; ".join([exc.error, *exc.messages])) from exc


def _view(view: View) -> dict[str, Any]:
    return {**view_json(view), "errors": view.errors}
