"""Slack's front door with several workspaces: whose delivery it is, who is not let in, and who has left."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from bot.core.errors import Transient
from bot.core.events import ChatMessage, Command
from bot.plugin import Context, Plugin, command, on
from bot.slack.front import NOT_INSTALLED, NOT_TAKEN
from tests.integration.web_kit import Web, web

pytestmark = pytest.mark.integration
HOME, BRANCH, STRANGER = "T0HOME000", "T0BRANCH0", "T0STRANGE"


class Toy(Plugin):
    name = "toy"

    @command("hi", help="Say hi.")
    def hi(self, cmd: Command, ctx: Context) -> None: ...

    @on("slack.mention")
    def mention(self, said: ChatMessage, ctx: Context) -> None: ...


@pytest.fixture
def site(database_url: str) -> Iterator[Web]:
    slack = {"signing_secret": "slack-secret", "home_team": HOME}
    with web(database_url, Toy(Toy.Config()), slack=slack) as started:
        started.kernel.installations.save(BRANCH, "xoxb-branch", "test", name="Branch")
        yield started


def send(site: Web, body: bytes, kind: str) -> httpx2.Response:
    stamp = str(int(time.time()))
    digest = hmac.new(b"slack-secret", b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest.hexdigest()}"}
    return site.http.post("/slack/events", content=body, headers=signed | {"Content-Type": kind})


def slash(site: Web, team: str, trigger: str = "t1") -> httpx2.Response:
    form = {"command": "/signalbox", "text": "hi", "user_id": "U1", "channel_id": "C1", "trigger_id": trigger}
    body = urlencode(form | {"team_id": team}).encode()
    return send(site, body, "application/x-www-form-urlencoded")


def told(site: Web, team: str, *, at: float | None = None, **event: Any) -> httpx2.Response:
    body = {
        "type": "event_callback",
        "event_id": "Ev1",
        "event_time": int(time.time() if at is None else at),
        "team_id": team,
        "authorizations": [{"team_id": team, "user_id": "UBOT"}],
        "event": event,
    }
    return send(site, json.dumps(body).encode(), "application/json")


def actors(site: Web) -> list[str]:
    events = (site.kernel.trace(run.id.rpartition("-")[0]).event for run in site.kernel.inbox.runs())
    return sorted(event.actor for event in events)


def test_people_are_known_by_their_workspace(site: Web) -> None:
    assert slash(site, HOME).content == b""
    assert slash(site, BRANCH, "t2").content == b""
    assert actors(site) == [f"{BRANCH}/U1", "U1"]


def test_a_command_from_where_it_is_not_installed_is_answered_honestly(site: Web) -> None:
    answer = slash(site, STRANGER)
    assert answer.status_code == 200
    assert answer.json()["text"] == NOT_INSTALLED
    assert slash(site, "", "t2").json()["text"] == NOT_INSTALLED
    assert site.kernel.inbox.runs() == []


def test_an_event_from_there_is_acknowledged_and_not_kept(site: Web) -> None:
    said = {"type": "app_mention", "user": "U1", "text": "<@UBOT> hi", "channel": "C1", "ts": "1.1"}
    assert told(site, STRANGER, **said).status_code == 200, "else Slack would send it again"
    assert site.kernel.inbox.runs() == []
    assert told(site, BRANCH, **said).status_code == 200
    assert actors(site) == [f"{BRANCH}/U1"]


def test_a_workspace_that_is_just_installed_is_served_at_once(site: Web) -> None:
    slash(site, STRANGER)
    site.kernel.installations.save(STRANGER, "xoxb-new", "test", name="New")
    assert slash(site, STRANGER, "t2").content == b""
    assert actors(site) == [f"{STRANGER}/U1"]


@pytest.mark.parametrize(
    "event", [{"type": "app_uninstalled"}, {"type": "tokens_revoked", "tokens": {"bot": ["UBOT"]}}]
)
def test_who_takes_the_app_out_is_forgotten_at_once(site: Web, event: dict[str, Any]) -> None:
    slash(site, BRANCH)
    assert told(site, BRANCH, **event).status_code == 200
    assert site.kernel.installations.teams() == frozenset()
    assert slash(site, BRANCH, "t2").json()["text"] == NOT_INSTALLED
    newest = site.kernel.audit.recent(1)[0]
    assert (newest.actor, newest.action, newest.subject) == ("slack", "slack.forget", BRANCH)
    assert told(site, BRANCH, **event).status_code == 200, "Slack tells it twice"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "tokens_revoked"},
        {"type": "tokens_revoked", "tokens": ["UBOT"]},
        {"type": "app_uninstalled", "at": 1e20},
    ],
)
def test_a_removal_that_can_not_be_read_removes_nothing(site: Web, event: dict[str, Any]) -> None:
    assert told(site, BRANCH, **event).status_code == 400
    assert site.kernel.installations.teams() == {BRANCH}


def test_somebodys_own_token_is_not_the_bots(site: Web) -> None:
    told(site, BRANCH, type="tokens_revoked", tokens={"oauth": ["U1"], "bot": []})
    assert site.kernel.installations.teams() == {BRANCH}


def test_what_slack_tells_late_leaves_a_newer_installation_alone(site: Web) -> None:
    told(site, BRANCH, at=time.time() - 60, type="app_uninstalled")
    assert site.kernel.installations.teams() == {BRANCH}


def test_while_the_database_is_away_slack_sends_it_again(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise Transient("The database is away.")

    monkeypatch.setattr(site.kernel.installations, "forget", away)
    monkeypatch.setattr(site.kernel.installations, "teams", away)
    assert told(site, BRANCH, type="app_uninstalled").status_code == 503
    assert slash(site, STRANGER).json()["text"] == NOT_TAKEN
    assert slash(site, HOME).content == b"", "who is at home needs no look"


def test_without_a_home_all_is_of_one_workspace(database_url: str) -> None:
    with web(database_url, Toy(Toy.Config())) as site:
        slash(site, HOME)
        slash(site, STRANGER, "t2")
        assert actors(site) == ["U1", "U1"]
