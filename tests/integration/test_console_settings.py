"""A plugin's settings, changed in the console: by the rules of `/signalbox settings`, and by nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Literal

import pytest
from pydantic import Field, SecretStr

from bot.console.sign_in import COOKIE, Links, Sessions
from bot.core.context import Context
from bot.core.declare import Plugin, PluginConfig, on
from bot.core.events import Hook
from tests.integration.web_kit import SETTINGS, Web, web

pytestmark = pytest.mark.integration
PAGE = "/plugins/greeter/settings"


class GreeterConfig(PluginConfig):
    words: str = Field("Hello", description="What is `said`.")
    times: int = Field(1, ge=1, le=3, description="How often.")
    tone: Literal["kind", "curt"] = Field("kind", description="How.")
    rooms: tuple[str, ...] = Field((), description="Where.")
    secret: SecretStr | None = Field(None, description="Nobody's business.")


class Greeter(Plugin[GreeterConfig]):
    name = "greeter"
    Config = GreeterConfig

    @on("generic.deploys")
    def deploy(self, hook: Hook, ctx: Context) -> None: ...


ROLES = {
    "operators": {"members": ["U1", "U2"], "permissions": ["console.view", "plugins.configure"]},
    "viewers": {"members": ["U3"], "permissions": ["console.view"]},
}


@pytest.fixture
def site(database_url: str) -> Iterator[Web]:
    config = GreeterConfig(secret=SecretStr("hush-hush"))
    with web(database_url, Greeter(config), roles=ROLES) as running:
        yield running


def by_link(site: Web) -> None:
    site.http.get("/sign-in", params={"code": Links(site.kernel.db).make()})


def by_slack(site: Web, user: str) -> None:
    site.http.cookies.clear()
    key = str(SETTINGS["secret_key"]).encode()
    site.http.cookies.set(COOKIE, Sessions(key, site.kernel.db).begin(user, by_link=False))


def form(site: Web) -> dict[str, str]:
    """What a browser would send without anything changed."""
    page = site.http.get(PAGE).text
    hidden = re.findall(r'type="hidden" name="(token|version)" value="([^"]*)"', page)
    typed = re.findall(r'name="(field:\w+)" type="\w+"[^>]*? value="([^"]*)"', page)
    typed += re.findall(r'name="(field:\w+)" type="\w+" (?:step="any" )?value="([^"]*)"', page)
    chosen = re.findall(r'<select[^>]* name="(field:\w+)".*?<option selected>(\w+)<', page, re.DOTALL)
    return {name: unescape(value) for name, value in [*hidden, *typed, *chosen]}


def send(site: Web, **changed: str) -> Any:
    return site.http.post(PAGE, data={**form(site), **{f"field:{k}": v for k, v in changed.items()}})


def config(site: Web) -> GreeterConfig:
    made: GreeterConfig = site.kernel.registry.plugins["greeter"].config
    return made


def test_a_change_is_obeyed_told_audited_and_recorded(site: Web) -> None:
    by_link(site)
    answer = send(site, words="Moin", times="2", tone="curt", rooms="#a, #b")
    assert "Every process takes it within seconds" in answer.text
    now = config(site)
    assert (now.words, now.times, now.tone, now.rooms) == ("Moin", 2, "curt", ("#a", "#b"))
    [row] = [row for row in site.kernel.audit.rows() if row.action == "plugin.settings"]
    assert (row.actor, row.before["words"], row.after["words"]) == ("console:admin", "Hello", "Moin")
    [change] = site.kernel.ledger.find(record_type="change")
    assert (change.status, change.body["change_type"], change.plugin) == ("closed", "standard", "core")
    assert "changed by console:admin" in site.http.get("/plugins").text
    assert site.kernel.ledger.faults() == []


def test_what_is_sent_unchanged_changes_nothing(site: Web) -> None:
    by_link(site)
    assert "set so already" in send(site).text
    assert site.kernel.ledger.find(record_type="change") == []


@pytest.mark.parametrize(("times", "words"), [("9", "less than or equal to 3"), ("many", "valid integer")])
def test_what_does_not_do_is_refused_and_what_was_typed_is_kept(site: Web, times: str, words: str) -> None:
    by_link(site)
    answer = send(site, words="<b>Moin", times=times)
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="&lt;b&gt;Moin"' in answer.text
    assert config(site).words == "Hello"
    assert site.kernel.ledger.find(record_type="change") == []


def test_secrets_are_neither_shown_nor_asked_for(site: Web) -> None:
    by_link(site)
    for path in ("/plugins", PAGE):
        assert "hush-hush" not in site.http.get(path).text
    send(site, secret="mine", words="Moin")
    assert config(site).secret == SecretStr("hush-hush")


def test_it_goes_back_to_what_the_file_says(site: Web) -> None:
    by_link(site)
    assert "Go back" not in site.http.get(PAGE).text
    send(site, words="Moin")
    site.http.post(PAGE, data={**form(site), "reset": "yes"})
    assert config(site).words == "Hello"
    assert site.kernel.overrides.origin("greeter", "words") == "default"


def test_of_two_who_change_at_once_the_second_is_told(site: Web) -> None:
    by_link(site)
    late = form(site)
    send(site, words="Moin")
    answer = site.http.post(PAGE, data={**late, "field:words": "Servus"})
    assert "Somebody changed these settings meanwhile" in answer.text
    assert 'value="Moin"' in answer.text, "what stands now is shown"
    assert config(site).words == "Moin"


def test_a_form_of_another_session_is_refused(site: Web) -> None:
    by_link(site)
    assert site.http.post(PAGE, data={**form(site), "token": "forged"}).status_code == 403
    assert site.http.post(PAGE, data={}).status_code == 403
    site.http.cookies.clear()
    assert site.http.post(PAGE, data={}).status_code == 401


def test_who_may_only_look_may_not_change(site: Web) -> None:
    by_slack(site, "U1")
    sent = form(site)
    by_slack(site, "U3")
    assert site.http.get(PAGE).status_code == 403
    assert "Change the settings" not in site.http.get("/plugins").text
    site.http.post(PAGE, data={**sent, "field:words": "Moin"})
    assert config(site).words == "Hello"


def test_a_plugin_that_is_not_there_has_no_settings(site: Web) -> None:
    by_link(site)
    assert site.http.get("/plugins/nobody/settings").status_code == 404


def test_what_is_not_allowed_in_advance_waits_for_another_person(database_url: str) -> None:
    """The proposer is known by their Slack id, so that they can't agree with themselves in Slack."""
    strict = {"roles": ROLES, "records": {"templates": []}}
    with web(database_url, Greeter(GreeterConfig()), **strict) as site:
        by_slack(site, "U1")
        assert "another person" in send(site, words="Moin").text
        assert config(site).words == "Hello"
        [change] = site.kernel.ledger.find(record_type="change", status="assessed", plugin="core")
        assert change.body["initiator"] == "U1"
