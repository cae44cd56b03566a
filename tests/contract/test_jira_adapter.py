"""Our Jira adapter against the stand-in: what it reads, writes, finds again, and how it takes faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter
from standin_server import Bot, listening, sandbox, serving, until

from bot.core.errors import ConfigError, Permanent, SignalboxError, Transient
from bot.core.events import Delivery, NewEvent, TicketEvent, utc_now
from bot.core.integration import Services
from bot.core.settings import JiraSettings, Settings
from integrations.jira import connect
from integrations.jira.source import JiraSource
from integrations.jira.tickets import JiraTickets
from integrations.sandbox.changes import Changes
from integrations.sandbox.jira import stand_in
from integrations.sandbox.options import SandboxOptions
from integrations.sandbox.standin import StandIn

pytestmark = pytest.mark.contract
EMAIL, TOKEN, SECRET = "bot@example.invalid", "token", "webhook-secret"


def built(bot_url: str, public_url: str) -> StandIn:
    options = SandboxOptions(
        bot_url=bot_url, public_url=public_url, jira_email=EMAIL, jira_api_token=SecretStr(TOKEN),
        jira_webhook_secret=SecretStr(SECRET), retry_scale=0.01,
    )  # fmt: skip
    return stand_in(options, Changes())


@pytest.fixture(scope="module")
def bot() -> Bot:
    return Bot("/webhooks/jira")


@pytest.fixture(scope="module")
def site(bot: Bot) -> Iterator[str]:
    with sandbox(bot, built) as url:
        yield url


def settings(url: str, token: str = TOKEN) -> JiraSettings:
    values = {"url": url, "email": EMAIL, "api_token": token, "webhook_secret": SECRET}
    return JiraSettings.model_validate(values)


@pytest.fixture
def jira(site: str) -> JiraTickets:
    return JiraTickets(settings(f"{site}/jira/"))


@pytest.fixture
def page(site: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{site}/page/jira") as http:
        yield http
        http.delete("/faults").raise_for_status()


@pytest.fixture
def key(page: httpx2.Client) -> str:
    issue = {"summary": "Card declined", "description": "Twice.\n\nSince noon.", "labels": ["vip"]}
    return str(page.post("/issues", json=issue).raise_for_status().json()["key"])


def fault(page: httpx2.Client, **plan: Any) -> None:
    page.post("/faults", json={"path_prefix": "/rest/api/3", **plan}).raise_for_status()


def step() -> str:
    return uuid4().hex


# --- reading and writing -----------------------------------------------------------------------------


def test_a_ticket_is_read_with_its_document_as_text(jira: JiraTickets, key: str, site: str) -> None:
    ticket = jira.get(key)
    assert (ticket.system, ticket.key, ticket.summary) == ("jira", key, "Card declined")
    assert ticket.description.split() == ["Twice.", "Since", "noon."]
    assert (ticket.labels, ticket.status, ticket.project) == (("vip",), "To Do", "SUP")
    assert ticket.url == f"{site}/jira/browse/{key}"
    assert ticket.created_at is not None
    assert ticket.created_at.tzinfo is not None


def test_a_label_is_added_beside_those_that_others_set_meanwhile(
    jira: JiraTickets, key: str, page: httpx2.Client
) -> None:
    jira.get(key)
    page.post(
        f"/issues/{key}/labels", json={"user": "agent", "add": ["by-hand"], "remove": []}
    ).raise_for_status()
    jira.add_label(key=key, label="payments", step_key=step())
    jira.add_label(key=key, label="payments", step_key=step())
    assert sorted(jira.get(key).labels) == ["by-hand", "payments", "vip"]


def test_a_label_is_removed_and_the_others_stay(jira: JiraTickets, key: str) -> None:
    jira.add_label(key=key, label="payments", step_key=step())
    jira.remove_label(key=key, label="payments", step_key=step())
    jira.remove_label(key=key, label="payments", step_key=step())
    assert jira.get(key).labels == ("vip",)


def comments(site: str, key: str) -> list[dict[str, Any]]:
    url = f"{site}/jira/rest/api/3/issue/{key}/comment"
    found: list[dict[str, Any]] = httpx2.get(url, auth=(EMAIL, TOKEN)).raise_for_status().json()["comments"]
    return found


def test_a_comment_is_a_document_and_is_found_again_by_its_step(
    jira: JiraTickets, key: str, site: str
) -> None:
    wanted, other = {"key": key, "text": "Looks like\n*payments*", "step_key": step()}, step()
    assert jira.reconcile_comment(**wanted) is None
    comment_id = jira.comment(**wanted)
    jira.comment(key=key, text="another", step_key=other)
    assert jira.reconcile_comment(**wanted) == comment_id
    assert [line["content"][0]["text"] for line in comments(site, key)[0]["body"]["content"]] == [
        "Looks like",
        "*payments*",
    ]


@pytest.mark.parametrize("lost", [{"drop_after": True}, {"half_body": True}])
def test_a_comment_whose_answer_was_lost_is_found_not_repeated(
    jira: JiraTickets, key: str, page: httpx2.Client, site: str, lost: dict[str, bool]
) -> None:
    fault(page, method="POST", **lost)
    wanted = {"key": key, "text": "once", "step_key": step()}
    with pytest.raises(Transient):
        jira.comment(**wanted)
    assert jira.reconcile_comment(**wanted) == comments(site, key)[0]["id"]
    assert len(comments(site, key)) == 1


def filing(**changed: Any) -> dict[str, Any]:
    wanted = {
        "project": "SUP",
        "summary": "Checkout fails",
        "description": "Since noon.",
        "labels": ("alert",),
    }
    return {**wanted, "step_key": step(), **changed}


def test_a_ticket_is_filed_and_found_again_by_its_step(jira: JiraTickets) -> None:
    wanted = filing()
    assert jira.reconcile_create(**wanted) is None
    made = jira.create(**wanted)
    assert (made.project, made.summary, made.description) == ("SUP", "Checkout fails", "Since noon.")
    assert "alert" in made.labels
    assert made.url.endswith(f"/browse/{made.key}")
    assert jira.reconcile_create(**wanted) == made
    assert jira.reconcile_create(**filing()) is None


def test_a_ticket_whose_answer_was_lost_is_found_not_repeated(jira: JiraTickets, page: httpx2.Client) -> None:
    fault(page, method="POST", drop_after=True, count=1)
    wanted = filing()
    with pytest.raises(Transient):
        jira.create(**wanted)
    found = jira.reconcile_create(**wanted)
    assert found is not None
    assert found.summary == "Checkout fails"


def test_an_unknown_project_is_refused_with_its_name(jira: JiraTickets) -> None:
    with pytest.raises(Permanent, match="NOPE"):
        jira.create(**filing(project="NOPE"))


def test_the_bots_account_is_known(jira: JiraTickets) -> None:
    assert jira.account_id
    assert jira.health().status == "ok"


# --- errors --------------------------------------------------------------------------------------------


def failure(call: Callable[..., Any], **arguments: Any) -> SignalboxError:
    with pytest.raises(SignalboxError) as caught:
        call(**arguments)
    assert TOKEN + "-secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_overload_is_transient_at_once_and_keeps_jiras_retry_after(
    jira: JiraTickets, key: str, page: httpx2.Client, status: int
) -> None:
    fault(page, status=status, retry_after=17)
    error = failure(jira.get, key=key)
    assert isinstance(error, Transient)
    assert error.retry_after == 17
    assert error.__cause__ is not None
    assert not page.get("/faults").json(), "one request used the fault up; nothing retried behind our back"


def test_a_site_that_is_away_is_transient() -> None:
    sock = listening()
    port = sock.getsockname()[1]
    sock.close()
    jira = JiraTickets(settings(f"http://127.0.0.1:{port}"))
    assert isinstance(failure(jira.get, key="SUP-1"), Transient)
    assert jira.health().status == "down"


def test_a_slow_site_is_transient(
    jira: JiraTickets, key: str, page: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.jira.tickets.TIMEOUT_SECONDS", 0.1)
    fault(page, delay_seconds=1)
    assert isinstance(failure(jira.get, key=key), Transient)


def test_a_wrong_token_is_permanent_and_names_what_to_check(site: str, key: str) -> None:
    jira = JiraTickets(settings(f"{site}/jira", "token-secret"))
    error = failure(jira.add_label, key=key, label="x", step_key=step())
    assert isinstance(error, Permanent)
    assert "JIRA_API_TOKEN" in str(error)
    assert "JIRA_API_TOKEN" in jira.health().detail


def test_missing_permission_is_permanent(jira: JiraTickets, key: str, page: httpx2.Client) -> None:
    fault(page, status=403)
    error = failure(jira.add_label, key=key, label="x", step_key=step())
    assert isinstance(error, Permanent)
    assert "may edit" in str(error)


def test_a_ticket_that_is_gone_is_permanent(jira: JiraTickets) -> None:
    error = failure(jira.get, key="SUP-99999")
    assert isinstance(error, Permanent)
    assert "SUP-99999" in str(error)


def test_what_jira_refuses_is_said_in_its_words(jira: JiraTickets, key: str) -> None:
    error = failure(jira.add_label, key=key, label="two words", step_key=step())
    assert isinstance(error, Permanent)
    assert "400" in str(error)
    assert "spaces" in str(error)


def test_a_key_cannot_leave_its_place_in_the_url(jira: JiraTickets) -> None:
    for hostile in ("../myself", "SUP-1/../../myself", "SUP-1?x=1#", "%2e%2e/myself"):
        assert isinstance(failure(jira.get, key=hostile), Permanent)


def test_a_page_that_is_not_jira_is_permanent_and_says_so() -> None:
    login = FastAPI()

    @login.get("/{path:path}")
    def anything(path: str) -> Response:
        return Response("<html>Please log in</html>", media_type="text/html")

    with serving(login, listening()) as url:
        error = failure(JiraTickets(settings(url)).get, key="SUP-1")
    assert isinstance(error, Permanent)
    assert "JIRA_URL" in str(error)


def test_a_url_without_a_token_names_the_missing_setting() -> None:
    with pytest.raises(ConfigError, match="JIRA_API_TOKEN"):
        JiraTickets(JiraSettings.model_validate({"url": "https://acme.example"}))


# --- the requests themselves, as developer.atlassian.com publishes them ------------------------------------


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AddLabel(Strict):
    add: str


class LabelUpdate(Strict):
    labels: list[AddLabel]


class EditIssue(Strict):
    """PUT /rest/api/3/issue/{key}."""

    update: LabelUpdate


class EntityProperty(Strict):
    key: str
    value: Any


class Comment(Strict):
    """POST /rest/api/3/issue/{key}/comment."""

    body: dict[str, Any]
    properties: list[EntityProperty]


def test_requests_have_the_published_shape() -> None:
    seen: list[tuple[str, str, dict[str, str], bytes]] = []
    recorder = FastAPI()

    @recorder.api_route("/{path:path}", methods=["GET", "PUT", "POST"])
    async def record(path: str, request: Request) -> dict[str, Any]:
        seen.append((request.method, request.url.path, dict(request.headers), await request.body()))
        return {"id": "1", "key": "SUP-1", "fields": {}}

    with serving(recorder, listening()) as url:
        jira = JiraTickets(settings(url))
        jira.get("SUP-1")
        jira.add_label(key="SUP-1", label="payments", step_key="s1")
        jira.comment(key="SUP-1", text="hello", step_key="s2")
    assert [(method, path) for method, path, _, _ in seen] == [
        ("GET", "/rest/api/3/issue/SUP-1"),
        ("PUT", "/rest/api/3/issue/SUP-1"),
        ("POST", "/rest/api/3/issue/SUP-1/comment"),
    ]
    assert all(headers["authorization"].startswith("Basic ") for _, _, headers, _ in seen)
    assert EditIssue.model_validate_json(seen[1][3]).update.labels == [AddLabel(add="payments")]
    comment = Comment.model_validate_json(seen[2][3])
    assert (comment.body["type"], comment.body["version"]) == ("doc", 1)
    assert [entry.key for entry in comment.properties] == ["signalbox.s2"]


# --- the stand-in's webhooks through our source --------------------------------------------------------------


def received(bot: Bot, source: JiraSource, event: str, key: str) -> tuple[NewEvent, TicketEvent]:
    def found() -> Any:
        bodies = [(headers, body) for headers, body in list(bot.got) if key.encode() in body]
        return [(h, b) for h, b in bodies if json.loads(b)["webhookEvent"] == event]

    headers, body = until(found)[-1]
    delivery = Delivery("jira", body, headers)
    source.verify(delivery, utc_now())
    new = source.normalise(delivery, utc_now())
    assert new is not None
    payload = source.parse(new.kind, new.body)
    assert isinstance(payload, TicketEvent)
    return new, payload


def test_what_jira_sends_is_what_the_source_reads(
    bot: Bot, site: str, jira: JiraTickets, key: str, page: httpx2.Client
) -> None:
    loaded = Settings.model_validate({"jira": settings(f"{site}/jira").model_dump()})
    services = Services(loaded, TypeAdapter(Any).validate_python(None), lambda message: message, utc_now)
    integration = connect(services)
    [source] = integration.sources
    assert isinstance(source, JiraSource)
    new, created = received(bot, source, "jira:issue_created", key)
    assert (new.kind, new.subject, new.serial) == ("ticket.created", key, f"jira:{key}")
    assert not created.by_us
    assert created.ticket.description.split() == jira.get(key).description.split()
    assert created.ticket.model_copy(update={"description": ""}) == jira.get(key).model_copy(
        update={"description": ""}
    )

    jira.add_label(key=key, label="payments", step_key=step())
    new, updated = received(bot, source, "jira:issue_updated", key)
    assert updated.labels_added == ("payments",)
    assert updated.by_us, "the account is asked for when the settings do not name it"

    page.post(f"/issues/{key}/comments", json={"user": "agent", "text": "hm"}).raise_for_status()
    new, commented = received(bot, source, "comment_created", key)
    assert (new.kind, commented.ticket.key) == ("ticket.commented", key)
    assert commented.actor
    assert not commented.by_us


def test_a_link_is_shown_once_on_the_ticket(jira: JiraTickets, site: str, key: str) -> None:
    url = "https://example.slack.com/archives/C1/p1"
    for title in ("Slack: first", "Slack: DiskFull"):
        jira.link(key=key, url=url, title=title, step_key="s1")
    answer = httpx2.get(f"{site}/jira/rest/api/3/issue/{key}/remotelink", auth=(EMAIL, TOKEN))
    [found] = answer.json()
    assert (found["object"]["url"], found["object"]["title"]) == (url, "Slack: DiskFull")


def test_a_search_is_paged_to_its_end(jira: JiraTickets, page: httpx2.Client) -> None:
    label = f"l{uuid4().hex[:8]}"
    for number in range(103):
        issue = {"summary": f"Ticket {number}", "labels": [label]}
        page.post("/issues", json=issue).raise_for_status()
    first = jira.search(f"labels = {label}")
    second = jira.search(f"labels = {label}", after=first.after)
    keys = [ticket.key for found in (first, second) for ticket in found.tickets]
    assert len(first.tickets) == 100
    assert len(keys) == len(set(keys)) == 103
    assert second.after == ""
    assert first.tickets[0].labels == (label,)


def test_a_search_that_jira_can_t_read_says_so(jira: JiraTickets) -> None:
    with pytest.raises(Permanent, match="400"):
        jira.search("labels ==== x")
