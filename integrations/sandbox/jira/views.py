"""Jira's JSON for what the board holds: the same beans in REST answers and in webhooks."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from integrations.sandbox.jira import adf
from integrations.sandbox.jira.models import (
    ISSUE_TYPES,
    PRIORITIES,
    PROJECT,
    STATUSES,
    Comment,
    History,
    Issue,
    Named,
    Person,
    RemoteLink,
    Status,
)
from integrations.sandbox.jira.people import People


def stamp(moment: datetime) -> str:
    """Jira's own format: milliseconds and a zone without a colon."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}" + moment.strftime("%z")


class Views:
    """`base` is the site's address; rich text is a document in API v3 and text in v2."""

    def __init__(self, people: People, base: str, version: str) -> None:
        self._people = people
        self._base = base.rstrip("/")
        self._api = f"{self._base}/rest/api/{version}"
        self._rich = version == "3"

    def text(self, document: dict[str, Any] | None) -> dict[str, Any] | str | None:
        return document if self._rich or document is None else adf.to_text(document)

    def site(self) -> dict[str, Any]:
        return {
            "baseUrl": self._base,
            "version": "1001.0.0-SNAPSHOT",
            "versionNumbers": [1001, 0, 0],
            "deploymentType": "Cloud",
            "buildNumber": 100000,
            "buildDate": "2026-01-01T00:00:00.000+0000",
            "scmInfo": "sandbox",
            "serverTitle": "Jira (sandbox)",
            "defaultLocale": {"locale": "en_US"},
        }

    def person(self, person: Person) -> dict[str, Any]:
        sizes = ("48x48", "24x24", "16x16", "32x32")
        return {
            "self": f"{self._api}/user?accountId={person.account_id}",
            "accountId": person.account_id,
            "emailAddress": person.email,
            "avatarUrls": {size: f"{self._base}/avatar/{size}.svg" for size in sizes},
            "displayName": person.name,
            "active": True,
            "timeZone": "Etc/UTC",
            "accountType": "app" if person.bot else "atlassian",
        }

    def project(self, *, full: bool = False) -> dict[str, Any]:
        brief = {
            "self": f"{self._api}/project/{PROJECT.id}",
            "id": PROJECT.id,
            "key": PROJECT.key,
            "name": PROJECT.name,
            "projectTypeKey": "software",
            "simplified": True,
            "avatarUrls": {"48x48": f"{self._base}/avatar/48x48.svg"},
        }
        more = {"issueTypes": self.issue_types(), "lead": self.person(self._people.bot), "style": "next-gen"}
        return brief | more if full else brief

    def issue_types(self) -> list[dict[str, Any]]:
        return [self._issue_type(entry) for entry in ISSUE_TYPES]

    def priorities(self) -> list[dict[str, Any]]:
        return [self._entry("priority", entry) for entry in PRIORITIES]

    def statuses(self) -> list[dict[str, Any]]:
        return [self.status(status) for status in STATUSES]

    def status(self, status: Status) -> dict[str, Any]:
        category = {
            "self": f"{self._api}/statuscategory/{status.category_id}",
            "id": status.category_id,
            "key": status.category_key,
            "colorName": "blue-gray",
            "name": status.category_name,
        }
        return self._entry("status", status) | {"description": "", "statusCategory": category}

    def transitions(self) -> list[dict[str, Any]]:
        flags = {"hasScreen": False, "isGlobal": True, "isInitial": False, "isAvailable": True}
        return [
            {"id": status.transition_id, "name": status.name, "to": self.status(status), **flags}
            for status in STATUSES
        ]

    def issue(
        self, issue: Issue, fields: Iterable[str] = ("*all",), *, changelog: bool = False
    ) -> dict[str, Any]:
        bean = {
            "expand": "renderedFields,names,schema,operations,editmeta,changelog",
            "id": issue.id,
            "self": f"{self._api}/issue/{issue.id}",
            "key": issue.key,
            "fields": chosen(self._fields(issue), fields),
        }
        return bean | {"changelog": self._changelog(issue)} if changelog else bean

    def comment(self, issue: Issue, comment: Comment) -> dict[str, Any]:
        author = self._person_or_none(comment.author)
        return {
            "self": f"{self._api}/issue/{issue.id}/comment/{comment.id}",
            "id": comment.id,
            "author": author,
            "body": self.text(comment.body),
            "updateAuthor": author,
            "created": stamp(comment.created),
            "updated": stamp(comment.updated),
            "jsdPublic": True,
        }

    def comments(self, issue: Issue) -> dict[str, Any]:
        beans = [self.comment(issue, comment) for comment in issue.comments]
        return {"comments": beans, "maxResults": len(beans), "total": len(beans), "startAt": 0}

    def history(self, history: History) -> dict[str, Any]:
        return {
            "id": history.id,
            "author": self._person_or_none(history.author),
            "created": stamp(history.created),
            "items": items(history),
        }

    def remote_link(self, issue: Issue, link: RemoteLink) -> dict[str, Any]:
        bean: dict[str, Any] = {
            "id": link.id,
            "self": f"{self._api}/issue/{issue.key}/remotelink/{link.id}",
            "object": link.object,
        }
        extras = {"globalId": link.global_id, "relationship": link.relationship}
        return bean | {name: value for name, value in extras.items() if value is not None}

    def _fields(self, issue: Issue) -> dict[str, Any]:
        status = next(entry for entry in STATUSES if entry.id == issue.status)
        return {
            "summary": issue.summary,
            "description": self.text(issue.description),
            "labels": list(issue.labels),
            "project": self.project(),
            "issuetype": self._issue_type(next(t for t in ISSUE_TYPES if t.id == issue.issuetype)),
            "priority": self._entry("priority", next(p for p in PRIORITIES if p.id == issue.priority)),
            "status": self.status(status),
            "reporter": self._person_or_none(issue.reporter),
            "creator": self._person_or_none(issue.reporter),
            "assignee": self._person_or_none(issue.assignee),
            "created": stamp(issue.created),
            "updated": stamp(issue.updated),
            "resolution": None,
            "duedate": None,
            "components": [],
            "issuelinks": [],
            "comment": self.comments(issue),
        }

    def _changelog(self, issue: Issue) -> dict[str, Any]:
        newest_first = [self.history(history) for history in reversed(issue.histories)]
        count = len(newest_first)
        return {"startAt": 0, "maxResults": count, "total": count, "histories": newest_first}

    def _person_or_none(self, account_id: str | None) -> dict[str, Any] | None:
        person = self._people.get(account_id) if account_id else None
        return self.person(person) if person else None

    def _entry(self, kind: str, entry: Named) -> dict[str, Any]:
        icon = f"{self._base}/avatar/16x16.svg"
        return {"self": f"{self._api}/{kind}/{entry.id}", "iconUrl": icon, "name": entry.name, "id": entry.id}

    def _issue_type(self, entry: Named) -> dict[str, Any]:
        return self._entry("issuetype", entry) | {"description": "", "subtask": False, "hierarchyLevel": 0}


def items(history: History) -> list[dict[str, Any]]:
    return [
        {
            "field": item.field,
            "fieldtype": "jira",
            "fieldId": item.field,
            "from": item.before,
            "fromString": item.before_text,
            "to": item.after,
            "toString": item.after_text,
        }
        for item in history.items
    ]


def chosen(fields: dict[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """`*all`, `*navigable`, names, and `-name` to leave one out, as in Jira's `fields` parameter."""
    names = [name.strip() for name in wanted if name.strip()]
    left_out = {name[1:] for name in names if name.startswith("-")}
    named = {name for name in names if not name.startswith("-")}
    if "*all" in named or not named:
        return {name: value for name, value in fields.items() if name not in left_out}
    if "*navigable" in named:
        named |= set(fields) - {"comment"}
    return {name: value for name, value in fields.items() if name in named - left_out}
