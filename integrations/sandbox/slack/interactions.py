"""What people do in the workspace, and what the bot hears and shows because of it."""

import asyncio
from typing import Any

from integrations.sandbox.slack import payloads
from integrations.sandbox.slack.blockkit import elements_of
from integrations.sandbox.slack.call import SlackError
from integrations.sandbox.slack.courier import Courier
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.drafts import checked_view
from integrations.sandbox.slack.envelope import Envelope, Reply
from integrations.sandbox.slack.inputs import Values, entered, is_stateful, unanswered
from integrations.sandbox.slack.links import shared
from integrations.sandbox.slack.markup import encode
from integrations.sandbox.slack.methods.chat import react
from integrations.sandbox.slack.methods.views import push_view
from integrations.sandbox.slack.model import Channel, Message, User, View
from integrations.sandbox.slack.responses import show_answer, show_notice

Place = tuple[Message, Channel] | View
TROUBLE = "We had some trouble connecting. Try again?"


class Interactions:
    def __init__(self, desk: Desk, courier: Courier) -> None:
        self._desk = desk
        self._workspace = desk.workspace
        self._team = desk.workspace.team
        self._courier = courier

    # Talking

    async def say(self, user_id: str, channel_id: str, text: str, thread_ts: str | None) -> dict[str, Any]:
        user, channel = self._workspace.user(user_id), self._workspace.channel(channel_id)
        if text.startswith("/"):
            return await self._command(user, channel, text)
        if thread_ts is not None:
            parent = self._workspace.message(channel.id, thread_ts)
            thread_ts = parent.thread_ts or parent.ts
        message = Message(
            channel=channel.id,
            ts=self._workspace.mint_ts(),
            user=user.id,
            text=encode(text, self._workspace.state, labels=False),
            thread_ts=thread_ts,
        )
        self._workspace.post(message)
        return {"ts": message.ts, "delivered": await self._announce(message, channel)}

    async def react(self, user_id: str, message: Message, name: str) -> dict[str, Any]:
        """The bot hears of reactions in channels that it is a member of."""
        user = self._workspace.user(user_id)
        react(self._desk, message, user.id, name)
        if self._team.bot_user not in self._workspace.channel(message.channel).members:
            return {"delivered": []}
        inner = payloads.reaction_event(message, user, name, self._workspace.mint_ts())
        envelope = self._event(inner)
        return {"delivered": [_summary(envelope.label, await self._courier.deliver_event(envelope))]}

    async def _command(self, user: User, channel: Channel, typed: str) -> dict[str, Any]:
        name, _, rest = typed.partition(" ")
        envelope = payloads.command(
            user,
            channel,
            name,
            encode(rest.strip(), self._workspace.state, labels=True),
            trigger_id=self._desk.triggers.mint(user.id),
            response_url=self._desk.response_urls.mint(user.id, channel.id),
        )
        reply = await self._courier.deliver(envelope)
        if reply.error is not None:
            failed = f'{name} failed with the error "{reply.user_error}"'
            show_notice(self._desk, user.id, channel.id, failed)
        else:
            show_answer(self._desk, user.id, channel.id, reply.answer)
        return {"delivered": [_summary(name, reply)]}

    async def _announce(self, message: Message, channel: Channel) -> list[dict[str, Any]]:
        """A mention in a channel is two events with two ids; links to the app's domains are one more."""
        url = self._desk.options.public_url
        inner = [payloads.message_event(message, channel, url)]
        if channel.im_user is None and f"<@{self._team.bot_user}>" in message.text:
            inner.insert(0, payloads.mention_event(message, url))
        if links := shared(message.text, self._desk.app.features.unfurl_domains):
            is_member = self._team.bot_user in channel.members
            inner.append(payloads.links_event(message, links, is_member=is_member))
        replies = await asyncio.gather(*(self._courier.deliver_event(self._event(one)) for one in inner))
        return [_summary(str(one["type"]), reply) for one, reply in zip(inner, replies, strict=True)]

    def echo(self, what: str, message: Message, before: Message | None) -> None:
        """The bot hears its own messages and their changes too, and has to ignore them."""
        if message.bot_id is None:
            return
        channel, url = self._workspace.channel(message.channel), self._desk.options.public_url
        if what == "posted":
            inner = payloads.message_event(message, channel, url)
        else:
            change = "changed" if what == "updated" else "deleted"
            ts = self._workspace.mint_ts()
            inner = payloads.change_event(change, message, before, channel=channel, ts=ts, url=url)
        self._courier.spawn(self._courier.deliver_event(self._event(inner)))

    async def open_home(self, user_id: str) -> dict[str, Any]:
        user = self._workspace.user(user_id)
        home, ts = self._workspace.state.homes.get(user.id), self._workspace.mint_ts()
        inner = payloads.home_opened(user, self._workspace.direct(user.id), home, ts)
        reply = await self._courier.deliver_event(self._event(inner))
        return {"delivered": [_summary("app_home_opened", reply)]}

    async def uninstalled(self) -> dict[str, Any]:
        """Somebody took the app out of the workspace; Slack promises no order of the two."""
        revoked = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [self._team.bot_user]}}
        inner: list[dict[str, Any]] = [revoked, {"type": "app_uninstalled"}]
        replies = [await self._courier.deliver_event(self._event(one)) for one in inner]
        return {"delivered": [_summary(str(o["type"]), r) for o, r in zip(inner, replies, strict=True)]}

    # Pressing

    async def click(
        self, user_id: str, place: Place, block_id: str, action_id: str, given: Any
    ) -> dict[str, Any]:
        user = self._workspace.user(user_id)
        block, element = _find(_blocks(place), block_id, action_id)
        action = self._action(block, element, given)
        if is_stateful(element):
            self._remember(place, block_id, action_id, entered(element, given))
        if block["type"] == "input" and not element.get("dispatch_action", block.get("dispatch_action")):
            return {"delivered": []}
        trigger_id = self._desk.triggers.mint(user.id)
        more = {**self._origin(user, place), "actions": [action]}
        reply = await self._courier.deliver(payloads.interaction("block_actions", user, trigger_id, **more))
        self._tell_trouble(user, place, reply)
        return {"delivered": [_summary("block_actions", reply)]}

    async def options(
        self, user_id: str, place: Place, block_id: str, action_id: str, typed: str
    ) -> dict[str, Any]:
        """What an external select offers for the letters typed so far."""
        user = self._workspace.user(user_id)
        _find(_blocks(place), block_id, action_id)
        more = {**self._origin(user, place), "action_id": action_id, "block_id": block_id, "value": typed}
        more.pop("response_url", None)
        reply = await self._courier.deliver(payloads.interaction("block_suggestion", user, None, **more))
        offered = reply.answer if isinstance(reply.answer, dict) and reply.error is None else {}
        return {"delivered": [_summary("block_suggestion", reply)], **offered}

    async def shortcut(self, user_id: str, callback_id: str, place: Place | None) -> dict[str, Any]:
        """Global from the menu, or on a message."""
        user, action_ts = self._workspace.user(user_id), self._workspace.mint_ts()
        if isinstance(place, View):
            raise SlackError("invalid_arguments", ["a shortcut is chosen on a message or on none"])
        kind = "shortcut" if place is None else "message_action"
        more = {
            "callback_id": callback_id,
            "action_ts": action_ts,
            **(self._chosen(user, place) if place else {}),
        }
        trigger_id = self._desk.triggers.mint(user.id)
        reply = await self._courier.deliver(payloads.interaction(kind, user, trigger_id, **more))
        if place is not None:
            self._tell_trouble(user, place, reply)
        return {"delivered": [_summary(kind, reply)]}

    def _chosen(self, user: User, place: tuple[Message, Channel]) -> dict[str, Any]:
        """Through its response URL an app may replace its own messages only."""
        message, channel = place
        target = message.ts if message.bot_id == self._team.bot_id else None
        response_url = self._desk.response_urls.mint(user.id, channel.id, target, message.thread_ts)
        chosen = payloads.chosen_message(message, channel, self._desk.options.public_url)
        return {**chosen, "response_url": response_url}

    # Modals

    async def submit(self, user_id: str, view: View, values: dict[str, dict[str, Any]]) -> dict[str, Any]:
        user = self._workspace.user(user_id)
        view.state = _merged(view, values)
        view.errors = unanswered(view.body["blocks"], view.state)
        self._workspace.view_changed(view)
        if view.errors:
            return {"delivered": [], "errors": view.errors}
        more = {"view": payloads.in_view(view)["view"], "response_urls": []}
        trigger_id = self._desk.triggers.mint(user.id)
        reply = await self._courier.deliver(payloads.interaction("view_submission", user, trigger_id, **more))
        self._follow(view, reply)
        return {"delivered": [_summary("view_submission", reply)], "errors": view.errors}

    async def close(self, user_id: str, view: View, *, cleared: bool) -> dict[str, Any]:
        """The cross, or Cancel; the bot is told when it asked to be."""
        user = self._workspace.user(user_id)
        more = {"view": payloads.in_view(view)["view"], "is_cleared": cleared}
        if cleared or view.body.get("clear_on_close"):
            self._workspace.clear_views(user_id)
        else:
            self._workspace.close_view(view)
        if not view.body.get("notify_on_close"):
            return {"delivered": []}
        reply = await self._courier.deliver(payloads.interaction("view_closed", user, None, **more))
        return {"delivered": [_summary("view_closed", reply)]}

    def _follow(self, view: View, reply: Reply) -> None:
        """Do what the acknowledgement of a submission asks for; without a wish the view closes."""
        if view.id not in self._workspace.views:
            return
        if reply.error is not None:
            self._fail(view, TROUBLE)
            return
        answer = reply.answer if isinstance(reply.answer, dict) else {}
        try:
            self._respond(view, answer)
        except SlackError as exc:
            why = "; ".join(exc.messages) or exc.error
            self._fail(view, f"The app's answer was refused by Slack: {why}")

    def _respond(self, view: View, answer: dict[str, Any]) -> None:
        match answer.get("response_action"):
            case "errors":
                view.errors = {str(k): str(v) for k, v in (answer.get("errors") or {}).items()}
                self._workspace.view_changed(view)
            case "update":
                self._workspace.update_view(view, checked_view(answer.get("view") or {}))
            case "push":
                push_view(self._desk, view.user, checked_view(answer.get("view") or {}))
            case "clear":
                self._workspace.clear_views(view.user)
            case _:
                self._workspace.close_view(view)

    def _fail(self, view: View, why: str) -> None:
        view.errors = {"": why}
        self._workspace.view_changed(view)

    # Parts

    def _event(self, inner: dict[str, Any]) -> Envelope:
        return payloads.event(inner, self._workspace.clock(), self._team)

    def _origin(self, user: User, place: Place) -> dict[str, Any]:
        if isinstance(place, View):
            return payloads.in_view(place)
        message, channel = place
        response_url = self._desk.response_urls.mint(user.id, channel.id, message.ts, message.thread_ts)
        shown = payloads.in_message(message, channel, self._desk.options.public_url)
        return {**shown, "response_url": response_url}

    def _action(self, block: dict[str, Any], element: dict[str, Any], given: Any) -> dict[str, Any]:
        action: dict[str, Any] = {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "type": element["type"],
            "action_ts": self._workspace.mint_ts(),
        }
        if element["type"] == "button":
            kept: dict[str, Any] = {
                name: element[name] for name in ("text", "value", "style") if name in element
            }
            return {**action, **kept}
        return {**action, **entered(element, given)}

    def _remember(self, place: Place, block_id: str, action_id: str, value: dict[str, Any]) -> None:
        holder = place if isinstance(place, View) else place[0]
        holder.state.setdefault(block_id, {})[action_id] = value
        if isinstance(place, View):
            self._workspace.view_changed(place)
        else:
            self._workspace.message_touched(place[0])

    def _tell_trouble(self, user: User, place: Place, reply: Reply) -> None:
        if reply.error is None:
            return
        if isinstance(place, View):
            self._fail(place, TROUBLE)
        else:
            show_notice(self._desk, user.id, place[1].id, f"{TROUBLE} ({reply.user_error})")


def _blocks(place: Place) -> list[dict[str, Any]]:
    if isinstance(place, View):
        return list(place.body["blocks"])
    message = place[0]
    return [*message.blocks, *(b for a in message.attachments for b in a.get("blocks") or [])]


def _find(
    blocks: list[dict[str, Any]], block_id: str, action_id: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    for block, element in elements_of(blocks):
        if block.get("block_id") == block_id and element["action_id"] == action_id:
            return block, element
    raise SlackError(
        "no_such_element", [f"no element {action_id} in block {block_id}; it may have been replaced"]
    )


def _merged(view: View, values: dict[str, dict[str, Any]]) -> Values:
    """The view's state with what the person entered, in Slack's typed shapes."""
    merged = {block_id: dict(held) for block_id, held in view.state.items()}
    for block, element in elements_of(view.body["blocks"]):
        block_id, action_id = block["block_id"], element["action_id"]
        if action_id in values.get(block_id, {}):
            merged.setdefault(block_id, {})[action_id] = entered(element, values[block_id][action_id])
    return merged


def _summary(kind: str, reply: Reply) -> dict[str, Any]:
    return {
        "kind": kind,
        "status": reply.status,
        "ms": round(reply.ms, 1),
        "error": reply.error,
        "via": reply.via,
    }
