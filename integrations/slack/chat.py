"""Slack's Web API as the chat port."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot.core.errors import Permanent, SignalboxError, Throttled, Transient
from bot.core.events import ReplyTo, new_id
from bot.core.integration import Services
from bot.core.messages import Message, MessageRef, Modal, Priority, escape
from bot.core.ports import Health, Said, idempotent
from bot.core.stored_messages import POSTING, StoredMessage
from bot.slack import ids
from bot.slack.scopes import SCOPES
from bot.slack.urls import is_slack_url
from integrations.slack.addressing import addressed
from integrations.slack.errors import error_of, translated
from integrations.slack.renderer import Rendered, render, render_modal
from integrations.slack.workspace import TIMEOUT_SECONDS, Place
from integrations.slack.workspaces import Workspaces

log = structlog.get_logger()
METADATA = "signalbox"
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}
_NOWHERE = {"thread_not_found", "message_not_found", "channel_not_found"}
_NOT_UNFURLED = {
    "cannot_find_channel",
    "cannot_find_message",
    "cannot_unfurl_message",
    "cannot_unfurl_url",
    "channel_not_found",
    "message_not_found",
}
_HISTORY = 100
_UPLOAD = "files.getUploadURLExternal"


class SlackChat:
    def __init__(self, workspaces: Workspaces, services: Services) -> None:
        self._workspaces = workspaces
        self._settings = services.settings.slack
        self._messages = services.messages
        self._present = services.present

    @classmethod
    def connect(cls, services: Services) -> SlackChat:
        return cls(Workspaces(services.settings, services.installations), services)

    # -- messages that live ------------------------------------------------------------------------

    def upsert(
        self, *, channel: str, key: str, message: Message, step_key: str, thread: MessageRef | None = None
    ) -> MessageRef:
        place = self._workspaces.channel(channel)
        self._messages.want(key, place.id, message, thread.ts if thread else None)
        return self._send_newest(key, step_key)

    def reconcile_upsert(
        self, *, channel: str, key: str, message: Message, step_key: str, thread: MessageRef | None = None
    ) -> MessageRef | None:
        """Only a first post can double; find it by the key in its metadata and note where it stands."""
        del message
        stored = self._messages.by_key(key)
        if stored is None or stored.ts is not None:
            return None
        found = self._find(self._workspaces.channel(channel), "key", key, thread.ts if thread else None)
        if found is not None:
            self._messages.sent(key, found.channel, found.ts, "", stored.wanted_at)
            self._messages.touch(key)
            return self._send_newest(key, step_key)
        return None

    @idempotent
    def refresh(self, *, ref: MessageRef, step_key: str) -> None:
        stored = self._messages.by_ref(ref.channel, ref.ts)
        if stored is not None:
            self._messages.touch(stored.key)
            self._send_newest(stored.key, step_key, "high")

    def flush(self, limit: int = 50) -> int:
        """Send what was left dirty when the budget ran out; returns how many were sent."""
        sent = 0
        for stored in self._messages.dirty(limit):
            try:
                self._send_newest(stored.key, stored.key)
            except Permanent as exc:
                # Trying for ever would use up the budget and hold up those behind it.
                self._messages.give_up(stored.key)
                log.error("message.given_up", key=stored.key, error=str(exc))
            except SignalboxError as exc:
                log.warning("message.not_flushed", key=stored.key, error=str(exc))
            else:
                sent += not self._is_dirty(stored.key)
        return sent

    def _is_dirty(self, key: str) -> bool:
        stored = self._messages.by_key(key)
        return stored is not None and stored.dirty

    def _send_newest(self, key: str, step_key: str, priority: Priority | None = None) -> MessageRef:
        """Send until what stands in the chat is what is wanted, one process at a time."""
        with self._messages.sending(key) as mine:
            while mine and (stored := self._messages.by_key(key)) is not None and stored.dirty:
                try:
                    self._send(stored, step_key, priority or stored.wanted.priority)
                except Throttled:
                    if stored.ts is None:
                        raise
                    break  # an update may wait: whoever flushes sends only the newest
        stored = self._messages.by_key(key)
        if stored is None or stored.ts is None:
            raise Throttled(f"The message {key} is being posted by another worker.", retry_after=1.0)
        return MessageRef(channel=stored.channel, ts=stored.ts)

    def _send(self, stored: StoredMessage, step_key: str, priority: Priority) -> None:
        presented = self._present(stored.wanted)
        content = hashlib.sha256(presented.model_dump_json().encode()).hexdigest()
        if stored.ts is not None and content == stored.sent_hash:
            self._messages.sent(stored.key, stored.channel, stored.ts, content, stored.wanted_at)
            return
        rendered = render(presented, new_id()[-8:], uploads=stored.ts is None)
        if stored.ts is None:
            first = self._post_first(stored, rendered, step_key, priority)
            if first is None:
                return
            ref = first
        else:
            found = self._update(self._workspaces.place(stored.channel), stored.ts, rendered, priority)
            if found is None:
                self._messages.lost(stored.key)
                return
            ref = found
        self._messages.sent(stored.key, ref.channel, ref.ts, content, stored.wanted_at)

    def _post_first(
        self, stored: StoredMessage, rendered: Rendered, step_key: str, priority: Priority
    ) -> MessageRef | None:
        """Post it; None when an earlier post, of another event maybe, turned out to stand there already."""
        place = self._workspaces.place(stored.channel)
        if stored.sent_hash == POSTING:
            found = self._find(place, "key", stored.key, stored.thread_ts)
            if found is not None:
                self._messages.sent(stored.key, found.channel, found.ts, "", stored.wanted_at)
                self._messages.touch(stored.key)
                return None
        self._messages.posting(stored.key)
        try:
            return self._post(place, rendered, step_key, stored.key, priority, stored.thread_ts)
        except (Throttled, Permanent):
            self._messages.not_posted(stored.key)
            raise

    # -- single messages ---------------------------------------------------------------------------

    def post(
        self, *, channel: str, message: Message, step_key: str, thread: MessageRef | None = None
    ) -> MessageRef:
        rendered = render(self._present(message), new_id()[-8:])
        place = self._workspaces.channel(channel)
        return self._post(place, rendered, step_key, "", message.priority, thread.ts if thread else None)

    def reconcile_post(
        self, *, channel: str, message: Message, step_key: str, thread: MessageRef | None = None
    ) -> MessageRef | None:
        del message
        place = self._workspaces.channel(channel)
        return self._find(place, "step_key", step_key, thread.ts if thread else None)

    def reply(self, *, to: ReplyTo, message: Message, step_key: str, public: bool = False) -> bool:
        del step_key
        return self._reply(to, message, public=public, replace=False)

    def reconcile_reply(
        self, *, to: ReplyTo, message: Message, step_key: str, public: bool = False
    ) -> bool | None:
        """A command's answer is sent again in place of the first. A click's can't be replaced, and the
        strip of its message tells what happened: it is not repeated.
        """
        del step_key
        return self._reply(to, message, public=public, replace=True) if to.replaceable else True

    def _reply(self, to: ReplyTo, message: Message, *, public: bool, replace: bool) -> bool:
        rendered = render(self._present(message), new_id()[-8:], uploads=False)
        place = self._workspaces.place(to.channel or to.user)
        content = _content(rendered, place.team)
        if to.response_url and self._respond(to.response_url, content, public=public, replace=replace):
            return True
        direct = to.channel in {"", to.user}  # no channel, e.g. after a form: only they read it there
        method = "chat.postMessage" if public or direct else "chat.postEphemeral"
        arguments: dict[str, Any] = {"channel": place.name, **content}
        if method == "chat.postEphemeral":
            arguments["user"] = ids.split(to.user)[1]
        if to.thread_ts and not direct:
            arguments["thread_ts"] = to.thread_ts
        place.workspace.call(method, priority="high", **arguments)
        return True

    def _respond(self, url: str, content: dict[str, Any], *, public: bool, replace: bool) -> bool:
        """Answer through the response URL; False once it is used up or too old."""
        if not is_slack_url(url, self._settings.api_url):
            raise Permanent("The response URL does not belong to Slack; nothing was sent to it.")
        with translated("response_url"):
            response = WebhookClient(url, timeout=TIMEOUT_SECONDS, retry_handlers=[]).send_dict(
                {
                    "response_type": "in_channel" if public else "ephemeral",
                    "replace_original": replace,
                    **content,
                }
            )
        if response.status_code == 429 or response.status_code >= 500:
            raise Transient(f"Slack answered {response.status_code} to a response URL.")
        return response.status_code == 200

    def open_modal(self, *, trigger_id: str, modal: Modal, step_key: str) -> None:
        del step_key
        team, trigger = ids.split(trigger_id)
        view = addressed(render_modal(modal, new_id()[-8:]), team)
        self._workspaces.of(team).call("views.open", priority="high", trigger_id=trigger, view=view)

    @idempotent
    def publish_home(self, *, user: str, message: Message, step_key: str) -> None:
        del step_key
        place = self._workspaces.place(user)
        blocks = addressed(render(message, new_id()[-8:], uploads=False).blocks, place.team)
        view = {"type": "home", "blocks": blocks}
        place.workspace.call("views.publish", priority="high", user_id=place.name, view=view)

    @idempotent
    def unfurl(self, *, ref: MessageRef, cards: Mapping[str, Message], step_key: str) -> bool:
        del step_key
        place = self._workspaces.place(ref.channel)
        shown = {url: {"blocks": addressed(_card(card), place.team)} for url, card in cards.items()}
        try:
            place.workspace.call("chat.unfurl", channel=place.name, ts=ref.ts, unfurls=shown)
        except Permanent as exc:
            if isinstance(exc.__cause__, SlackApiError) and error_of(exc.__cause__) in _NOT_UNFURLED:
                log.info("links.not_unfurled", channel=ref.channel, error=error_of(exc.__cause__))
                return False
            raise
        return True

    def upload(
        self,
        *,
        channel: str,
        filename: str,
        content: bytes,
        title: str,
        step_key: str,
        thread: MessageRef | None = None,
    ) -> str:
        place = self._workspaces.channel(channel)
        place.workspace.budget.take(_UPLOAD)
        with translated("files.upload"):
            answer = place.workspace.client.files_upload_v2(
                channel=place.name,
                filename=_findable(filename, step_key),
                content=content,
                title=title,
                thread_ts=thread.ts if thread else None,
            )
        return str(answer["file"]["id"])

    def reconcile_upload(
        self,
        *,
        channel: str,
        filename: str,
        content: bytes,
        title: str,
        step_key: str,
        thread: MessageRef | None = None,
    ) -> str | None:
        """Look where it should stand; what was sent and never shared is thrown away by Slack."""
        del content, title
        wanted = _findable(filename, step_key)
        for message in self._recent(self._workspaces.channel(channel), thread.ts if thread else None):
            for file in message.get("files") or ():
                if file.get("name") == wanted:
                    return str(file["id"])
        return None

    # -- reading -----------------------------------------------------------------------------------

    def permalink(self, ref: MessageRef) -> str:
        place = self._workspaces.place(ref.channel)
        answer = place.workspace.call(
            "chat.getPermalink", priority="high", channel=place.name, message_ts=ref.ts
        )
        return str(answer["permalink"])

    def read(self, ref: MessageRef) -> Said | None:
        """`ts` may be a reply's: Slack then answers with its thread, or with the reply alone."""
        place = self._workspaces.place(ref.channel)
        try:
            answer = place.workspace.call(
                "conversations.replies",
                channel=place.name,
                ts=ref.ts,
                oldest=ref.ts,
                latest=ref.ts,
                inclusive=True,
                limit=1,
            )
        except Permanent as exc:
            if isinstance(exc.__cause__, SlackApiError) and error_of(exc.__cause__) in _NOWHERE:
                return None
            raise
        found = next((m for m in answer["messages"] if m["ts"] == ref.ts), None)
        if found is None:
            return None
        thread_ts = found.get("thread_ts") or ""
        return Said(
            user=ids.qualified(place.team, found.get("user") or found.get("bot_id") or ""),
            text=ids.arriving(found.get("text") or "", place.team),
            thread_ts="" if thread_ts == ref.ts else thread_ts,
        )

    # -- people and health -------------------------------------------------------------------------

    def groups_of(self, user_id: str) -> frozenset[str]:
        place = self._workspaces.place(user_id)
        handles = place.workspace.directory.groups_of(place.name)
        return frozenset(ids.qualified(place.team, handle) for handle in handles)

    def health(self) -> Health:
        try:
            answer = self._workspaces.home.call("auth.test", priority="high")
        except SignalboxError as exc:
            return Health(status="down", detail=str(exc))
        home = self._settings.home_team
        if home and answer.get("team_id") != home:
            found = (
                f"slack.home_team is {home}, and the bot token is for {answer.get('team_id')}: correct one."
            )
            return Health(status="down", detail=found)
        granted = str(answer.headers.get("x-oauth-scopes", "")).split(",")
        missing = [scope for scope in SCOPES if scope not in granted]
        if missing:
            return Health(status="degraded", detail=f"The Slack app lacks the scopes {', '.join(missing)}.")
        unreadable = self._workspaces.unreadable()
        return Health(status="degraded", detail=" ".join(unreadable)) if unreadable else Health()

    # -- calls -------------------------------------------------------------------------------------

    def _post(
        self,
        place: Place,
        rendered: Rendered,
        step_key: str,
        key: str,
        priority: Priority,
        thread_ts: str | None = None,
    ) -> MessageRef:
        payload = {"step_key": step_key, "key": key}
        answer = place.workspace.call(
            "chat.postMessage",
            priority=priority,
            channel=place.name,
            thread_ts=thread_ts,
            metadata={"event_type": METADATA, "event_payload": payload},
            unfurl_links=False,
            unfurl_media=False,
            **_content(rendered, place.team),
        )
        ref = MessageRef(channel=ids.qualified(place.team, answer["channel"]), ts=answer["ts"])
        for filename, text in rendered.files:
            self._attach(ref, filename, text, step_key)
        return ref

    def _attach(self, ref: MessageRef, filename: str, text: str, step_key: str) -> None:
        """Put a long text into the thread. The message stands already, so a failure must not look as if
        it did not, or it would be posted again: the thread says what is missing.
        """
        try:
            self.upload(
                channel=ref.channel,
                filename=filename,
                content=text.encode(),
                title=filename,
                step_key=step_key,
                thread=ref,
            )
        except SignalboxError as exc:
            log.error("message.file_not_uploaded", channel=ref.channel, ts=ref.ts, error=str(exc))
            self._say_missing(ref, filename, exc)

    def _say_missing(self, ref: MessageRef, filename: str, why: SignalboxError) -> None:
        text = escape(f"{filename} could not be uploaded: {why}")
        try:
            place = self._workspaces.place(ref.channel)
            place.workspace.call("chat.postMessage", channel=place.name, thread_ts=ref.ts, text=text)
        except SignalboxError as exc:
            log.error("message.not_said", channel=ref.channel, ts=ref.ts, error=str(exc))

    def _update(self, place: Place, ts: str, rendered: Rendered, priority: Priority) -> MessageRef | None:
        """The updated message, or None when somebody deleted it."""
        try:
            answer = place.workspace.call(
                "chat.update",
                priority=priority,
                channel=place.name,
                ts=ts,
                **_content(rendered, place.team),
            )
        except Permanent as exc:
            if isinstance(exc.__cause__, SlackApiError) and error_of(exc.__cause__) in _GONE:
                return None
            raise
        return MessageRef(channel=ids.qualified(place.team, answer["channel"]), ts=answer["ts"])

    def _find(self, place: Place, name: str, value: str, thread_ts: str | None = None) -> MessageRef | None:
        """A recent message of ours by its metadata."""
        for message in self._recent(place, thread_ts):
            metadata = message.get("metadata") or {}
            if (
                metadata.get("event_type") == METADATA
                and metadata.get("event_payload", {}).get(name) == value
            ):
                return MessageRef(channel=place.id, ts=message["ts"])
        return None

    def _recent(self, place: Place, thread_ts: str | None) -> list[dict[str, Any]]:
        method = "conversations.replies" if thread_ts else "conversations.history"
        where = {"ts": thread_ts} if thread_ts else {}
        answer = place.workspace.call(
            method, priority="high", channel=place.name, limit=_HISTORY, include_all_metadata=True, **where
        )
        return list(answer["messages"])


def _findable(filename: str, step_key: str) -> str:
    """The name carries a part of the step's key: nothing else of an upload is told back by Slack."""
    stem, dot, ending = filename.rpartition(".")
    name = f"{stem or ending}-{hashlib.sha256(step_key.encode()).hexdigest()[:10]}"
    return f"{name}.{ending}" if dot else name


def _card(card: Message) -> list[dict[str, Any]]:
    rendered = render(card, new_id()[-8:], uploads=False)
    return [*rendered.blocks, *(block for bar in rendered.attachments for block in bar["blocks"])]


def _content(rendered: Rendered, team: str) -> dict[str, Any]:
    shown = {"blocks": rendered.blocks, "attachments": rendered.attachments}
    return {"text": rendered.text, **addressed(shown, team)}
