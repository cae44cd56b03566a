"""Ids of other workspaces carry theirs from the door on, and leave without it, or as names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.core.messages import mention
from bot.core.permissions import Permissions
from bot.core.registry import Registry
from bot.core.settings import Role
from bot.plugin import (
    ChatMessage,
    Click,
    Command,
    Context,
    Plugin,
    Reaction,
    SharedLinks,
    Shortcut,
    Submission,
    action,
    command,
    on,
    shortcut,
    view,
)
from bot.slack import ids
from bot.slack.normalise import Say, normalise

pytestmark = pytest.mark.unit
TEAM = "T0BRANCH0"


class Toy(Plugin):
    name = "toy"

    @command("hi", help="Say hi.")
    def hi(self, cmd: Command, ctx: Context) -> None: ...

    @action("press", permission="toy.press")
    def press(self, click: Click, ctx: Context) -> None: ...

    @view("form", permission="toy.form")
    def form(self, filled: Submission, ctx: Context) -> None: ...

    @shortcut("keep", title="Keep this", help="Keep a message.", permission="toy.keep")
    def keep(self, asked: Shortcut, ctx: Context) -> None: ...

    @on("slack.links")
    def links(self, shared: SharedLinks, ctx: Context) -> None: ...

    @on("slack.mention")
    def mention(self, said: ChatMessage, ctx: Context) -> None: ...

    @on("slack.home")
    def home(self, said: ChatMessage, ctx: Context) -> None: ...

    @on("slack.reaction")
    def reaction(self, put: Reaction, ctx: Context) -> None: ...


def taken(body: dict[str, Any], team: str = TEAM) -> dict[str, Any]:
    registry = Registry()
    registry.add(Toy(Toy.Config()))
    event = normalise(body, registry, team)
    assert not isinstance(event, Say)
    return {
        "actor": event.actor,
        "subject": event.subject,
        "keys": str(event.dedupe),
        **json.loads(event.body),
    }


def event(**inner: Any) -> dict[str, Any]:
    bot = {"team_id": TEAM, "user_id": "UBOT"}
    return {"type": "event_callback", "event_id": "Ev1", "authorizations": [bot], "event": inner}


PERSON = {"id": "U1", "username": "ann", "team_id": TEAM}


def test_a_command() -> None:
    form = {"command": "/signalbox", "text": "hi <@U2|bob> in <#C2|ops>", "user_id": "U1", "user_name": "ann"}
    got = taken(form | {"channel_id": "C1", "trigger_id": "1.2.a"})
    assert got["actor"] == f"{TEAM}/U1"
    assert got["text"] == f"<@{TEAM}/U2|bob> in <#{TEAM}/C2|ops>"
    assert (got["reply_to"]["channel"], got["reply_to"]["user"]) == (f"{TEAM}/C1", f"{TEAM}/U1")
    assert got["trigger_id"] == f"{TEAM}/1.2.a"


def test_a_mention_is_still_known_as_one_of_the_bot() -> None:
    got = taken(event(type="message", user="U1", channel="C1", ts="1.1", text="<@UBOT> help <@U2>"))
    assert got["text"] == f"<@{TEAM}/UBOT> help <@{TEAM}/U2>"
    assert (got["user"]["id"], got["channel"]) == (f"{TEAM}/U1", f"{TEAM}/C1")
    assert f"slack:said:{TEAM}/C1:1.1" in got["keys"]


def test_the_home_tab_and_a_reaction() -> None:
    assert taken(event(type="app_home_opened", user="U1", channel="D1"))["user"]["id"] == f"{TEAM}/U1"
    item = {"type": "message", "channel": "C1", "ts": "1.1"}
    got = taken(event(type="reaction_added", user="U1", reaction="eyes", item=item))
    assert (got["channel"], got["user"]["id"]) == (f"{TEAM}/C1", f"{TEAM}/U1")


def test_a_click_and_what_was_chosen() -> None:
    pressed = {"type": "users_select", "action_id": "toy:press#b1", "selected_user": "U2", "action_ts": "1.1"}
    place = {"channel_id": "C1", "message_ts": "1.1"}
    body = {"type": "block_actions", "user": PERSON, "team": {"id": TEAM}, "actions": [pressed]}
    got = taken(body | {"channel": {"id": "C1"}, "container": place, "trigger_id": "t"})
    assert got["selected"] == [f"{TEAM}/U2"]
    assert got["reply_to"]["channel"] == f"{TEAM}/C1"
    assert (got["user"]["id"], got["trigger_id"]) == (f"{TEAM}/U1", f"{TEAM}/t")


def test_a_form_whose_inputs_are_called_as_slack_calls_its_own() -> None:
    values = {
        "0-r": {"user": {"type": "users_select", "selected_user": "U2"}},
        "1-r": {"channel": {"type": "plain_text_input", "value": "C2"}},
    }
    private = json.dumps({"data": {"user": "U3"}, "channel": f"{TEAM}/C1"})
    shown = {"id": "V1", "hash": "h", "callback_id": "toy:form", "private_metadata": private}
    got = taken({"type": "view_submission", "user": PERSON, "view": shown | {"state": {"values": values}}})
    assert got["values"] == {"user": f"{TEAM}/U2", "channel": "C2"}
    assert got["private"] == {"user": "U3"}
    assert got["reply_to"]["channel"] == f"{TEAM}/C1"


def test_a_shortcut_in_a_messages_menu() -> None:
    said = {"type": "message", "user": "U2", "text": "ask <@U3>", "ts": "5.1"}
    body = {"type": "message_action", "callback_id": "toy:keep", "trigger_id": "t", "action_ts": "6.1"}
    got = taken(body | {"user": PERSON, "channel": {"id": "C1"}, "message": said})
    assert (got["message"]["user"]["id"], got["message"]["channel"]) == (f"{TEAM}/U2", f"{TEAM}/C1")
    assert got["message"]["text"] == f"ask @{TEAM}/U3"


def test_tickets_have_no_cards_in_other_workspaces() -> None:
    registry = Registry()
    registry.add(Toy(Toy.Config()))
    link = {"url": "https://desk.example/1", "domain": "desk.example"}
    shared = event(type="link_shared", user="U1", channel="C1", message_ts="1.1", links=[link])
    assert isinstance(normalise(shared, registry, TEAM), Say)
    assert not isinstance(normalise(shared, registry), Say)


def test_at_home_all_stays_as_it_is() -> None:
    got = taken(event(type="app_mention", user="U1", channel="C1", ts="1.1", text="<@UBOT> hi"), "")
    assert (got["actor"], got["channel"], got["text"]) == ("U1", "C1", "<@UBOT> hi")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("C1", ("", "C1")),
        ("#support", ("", "#support")),
        ("T1/C1", ("T1", "C1")),
        ("T1/#support", ("T1", "#support")),
        ("t1/C1", ("", "t1/C1")),
        ("", ("", "")),
    ],
)
def test_a_name_is_split_where_a_team_stands_before_it(name: str, parts: tuple[str, str]) -> None:
    assert ids.split(name) == parts
    assert ids.qualified(*parts) == name


@pytest.mark.parametrize(
    ("team", "text", "left"),
    [
        ("", "by <@U1>, <@T1/U2>", "by <@U1>, T1/U2"),
        ("T1", "by <@U1>, <@T1/U2>", "by U1, <@U2>"),
        ("T2", "by <@U1|ann>, <@T1/U2|bob>", "by ann, bob"),
        ("T1", "<!subteam^S1> <!subteam^T1/S2> <#T1/C1|ops>", "S1 <!subteam^S2> <#C1|ops>"),
        ("T1", "<https://a.example|a> &lt;@U1&gt; <!here>", "<https://a.example|a> &lt;@U1&gt; <!here>"),
    ],
)
def test_only_who_is_in_the_workspace_is_mentioned_there(team: str, text: str, left: str) -> None:
    assert ids.leaving(text, team) == left


def test_a_person_of_another_workspace_can_be_mentioned_and_nothing_else_can() -> None:
    assert mention("T1/U1").mrkdwn == "<@T1/U1>"
    assert mention("a/b").mrkdwn == "a/b"
    assert mention("T1/U1>").mrkdwn == "T1/U1&gt;"


@pytest.mark.parametrize(
    ("member", "user", "allowed"),
    [
        ("*", "U1", True),
        ("*", "T1/U1", False),
        ("U1", "T1/U1", False),
        ("T1/U1", "T1/U1", True),
        ("T1/U1", "T2/U1", False),
        ("T1/U1", "U1", False),
        ("T1/*", "T1/U1", True),
        ("T1/*", "T2/U1", False),
        ("T1/*", "U1", False),
        ("@oncall", "U2", True),
        ("@oncall", "T1/U2", False),
        ("T1/@oncall", "T1/U2", True),
        ("T1/@oncall", "U2", False),
        ("T1/@oncall", "T1/U3", False),
    ],
)
def test_roles_mean_the_home_workspace_unless_they_name_another(
    member: str, user: str, allowed: bool
) -> None:
    groups = {"U2": frozenset({"oncall"}), "T1/U2": frozenset({"T1/oncall"})}
    role = Role(members=(member,), permissions=("alerts.*",))
    permissions = Permissions({"r": role}, lambda user_id: groups.get(user_id, frozenset()))
    assert permissions.allowed(user, "alerts.silence") is allowed
