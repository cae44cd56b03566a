"""The Jira stand-in, driven by the official `jira` client over HTTP, and the webhooks that it sends."""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from jira import JIRA, JIRAError
from jira.resources import Issue
from standin_server import Bot, sandbox, until

from integrations.sandbox.changes import Changes
from integrations.sandbox.jira import stand_in
from integrations.sandbox.options import SandboxOptions
from integrations.sandbox.standin import StandIn

pytestmark = pytest.mark.contract

EMAIL, TOKEN, SECRET = "bot@example.invalid", "token", "webhook-secret"
NEW = {"project": {"key": "SUP"}, "summary": "Card declined", "issuetype": {"name": "Task"}}


def doc(text: str) -> dict[str, Any]:
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
    return {"type": "doc", "version": 1, "content": [paragraph]}


def built(bot_url: str, public_url: str, data_dir: Path | None = None) -> StandIn:
    options = SandboxOptions(
        bot_url=bot_url, public_url=public_url, jira_email=EMAIL, jira_api_token=TOKEN,
        jira_webhook_secret=SECRET, retry_scale=0.01, data_dir=data_dir,
    )  # fmt: skip
    return stand_in(options, Changes())


@pytest.fixture(scope="module")
def bot() -> Bot:
    return Bot("/webhooks/jira")


@pytest.fixture(scope="module")
def site(bot: Bot) -> Iterator[str]:
    with sandbox(bot, built) as url:
        yield url


def client(site: str, version: str, token: str = TOKEN) -> JIRA:
    options = {"server": f"{site}/jira", "rest_api_version": version}
    return JIRA(options=options, basic_auth=(EMAIL, token), max_retries=0)


@pytest.fixture(scope="module")
def v3(site: str) -> JIRA:
    return client(site, "3")


@pytest.fixture(scope="module")
def v2(site: str) -> JIRA:
    return client(site, "2")


@pytest.fixture
def page(site: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{site}/page/jira") as http:
        yield http


@pytest.fixture
def issue(v3: JIRA) -> Issue:
    return v3.create_issue(fields=NEW | {"description": doc("It was declined twice.")})


def refusal(call: Any, *args: Any, **kwargs: Any) -> JIRAError:
    with pytest.raises(JIRAError) as caught:
        call(*args, **kwargs)
    return caught.value


def webhook(bot: Bot, event: str, key: str) -> dict[str, Any]:
    def found() -> Any:
        return [b for b in bot.bodies if b["webhookEvent"] == event and b["issue"]["key"] == key]

    return until(found)[-1]


# --- the client against the site -------------------------------------------------------------------


def test_the_client_sees_a_cloud_site_and_its_project(v3: JIRA) -> None:
    assert v3.server_info()["deploymentType"] == "Cloud"
    assert v3.myself()["emailAddress"] == EMAIL
    assert [project.key for project in v3.projects()] == ["SUP"]
    assert [kind.name for kind in v3.project("SUP").issueTypes] == ["Task", "Bug", "Story"]
    assert {field["id"] for field in v3.fields()} >= {"summary", "labels", "description"}
    assert "Highest" in {priority.name for priority in v3.priorities()}
    assert [status.name for status in v3.statuses()] == ["To Do", "In Progress", "Done"]
    assert v3.my_permissions(permissions="EDIT_ISSUES")["permissions"]["EDIT_ISSUES"]["havePermission"]
    assert [user.displayName for user in v3.search_users(query="mia")] == ["Mia Okafor"]
    assert v3.search_assignable_users_for_issues(project="SUP", query="jonas")


def test_createmeta_names_the_required_fields(v3: JIRA) -> None:
    meta = v3.createmeta(projectKeys="SUP", expand="projects.issuetypes.fields")
    fields = meta["projects"][0]["issuetypes"][0]["fields"]
    assert sorted(name for name, field in fields.items() if field["required"]) == [
        "issuetype",
        "project",
        "summary",
    ]


def test_a_wrong_token_and_no_token_are_401(site: str) -> None:
    assert refusal(client, site, "3", token="wrong").status_code == 401
    anonymous = httpx2.get(f"{site}/jira/rest/api/3/myself")
    assert anonymous.status_code == 401
    assert "authenticated" in anonymous.json()["message"]
    assert httpx2.get(f"{site}/jira/rest/api/3/serverInfo").status_code == 200


def test_unknown_issues_and_paths_are_404_in_jiras_shape(v3: JIRA, site: str) -> None:
    error = refusal(v3.issue, "SUP-99999")
    assert error.status_code == 404
    assert error.response.json()["errorMessages"] == [
        "Issue does not exist or you do not have permission to see it."
    ]
    unknown = httpx2.get(f"{site}/jira/rest/api/3/dashboard", auth=(EMAIL, TOKEN))
    assert unknown.status_code == 404
    assert set(unknown.json()) == {"errorMessages", "errors"}


# --- issues ------------------------------------------------------------------------------------------


def test_rich_text_is_a_document_in_v3_and_text_in_v2(v2: JIRA, v3: JIRA, issue: Issue) -> None:
    assert v3.issue(issue.key).raw["fields"]["description"] == doc("It was declined twice.")
    assert v2.issue(issue.key).fields.description == "It was declined twice."


def test_v3_refuses_plain_text_where_jira_wants_a_document(v3: JIRA, issue: Issue) -> None:
    error = refusal(v3.create_issue, fields=NEW | {"description": "plain"})
    assert error.status_code == 400
    assert "Atlassian Document" in error.response.json()["errors"]["description"]
    assert "not valid" in refusal(v3.add_comment, issue, "plain").text


def test_v2_text_survives_the_round_trip(v2: JIRA) -> None:
    text = "First line\nsecond line\n\nNew paragraph\n\n\nand one more"
    created = v2.create_issue(project="SUP", summary="Text", issuetype="Bug", description=text)
    assert v2.issue(created.key).fields.description == text
    assert created.fields.issuetype.name == "Bug"


def test_adding_a_label_leaves_the_labels_of_people(v3: JIRA, page: httpx2.Client, issue: Issue) -> None:
    page.post(f"/issues/{issue.key}/labels", json={"user": "mia", "add": ["vip"]}).raise_for_status()
    issue.update(update={"labels": [{"add": "billing"}]})
    assert issue.fields.labels == ["vip", "billing"]
    issue.add_field_value("labels", "billing")
    assert v3.issue(issue.key).fields.labels == ["vip", "billing"]
    card = next(card for card in page.get("/state").json()["issues"] if card["key"] == issue.key)
    assert [(label["name"], label["by"]["kind"]) for label in card["labels"]] == [
        ("vip", "person"),
        ("billing", "bot"),
    ]
    issue.update(update={"labels": [{"remove": "billing"}]})
    assert v3.issue(issue.key).fields.labels == ["vip"]


@pytest.mark.parametrize("label", ["two words", "tab\there", ""])
def test_labels_with_spaces_are_refused(issue: Issue, label: str) -> None:
    error = refusal(issue.update, update={"labels": [{"add": label}]})
    assert error.status_code == 400
    assert "contains spaces" in error.response.json()["errors"]["labels"]


def test_a_refused_edit_changes_nothing(v3: JIRA, issue: Issue) -> None:
    refusal(issue.update, fields={"summary": "New", "nonsense": 1})
    refusal(issue.update, fields={"summary": "New"}, update={"labels": [{"add": "a b"}]})
    refusal(issue.update, fields={"labels": ["a"]}, update={"labels": [{"add": "b"}]})
    assert v3.issue(issue.key).fields.summary == "Card declined"


def test_the_changelog_tells_who_changed_what(v3: JIRA, issue: Issue) -> None:
    issue.update(fields={"summary": "Card declined twice", "priority": {"name": "High"}})
    (history,) = v3.issue(issue.key, expand="changelog").changelog.histories
    assert history.author.accountId == v3.myself()["accountId"]
    assert {(i.field, i.fromString, i.toString) for i in history.items} == {
        ("summary", "Card declined", "Card declined twice"),
        ("priority", "Medium", "High"),
    }


def test_comments_transitions_properties_and_links(v2: JIRA, v3: JIRA, issue: Issue) -> None:
    v3.add_comment(issue, doc("Looking into it"))
    v2.add_comment(issue.key, "Second")
    assert [comment.body for comment in v2.comments(issue.key)] == ["Looking into it", "Second"]
    v3.transition_issue(issue, "In Progress")
    assert v3.issue(issue.key).fields.status.name == "In Progress"
    v3.add_issue_property(issue, "signalbox", {"step": "7:label"})
    assert v3.issue_property(issue, "signalbox").value.step == "7:label"
    assert v3.issue_properties(issue)[0].key == "signalbox"
    v3.issue_property(issue, "signalbox").delete()
    assert refusal(v3.issue_property, issue, "signalbox").status_code == 404
    link = {"url": "https://status.example.invalid/1", "title": "Incident 1"}
    v3.add_simple_link(issue, link)
    assert [remote.object.title for remote in v3.remote_links(issue)] == ["Incident 1"]


def test_a_link_with_the_same_global_id_is_replaced(v3: JIRA, site: str, issue: Issue) -> None:
    url = f"{site}/jira/rest/api/3/issue/{issue.key}/remotelink"
    for title, status in (("one", 201), ("two", 200)):
        body = {"globalId": "incident=1", "object": {"url": "https://x.example.invalid", "title": title}}
        assert httpx2.post(url, json=body, auth=(EMAIL, TOKEN)).status_code == status
    assert [remote.object.title for remote in v3.remote_links(issue)] == ["two"]


# --- search ------------------------------------------------------------------------------------------


def test_search_finds_by_label_and_pages_by_token(v3: JIRA) -> None:
    keys = [v3.create_issue(fields=NEW | {"labels": ["paged"]}).key for _ in range(5)]
    query = "project = SUP AND labels = paged ORDER BY created ASC"
    assert [found.key for found in v3.search_issues(query)] == keys
    first = v3.enhanced_search_issues(query, maxResults=2, fields="summary")
    assert [found.key for found in first] == keys[:2]
    rest = v3.enhanced_search_issues(query, maxResults=3, nextPageToken=first.nextPageToken, use_post=True)
    assert [found.key for found in rest] == keys[2:]
    assert v3.approximate_issue_count("labels = paged") == 5


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        ("key = {key}", True),
        ("key in ({key}, SUP-99998) AND status = 'To Do'", True),
        ('key = {key} AND status not in ("To Do")', False),
        ("key = {key} AND labels is EMPTY", True),
        ("key = {key} AND labels != billing", False),
        ('key = {key} AND text ~ "declined twice"', True),
        ("key = {key} AND text ~ decl*", True),
        ("key = {key} AND text ~ refund", False),
        ("key = {key} AND created >= -1h", True),
        ("key = {key} AND created < 2020-01-01", False),
    ],
)  # fmt: skip
def test_queries(v3: JIRA, issue: Issue, query: str, finds: bool) -> None:
    assert bool(v3.search_issues(query.format(key=issue.key))) is finds


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sprint = 4", "'sprint' does not exist"),
        ("labels ~ x", "operator '~' is not supported"),
        ("labels = x OR labels = y", "but got 'OR'"),
        ("project = NOPE", "'NOPE' does not exist"),
        ("created >= yesterday", "is invalid"),
        ("labels in (a, b", "ends where more is expected"),
        ("ORDER BY created", "Unbounded"),
        ("labels = a ORDER BY votes", "Not able to sort"),
    ],
)
def test_what_the_stand_in_cannot_read_is_400(v3: JIRA, query: str, says: str) -> None:
    error = refusal(v3.search_issues, query)
    assert error.status_code == 400
    assert says in error.response.json()["errorMessages"][0]


def test_the_removed_search_is_410(site: str) -> None:
    gone = httpx2.get(f"{site}/jira/rest/api/3/search", params={"jql": "labels = a"}, auth=(EMAIL, TOKEN))
    assert gone.status_code == 410
    assert "search/jql" in gone.json()["errorMessages"][0]


# --- webhooks ----------------------------------------------------------------------------------------


def test_webhooks_are_signed_over_the_raw_body(bot: Bot, issue: Issue) -> None:
    webhook(bot, "jira:issue_created", issue.key)
    for headers, body in list(bot.got):
        expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature"] == expected
        assert headers["user-agent"].startswith("Atlassian")


def test_a_person_files_a_ticket_and_the_webhook_names_them(bot: Bot, v3: JIRA, page: httpx2.Client) -> None:
    new = {
        "user": "mia",
        "summary": "Grüße: parcel lost",
        "description": "Line 1\nLine 2",
        "priority": "High",
    }
    key = page.post("/issues", json=new).raise_for_status().json()["key"]
    created = webhook(bot, "jira:issue_created", key)
    fields = created["issue"]["fields"]
    assert created["issue_event_type_name"] == "issue_created"
    assert created["user"]["displayName"] == fields["reporter"]["displayName"] == "Mia Okafor"
    assert created["user"]["accountId"] != v3.myself()["accountId"]
    assert isinstance(created["timestamp"], int)
    assert (fields["summary"], fields["description"]) == ("Grüße: parcel lost", "Line 1\nLine 2")
    assert fields["priority"]["name"] == "High"
    assert fields["project"]["key"] == "SUP"
    assert fields["labels"] == []
    assert fields["created"].endswith("+0000")


def test_an_update_carries_its_changelog_and_the_bot_as_actor(bot: Bot, v3: JIRA, issue: Issue) -> None:
    issue.update(update={"labels": [{"add": "billing"}]})
    updated = webhook(bot, "jira:issue_updated", issue.key)
    assert updated["issue_event_type_name"] == "issue_updated"
    assert updated["user"]["accountId"] == v3.myself()["accountId"]
    (item,) = updated["changelog"]["items"]
    assert (item["field"], item["fromString"], item["toString"]) == ("labels", "", "billing")
    v3.transition_issue(issue, "Done")
    moved = until(
        lambda: webhook(bot, "jira:issue_updated", issue.key)["issue_event_type_name"] == "issue_generic"
    )
    assert moved


def test_comments_and_deletion_send_their_own_events(bot: Bot, v2: JIRA, issue: Issue) -> None:
    v2.add_comment(issue.key, "Any news?")
    commented = webhook(bot, "comment_created", issue.key)
    assert commented["comment"]["body"] == "Any news?"
    issue.delete()
    assert webhook(bot, "jira:issue_deleted", issue.key)["issue"]["fields"]["summary"] == "Card declined"


def test_failed_deliveries_come_again_under_the_same_identifier(bot: Bot, page: httpx2.Client) -> None:
    key = deliver_with(bot, page, [503, 429, 408])
    tries = [headers for headers, body in list(bot.got) if f'"{key}"'.encode() in body]
    assert len({headers["x-atlassian-webhook-identifier"] for headers in tries}) == 1
    assert [headers.get("x-atlassian-webhook-retry") for headers in tries] == [None, "1", "2", "3"]


def test_a_refused_delivery_is_final(bot: Bot, page: httpx2.Client) -> None:
    key = deliver_with(bot, page, [400])
    (delivery,) = [d for d in page.get("/deliveries").json() if d["subject"] == key]
    assert (delivery["state"], len(delivery["attempts"])) == ("failed", 1)


def test_after_five_retries_jira_gives_up(bot: Bot, page: httpx2.Client) -> None:
    key = deliver_with(bot, page, [500] * 6)
    (delivery,) = [d for d in page.get("/deliveries").json() if d["subject"] == key]
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500] * 6


def deliver_with(bot: Bot, page: httpx2.Client, answers: list[int]) -> str:
    """File a ticket that the bot answers like this; returns its key once the delivery is settled."""
    summary = f"Try {uuid4()}"
    bot.answer(summary, answers)
    key = str(page.post("/issues", json={"user": "lena", "summary": summary}).json()["key"])
    until(
        lambda: [d for d in page.get("/deliveries").json() if d["subject"] == key and d["state"] != "pending"]
    )
    return key


# --- faults, the page, restarts ----------------------------------------------------------------------


def test_a_rate_limit_can_be_switched_on(v3: JIRA, page: httpx2.Client, issue: Issue) -> None:
    fault = {"path_prefix": "/rest/api/3/issue", "method": "PUT", "status": 429, "retry_after": 7}
    page.post("/faults", json=fault).raise_for_status()
    error = refusal(issue.update, update={"labels": [{"add": "late"}]})
    assert error.status_code == 429
    assert error.response.headers["Retry-After"] == "7"
    issue.update(update={"labels": [{"add": "late"}]})
    assert v3.issue(issue.key).fields.labels == ["late"]


def test_a_connection_cut_after_the_work_leaves_the_work_done(
    v3: JIRA, site: str, page: httpx2.Client, issue: Issue
) -> None:
    page.post("/faults", json={"path_prefix": "/rest/api/3/issue", "method": "PUT", "drop_after": True})
    body = {"update": {"labels": [{"add": "cut"}]}}
    with pytest.raises(httpx2.RequestError):
        httpx2.put(f"{site}/jira/rest/api/3/issue/{issue.key}", json=body, auth=(EMAIL, TOKEN))
    assert v3.issue(issue.key).fields.labels == ["cut"]


def test_a_fault_must_do_something(page: httpx2.Client) -> None:
    assert page.post("/faults", json={"path_prefix": "/"}).status_code == 422


def test_the_page_moves_comments_and_is_told_why_not(page: httpx2.Client, issue: Issue) -> None:
    page.post(f"/issues/{issue.key}/transition", json={"user": "mia", "status": "Done"}).raise_for_status()
    card = page.post(f"/issues/{issue.key}/comments", json={"user": "mia", "text": "Thanks"}).json()
    assert card["status"] == "Done"
    assert card["comments"][0]["author"] == {"name": "Mia Okafor", "kind": "person"}
    assert card["changelog"][0]["items"] == [{"field": "status", "from": "To Do", "to": "Done"}]
    assert page.get("/state").json()["columns"] == ["To Do", "In Progress", "Done"]
    wrong = page.post(f"/issues/{issue.key}/labels", json={"user": "mia", "add": ["a b"]})
    assert (wrong.status_code, wrong.json()["detail"]) == (
        400,
        "The label 'a b' contains spaces which is invalid.",
    )
    unknown = page.post(f"/issues/{issue.key}/transition", json={"user": "mia", "status": "Nowhere"})
    assert "The columns are: To Do, In Progress, Done." in unknown.json()["detail"]


def test_every_sample_can_be_filed(page: httpx2.Client) -> None:
    samples = page.get("/samples").json()
    assert len(samples) >= 12
    for sample in samples:
        new = {name: sample[name] for name in ("summary", "description", "priority")}
        page.post("/issues", json={"user": "customer", **new}).raise_for_status()


def test_the_board_survives_a_restart(tmp_path: Path) -> None:
    bot = Bot("/webhooks/jira")
    with sandbox(bot, lambda *urls: built(*urls, data_dir=tmp_path)) as site:
        before = client(site, "3").create_issue(fields=NEW | {"labels": ["kept"]})
        client(site, "3").add_issue_property(before, "signalbox", {"step": "1"})
    with sandbox(bot, lambda *urls: built(*urls, data_dir=tmp_path)) as site:
        after = client(site, "3").issue(before.key)
        assert after.fields.labels == ["kept"]
        assert client(site, "3").issue_property(after, "signalbox").value.step == "1"
        assert client(site, "3").create_issue(fields=NEW).key != before.key
