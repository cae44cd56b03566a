"""The Jira stand-in's rules as functions of values: documents, queries, retries."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.sandbox.jira import adf, jql
from integrations.sandbox.jira.errors import JiraRefusal
from integrations.sandbox.jira.models import History, Issue
from integrations.sandbox.jira.people import People
from integrations.sandbox.jira.samples import SAMPLES
from integrations.sandbox.jira.views import chosen, stamp
from integrations.sandbox.jira.webhooks import event_type_name, retried, signature

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 23, 9, 4, 4, 418_000, tzinfo=UTC)


def issue(number: int = 1, **fields: object) -> Issue:
    values = {"id": str(10000 + number), "key": f"SUP-{number}", "summary": "Parcel lost", "reporter": "x"}
    return Issue.model_validate(values | {"created": NOW, "updated": NOW} | fields)


@given(st.text(alphabet="ab \n*", max_size=40))
def test_text_survives_the_way_to_a_document_and_back(text: str) -> None:
    expected = "\n\n".join(part.rstrip("\n") for part in text.split("\n\n"))
    assert adf.to_text(adf.from_text(text)) == expected
    assert adf.is_document(adf.from_text(text))


def test_lists_mentions_and_code_become_text() -> None:
    content = [
        {"type": "bulletList", "content": [_item("one"), _item("two")]},
        {"type": "paragraph", "content": [{"type": "mention", "attrs": {"id": "1", "text": "@mia"}}]},
        {"type": "codeBlock", "content": [{"type": "text", "text": "x = 1"}]},
    ]
    document = {"type": "doc", "version": 1, "content": content}
    assert adf.to_text(document) == "* one\n* two\n\n@mia\n\nx = 1"


def _item(text: str) -> dict[str, object]:
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
    return {"type": "listItem", "content": [paragraph]}


@pytest.mark.parametrize(
    "value", ["text", {}, {"type": "doc", "version": 1}, {"type": "doc", "version": 1, "content": ["x"]}]
)
def test_what_is_no_document_is_recognised(value: object) -> None:
    assert not adf.is_document(value)


def test_not_equal_leaves_out_issues_without_labels_as_jira_does() -> None:
    plain, billing, other = issue(1), issue(2, labels=["billing"]), issue(3, labels=["other"])
    found = jql.parse("labels != billing", NOW).run([plain, billing, other])
    assert [each.key for each in found] == ["SUP-3"]


def test_dates_are_relative_to_the_clock_and_order_is_kept() -> None:
    old, new = issue(1, created=NOW - timedelta(days=3)), issue(2, created=NOW - timedelta(hours=1))
    query = jql.parse('created >= "-4d" ORDER BY created ASC', NOW)
    assert [each.key for each in query.run([new, old])] == ["SUP-1", "SUP-2"]
    assert [each.key for each in jql.parse("created >= -1d", NOW).run([new, old])] == ["SUP-2"]


def test_quoted_keywords_are_values() -> None:
    assert jql.parse("labels = \"and\" AND labels = 'order'", NOW).run([issue(labels=["and", "order"])])


def test_the_start_of_a_query_without_restriction_is_unbounded() -> None:
    assert not jql.parse("ORDER BY created", NOW).bounded
    assert not jql.parse("  ", NOW).bounded


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_a_refusal(text: str) -> None:
    with suppress(JiraRefusal):
        jql.parse(text, NOW)


@pytest.mark.parametrize("moment", ["-99999999999999d", "2026-13-01", "soon", "--1d"])
def test_impossible_dates_are_refused(moment: str) -> None:
    with pytest.raises(JiraRefusal, match="is invalid"):
        jql.parse(f'created >= "{moment}"', NOW)


def test_fields_are_chosen_as_jira_does() -> None:
    fields = {"summary": 1, "labels": 2, "comment": 3}
    assert chosen(fields, ["*all", "-comment"]) == {"summary": 1, "labels": 2}
    assert chosen(fields, ["*navigable"]) == {"summary": 1, "labels": 2}
    assert chosen(fields, ["labels", "unknown"]) == {"labels": 2}


def test_times_look_like_jiras() -> None:
    assert stamp(NOW) == "2026-11-23T09:04:04.418+0000"


@pytest.mark.parametrize(
    ("status", "again"),
    [(None, True), (408, True), (409, True), (425, True), (429, True), (500, True), (503, True), (400, False), (401, False), (404, False)],
)  # fmt: skip
def test_which_answers_are_retried(status: int | None, again: bool) -> None:
    assert retried(status) is again


def test_the_signature_is_the_published_example() -> None:
    """From Atlassian's documentation of webhook signatures."""
    expected = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert signature("It's a Secret to Everybody", b"Hello World!") == expected


@pytest.mark.parametrize(
    ("field", "name"),
    [("status", "issue_generic"), ("assignee", "issue_assigned"), ("labels", "issue_updated")],
)
def test_updates_have_types(field: str, name: str) -> None:
    items = [{"field": field}]
    history = History.model_validate({"id": "1", "author": "x", "created": NOW, "items": items})
    assert event_type_name("jira:issue_updated", history) == name


def test_somebody_new_is_the_same_person_next_time() -> None:
    people = People("bot@example.invalid")
    first = people.named("Ada Lovelace")
    assert people.named("ada lovelace") == people.named(first.account_id) == first
    assert people.named("mia").name == "Mia Okafor"
    assert people.guests() == [first]
    assert not first.bot


def test_samples_can_be_filed() -> None:
    assert len({sample.summary for sample in SAMPLES}) == len(SAMPLES) == 12
    assert all(len(sample.summary) <= 255 and "\n" not in sample.summary for sample in SAMPLES)
