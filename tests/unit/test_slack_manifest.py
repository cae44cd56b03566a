"""The app's manifest names what the product uses."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from bot.core.declare import Declaration, Handler
from bot.core.errors import ConfigError
from integrations.slack.manifest import app, manifest

pytestmark = pytest.mark.unit


def test_with_an_address_slack_calls_it() -> None:
    made = manifest("/signalbox", "https://bot.example.com/")
    address = "https://bot.example.com/slack/events"
    assert made["features"]["slash_commands"][0]["url"] == address
    assert made["settings"]["event_subscriptions"]["request_url"] == address
    assert made["settings"]["interactivity"]["request_url"] == address
    assert made["settings"]["socket_mode_enabled"] is False


def test_without_one_it_uses_socket_mode() -> None:
    made = manifest("/sb")
    assert made["settings"]["socket_mode_enabled"] is True
    assert "url" not in made["features"]["slash_commands"][0]
    assert made["features"]["slash_commands"][0]["command"] == "/sb"


def test_shortcuts_of_the_plugins_are_in_messages_menus() -> None:
    printed = CliRunner().invoke(app, [])
    shortcuts = json.loads(printed.stdout)["features"]["shortcuts"]
    assert {one["callback_id"]: one["name"] for one in shortcuts} == {
        "alert-relay:add-to-incident": "Add to incident",
        "autotag:file": "Tag this as a ticket",
    }
    assert {one["type"] for one in shortcuts} == {"message"}
    assert all(0 < len(one["description"]) <= 150 for one in shortcuts)


def test_links_to_the_helpdesk_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIRA_URL", "https://acme.atlassian.net/")
    features = json.loads(CliRunner().invoke(app, []).stdout)["features"]
    assert features["unfurl_domains"] == ["acme.atlassian.net"]
    monkeypatch.setenv("JIRA_URL", "")
    assert "unfurl_domains" not in json.loads(CliRunner().invoke(app, []).stdout)["features"]


def test_more_shortcuts_than_slack_shows_are_refused() -> None:
    one = Handler("toy", "act", Declaration("shortcut", "act", "io", title="Act", help="Acts."))
    with pytest.raises(ConfigError, match="10 shortcuts of an app at most"):
        manifest("/signalbox", shortcuts=[one] * 11)


def test_it_is_printed_as_json() -> None:
    printed = CliRunner().invoke(app, ["--url", "https://bot.example.com"])
    asked = json.loads(printed.stdout)["oauth_config"]
    assert asked["scopes"]["bot"]
    assert asked["redirect_urls"] == [
        "https://bot.example.com/sign-in/slack/done",
        "https://bot.example.com/slack/installed",
    ]


def test_an_address_without_tls_is_refused() -> None:
    ran = CliRunner().invoke(app, ["--url", "http://bot.example.com"])
    assert isinstance(ran.exception, ConfigError)


def test_each_event_has_its_scope() -> None:
    needed = {
        "app_mention": "app_mentions:read",
        "link_shared": "links:read",
        "message.channels": "channels:history",
        "reaction_added": "reactions:read",
        "reaction_removed": "reactions:read",
    }
    made = manifest("/signalbox")
    assert made["features"]["app_home"]["home_tab_enabled"] is True
    events = set(made["settings"]["event_subscriptions"]["bot_events"])
    without_scope = {"app_home_opened", "app_uninstalled", "tokens_revoked"}
    assert without_scope <= events
    for event in events - without_scope:
        assert needed[event] in made["oauth_config"]["scopes"]["bot"]
