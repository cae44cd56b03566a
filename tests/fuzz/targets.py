"""What strangers' bytes reach first: each takes any bytes, and refuses by a BadDelivery or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from bot.core.declare import Plugin, action, command, on, shortcut, view
from bot.core.errors import BadDelivery, Permanent
from bot.core.events import ChatMessage, Delivery, NewEvent, Payload, Reaction
from bot.core.integration import Services, Source
from bot.core.registry import Registry
from bot.core.settings import Settings
from bot.plugin import Click, Command, Context, SharedLinks, Shortcut, Submission
from bot.slack.normalise import normalise
from integrations import alertmanager, generic, jira
from integrations.helpdesks import freshdesk, github, mapped, zendesk

Target = Callable[[bytes], object]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = "s" * 32
SETTINGS = Settings.model_validate(
    {
        "jira": {"url": "https://jira.invalid", "email": "a@b.invalid", "api_token": SECRET, "webhook_secret": SECRET},
        "zendesk": {"url": "https://zen.invalid", "email": "a@b.invalid", "api_token": SECRET},
        "freshdesk": {"url": "https://fresh.invalid", "api_key": SECRET},
        "webhooks": {"github": SECRET, "zendesk": SECRET, "freshdesk": SECRET},
        "alertmanager": {"token": SECRET},
        "generic": {"deploys": {"secret": SECRET, "id_header": "X-Id"}},
        "helpdesk": {
            "url": "https://desk.invalid", "page": "https://desk.invalid/t/{key}/view", "webhook_secret": SECRET, "kinds": {"new": "ticket.created"},
            "actor": "by.name", "fields": {"key": "id", "summary": "title", "labels": "tags[].name"},
        },
    }
)  # fmt: skip


class Doors(Plugin):
    name = "doors"

    @on("slack.message")
    def said(self, payload: ChatMessage, ctx: Context) -> None: ...

    @on("slack.reaction")
    def liked(self, payload: Reaction, ctx: Context) -> None: ...

    @on("slack.links")
    def pasted(self, payload: SharedLinks, ctx: Context) -> None: ...

    @shortcut("file", title="File", help="File it.", permission="tags.write")
    def file(self, payload: Shortcut, ctx: Context) -> None: ...

    @command("alerts", help="Show alerts")
    def alerts(self, payload: Command, ctx: Context) -> None: ...

    @action("silence", permission="alerts.silence")
    def silence(self, payload: Click, ctx: Context) -> None: ...

    @view("why", permission="alerts.silence")
    def why(self, payload: Submission, ctx: Context) -> None: ...


def registry() -> Registry:
    made = Registry()
    made.add(Doors(Doors.Config()))
    return made


def sources() -> dict[str, Source]:
    services = Services(SETTINGS, cast(Any, None), lambda message: message, lambda: NOW)
    found = [alertmanager.connect(services), generic.connect(services)]
    helpdesks: list[Source] = [
        jira.source.JiraSource(SETTINGS.jira, lambda: "me"),
        zendesk.ZendeskSource(SETTINGS, lambda: "me"),
        freshdesk.FreshdeskSource(SETTINGS, lambda: "me"),
        github.GithubSource(SETTINGS, lambda: "me"),
        mapped.MappedSource(SETTINGS.helpdesk),
    ]
    generics = {f"hook-{source.name}": source for i in found for source in i.sources}
    return {source.name: source for source in helpdesks} | generics


def webhook(source: Source) -> Target:
    """An authentic delivery with any body: an event that can be stored and read again, or a refusal."""

    def take(body: bytes) -> object:
        headers = {"x-github-event": "issues", "x-id": "1", "x-github-delivery": "d"}
        try:
            event = source.normalise(Delivery(source.name, body, headers, "deploys"), NOW)
        except BadDelivery:
            return None
        if event is None or event.dead:
            return event
        _fits(event)
        try:
            payload = source.parse(event.kind, event.body)
        except Permanent:
            return None
        assert isinstance(payload, Payload)
        return payload.model_dump_json()

    return take


def forged(source: Source) -> Target:
    """Any headers and body: never let in."""

    def take(data: bytes) -> object:
        head, _, body = data.partition(b"\n")
        value = head.decode("latin-1")
        names = ("x-hub-signature", "x-hub-signature-256", "x-signature-256", "authorization")
        zendesks = ("x-zendesk-webhook-signature", "x-zendesk-webhook-signature-timestamp")
        try:
            source.verify(Delivery(source.name, body, dict.fromkeys(names + zendesks, value), "deploys"), NOW)
        except BadDelivery:
            return None
        raise AssertionError(f"{source.name} let a forgery in: {data!r}")

    return take


def slack(known: Registry) -> Target:
    def take(body: bytes) -> object:
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(data, dict):
            return None
        return _slack(data, known)

    return take


def slack_command(known: Registry) -> Target:
    """What a person types behind the slash."""

    def take(text: bytes) -> object:
        words = text.decode("utf-8", "replace")
        data = {
            "command": "/signalbox",
            "text": words,
            "user_id": "U1",
            "channel_id": "C1",
            "trigger_id": "1",
        }
        return _slack(data, known)

    return take


def links() -> Target:
    """An address that somebody pasted: a ticket's key, or none."""
    services = Services(SETTINGS, cast(Any, None), lambda message: message, lambda: NOW)
    modules = (jira, zendesk, freshdesk, github, mapped)
    found = [pages for pages in (module.connect(services).pages for module in modules) if pages]

    def take(text: bytes) -> object:
        keys = [pages.key_at(text.decode("utf-8", "replace")) for pages in found]
        assert all(key is None or (key.isprintable() and "/" not in key) for key in keys)
        return next(filter(None, keys), None)

    return take


def _slack(data: dict[str, Any], known: Registry) -> object:
    """As a payload of the home workspace, and as one of another."""
    found: object = None
    for team in ("T0BRANCH0", ""):
        try:
            found = normalise(data, known, team)
        except BadDelivery:
            continue
        if isinstance(found, NewEvent):
            _fits(found)
    return found


def _fits(event: NewEvent) -> None:
    """What becomes a key of the database."""
    assert len(event.kind) <= 80
    assert all(len(key.key) <= 255 for key in event.dedupe)
    assert len(event.serial or "") <= 255


def targets() -> dict[str, Target]:
    known, doors = registry(), sources()
    made = {name: webhook(source) for name, source in doors.items()}
    made |= {f"{name}-forged": forged(source) for name, source in doors.items()}
    return made | {"slack": slack(known), "slack-command": slack_command(known), "links": links()}


def seeds() -> list[bytes]:
    """Good ones to begin with."""
    user = {"id": "U1", "name": "ann"}
    press = {"action_id": "doors:silence#b1", "type": "button", "action_ts": "1.0"}
    issue = {
        "id": "1",
        "key": "SUP-1",
        "fields": {"summary": "s", "labels": ["a"], "description": {"type": "doc"}},
    }
    alert = {
        "status": "firing", "labels": {"alertname": "A"}, "annotations": {}, "fingerprint": "f",
        "startsAt": "2026-11-23T12:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
    }  # fmt: skip
    payloads: list[dict[str, Any]] = [
        {"webhookEvent": "jira:issue_updated", "timestamp": 1, "issue": issue, "user": {"accountId": "u"},
         "changelog": {"items": [{"field": "labels", "fromString": "a", "toString": "a b"}]}},
        {"type": "zen:event-type:ticket.created", "id": "1", "detail": {"id": "7", "subject": "s", "tags": ["a"]},
         "event": {"tags_added": ["a"]}},
        {"event": "ticket.created", "ticket_id": "7", "performer": "a"},
        {"action": "opened", "issue": {"number": 7, "title": "t", "labels": [{"name": "a"}]}, "sender": {"login": "a"},
            "repository": {"full_name": "a/b"}},
        {"event": "new", "ticket": {"id": "7", "title": "t", "tags": [{"name": "a"}]}, "by": {"name": "a"}},
        {"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "r", "groupLabels": {}, "alerts": [alert],
         "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "truncatedAlerts": 0},
        {"type": "event_callback", "event_id": "E1", "team_id": "T", "event": {
            "type": "message", "channel": "C1", "user": "U1", "ts": "1.0", "text": "hello"}},
        {"type": "event_callback", "event_id": "E2", "event": {"type": "reaction_added", "user": "U1",
         "reaction": "eyes", "item": {"type": "message", "channel": "C1", "ts": "1.0"}}},
        {"type": "block_actions", "user": user, "actions": [press], "container": {"channel_id": "C1"}},
        {"type": "event_callback", "event_id": "E3", "event": {"type": "link_shared", "user": "U1", "channel": "C1",
         "message_ts": "1.0", "links": [{"url": "https://a.invalid/browse/SUP-1", "domain": "a.invalid"}]}},
        {"type": "message_action", "user": user, "callback_id": "doors:file", "trigger_id": "t", "action_ts": "2.0",
         "channel": {"id": "C1"}, "message": {"text": "<https://a.invalid|a> &amp; <@U2>", "user": "U2", "ts": "1.0"}},
        {"type": "view_submission", "user": user, "view": {"id": "V1", "callback_id": "doors:why",
         "private_metadata": "{}", "state": {"values": {"b": {"a": {"value": "x"}}}}}},
    ]  # fmt: skip
    form = urlencode({"command": "/signalbox", "text": "alerts --all"}).encode()
    return [
        *(json.dumps(payload).encode() for payload in payloads),
        form,
        b"alerts list --all",
        b"sha256=00\n{}",
        b"https://jira.invalid/browse/SUP-1",
        b"https://desk.invalid/t/7/view?a=1&amp;b=2",
    ]
