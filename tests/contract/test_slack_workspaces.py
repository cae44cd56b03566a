"""Two workspaces served by one adapter: each with its token, channels, people and budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox_slack_kit import ALICE, BOB, GENERAL, SUPPORT, Sandbox, running
from slack_sdk import WebClient

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import Permanent, Throttled
from bot.core.events import ReplyTo, utc_now
from bot.core.installations import Installations
from bot.core.integration import Services
from bot.core.messages import Input, Message, MessageRef, Modal, Section, md, mention
from bot.core.settings import Settings
from bot.core.stored_messages import StoredMessages
from integrations.slack.chat import SlackChat

pytestmark = pytest.mark.contract
BRANCH, DORA, EMIL = "T0BRANCH0", "U0BRDORA0", "U0BREMIL0"
THERE, THERE_SUPPORT = f"{BRANCH}/C0BRGENER", f"{BRANCH}/C0BRSUPPO"
HELLO = Message(text="hello")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(rate_limits=False) as started:
        yield started


@dataclass
class Both:
    chat: SlackChat
    installations: Installations
    sandbox: Sandbox

    def install(self) -> None:
        asked = "client_id=100.200&scope=chat:write&redirect_uri=http://bot.example/&into=" + BRANCH
        at = self.sandbox.http.get(f"{self.sandbox.url}/slack/oauth/v2/authorize?{asked}").headers["location"]
        code = at.partition("code=")[2].partition("&")[0]
        answer = WebClient(base_url=self.sandbox.web.base_url).oauth_v2_access(
            client_id="100.200", client_secret="sandbox-client-secret", code=code
        )
        self.installations.save(BRANCH, answer["access_token"], "test", name="Branch")

    def look(self, user: str = DORA) -> dict[str, Any]:
        url = f"{self.sandbox.url}/page/slack/teams/{BRANCH}/state"
        return dict(self.sandbox.http.get(url, params={"user": user}).json())

    def there(self, channel: str = "C0BRGENER", user: str = DORA) -> list[dict[str, Any]]:
        return list(self.look(user)["messages"][channel])

    def do(self, what: str, **body: Any) -> dict[str, Any]:
        return self.sandbox.page(f"teams/{BRANCH}/{what}", **body)


@pytest.fixture
def both(sandbox: Sandbox, tmp_path: Path) -> Iterator[Both]:
    db = Database(f"sqlite:///{tmp_path / 'chat.db'}")
    db.migrate()
    installations = Installations(db, Audit(db, utc_now), b"k" * 32, utc_now)
    slack = {"bot_token": "xoxb-sandbox", "api_url": f"{sandbox.url}/slack/api/", "home_team": "T0SANDBOX"}
    services = Services(
        Settings.model_validate({"slack": slack}),
        StoredMessages(db),
        lambda message: message,
        utc_now,
        installations=installations,
    )
    made = Both(SlackChat.connect(services), installations, sandbox)
    made.install()
    yield made
    db.close()


def test_a_channel_of_another_workspace_is_named_with_it(both: Both) -> None:
    before = len(both.sandbox.messages(SUPPORT))
    there = both.chat.post(channel=f"{BRANCH}/#support", message=Message(text="there"), step_key="s1")
    here = both.chat.post(channel="#support", message=Message(text="here"), step_key="s2")
    also_here = both.chat.post(channel="T0SANDBOX/#support", message=Message(text="too"), step_key="s3")
    assert (there.channel, here.channel, also_here.channel) == (THERE_SUPPORT, SUPPORT, SUPPORT)
    assert both.there("C0BRSUPPO")[-1]["text"] == "there"
    assert both.there("C0BRSUPPO")[-1]["user"] == "U0BRSIGNL"
    assert [m["text"] for m in both.sandbox.messages(SUPPORT)[before:]] == ["here", "too"]


def test_a_living_message_lives_there(both: Both) -> None:
    first = both.chat.upsert(channel=f"{BRANCH}/#general", key="k", message=Message(text="one"), step_key="a")
    again = both.chat.upsert(channel=f"{BRANCH}/#general", key="k", message=Message(text="two"), step_key="b")
    assert first == again
    assert first.channel == THERE
    both.chat.refresh(ref=first, step_key="c")
    assert [m["text"] for m in both.there() if m["ts"] == first.ts] == ["two"]
    found = both.chat.reconcile_post(channel=THERE, message=HELLO, step_key="a")
    assert found == first
    said = both.chat.read(first)
    assert said is not None
    assert (said.user, said.text) == (f"{BRANCH}/U0BRSIGNL", "two")
    assert "/archives/C0BRGENER/" in both.chat.permalink(first)


def test_an_answer_reaches_the_person_there(both: Both) -> None:
    to = ReplyTo(channel=THERE, user=f"{BRANCH}/{EMIL}")
    both.chat.reply(to=to, message=Message(text="only you"), step_key="r")
    assert both.there(user=EMIL)[-1]["text"] == "only you"
    assert both.there(user=EMIL)[-1]["ephemeral_for"] == EMIL
    direct = ReplyTo(channel=f"{BRANCH}/{EMIL}", user=f"{BRANCH}/{EMIL}")
    both.chat.reply(to=direct, message=Message(text="in private"), step_key="d")
    assert both.there("D0BREMIL0", user=EMIL)[-1]["text"] == "in private"


def test_a_commands_answer_goes_through_its_response_url(both: Both) -> None:
    both.do("say", user=EMIL, channel="C0BRGENER", text="/signalbox ping")
    body = both.sandbox.bot.wait_for("command")[-1].body
    to = ReplyTo(channel=THERE, user=f"{BRANCH}/{EMIL}", response_url=body["response_url"])
    message = Message(
        text="m", blocks=(Section(text=md("by {} and {}", mention(f"{BRANCH}/{DORA}"), mention(BOB))),)
    )
    both.chat.reply(to=to, message=message, step_key="r")
    assert both.there(user=EMIL)[-1]["blocks"][0]["text"]["text"] == f"by <@{DORA}> and {BOB}"


def test_somebody_of_another_workspace_is_named_and_not_mentioned(both: Both) -> None:
    text = md("{} and {}", mention(ALICE), mention(f"{BRANCH}/{DORA}"))
    message = Message(text="who", severity="info", blocks=(Section(text="t"), Section(text=text)))
    here = both.chat.post(channel=GENERAL, message=message, step_key="m1")
    there = both.chat.post(channel=THERE, message=message, step_key="m2")
    shown = {
        ref.ts: found["attachments"][0]["blocks"][0]["text"]["text"]
        for ref, all_of in ((here, both.sandbox.messages()), (there, both.there()))
        for found in all_of
        if found["ts"] == ref.ts
    }
    assert shown == {here.ts: f"<@{ALICE}> and {BRANCH}/{DORA}", there.ts: f"{ALICE} and <@{DORA}>"}


def test_home_tab_and_form_open_there(both: Both) -> None:
    both.chat.publish_home(user=f"{BRANCH}/{EMIL}", message=HELLO, step_key="h")
    assert both.look(EMIL)["home"]["team_id"] == BRANCH
    both.do("say", user=EMIL, channel="C0BRGENER", text="/signalbox ask")
    trigger = both.sandbox.bot.wait_for("command")[-1].body["trigger_id"]
    form = Modal(view="toy:form", title="Ask", submit="Send", inputs=(Input(id="why", label="Why"),))
    with pytest.raises(Permanent, match="invalid_trigger_id"):
        both.chat.open_modal(trigger_id=trigger, modal=form, step_key="elsewhere")
    both.chat.open_modal(trigger_id=f"{BRANCH}/{trigger}", modal=form, step_key="f")
    assert both.look(EMIL)["views"][0]["team_id"] == BRANCH


def test_a_file_is_shared_there(both: Both) -> None:
    thread = both.chat.post(channel=THERE, message=HELLO, step_key="t")
    sent = {"channel": THERE, "filename": "a.txt", "content": b"abc", "title": "A", "step_key": "u"}
    file_id = both.chat.upload(**sent, thread=thread)  # type: ignore[arg-type]
    assert both.chat.reconcile_upload(**sent, thread=thread) == file_id  # type: ignore[arg-type]
    assert any(file["id"] == file_id for m in both.there() for file in m.get("files", ()))


def test_user_groups_of_one_name_are_two(both: Both) -> None:
    assert both.chat.groups_of(BOB) == {"oncall"}
    assert both.chat.groups_of(f"{BRANCH}/{EMIL}") == {f"{BRANCH}/oncall"}
    assert both.chat.groups_of(f"{BRANCH}/{BOB}") == frozenset()


def test_one_workspaces_limit_does_not_hold_up_the_other(both: Both) -> None:
    both.sandbox.page("faults", method="chat.postMessage", status=429, retry_after=30)
    with pytest.raises(Throttled):
        both.chat.post(channel=THERE, message=HELLO, step_key="x")
    with pytest.raises(Throttled):
        both.chat.post(channel=THERE, message=HELLO, step_key="y")
    assert both.chat.post(channel=GENERAL, message=HELLO, step_key="z")


def test_after_removal_nothing_is_sent_there_and_the_error_says_what_to_do(both: Both) -> None:
    ref = both.chat.post(channel=THERE, message=HELLO, step_key="x")
    both.installations.forget(BRANCH, "test")
    with pytest.raises(Permanent, match=f"not installed in the Slack workspace {BRANCH}.*install-link"):
        both.chat.post(channel=THERE, message=HELLO, step_key="y")
    with pytest.raises(Permanent, match="not installed"):
        both.chat.read(ref)
    both.install()
    assert both.chat.post(channel=THERE, message=HELLO, step_key="z"), "with the new token, at once"


def test_a_token_that_slack_takes_no_more_names_its_workspace(both: Both) -> None:
    both.do("uninstall")
    with pytest.raises(Permanent, match=rf"refused the bot token.*{BRANCH}, install Signalbox there again"):
        both.chat.post(channel=THERE, message=HELLO, step_key="x")


def test_a_channel_that_is_not_there_is_named_with_its_workspace(both: Both) -> None:
    with pytest.raises(Permanent, match=rf"no channel {BRANCH}/#digest"):
        both.chat.post(channel=f"{BRANCH}/#digest", message=HELLO, step_key="x")


def test_a_token_that_can_not_be_read_shows_in_health(both: Both) -> None:
    assert both.chat.health().detail == ""
    both.installations._key = b"another"
    both.installations.save("T0OTHER00", "xoxb-other", "test", name="Other")
    both.installations._key = b"k" * 32
    health = both.chat.health()
    assert health.status == "degraded"
    assert "T0OTHER00" in health.detail


def test_a_place_that_was_stored_before_is_the_home_workspaces(both: Both) -> None:
    ref = both.chat.post(channel=GENERAL, message=HELLO, step_key="x")
    assert both.chat.read(MessageRef(channel=GENERAL, ts=ref.ts)) is not None
