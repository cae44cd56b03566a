"""Jira's REST API as the tickets port, through the `jira` library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import quote

import requests
from jira import JIRA
from jira.exceptions import JIRAError

from bot.core.errors import ConfigError, Permanent, SignalboxError, Transient
from bot.core.events import Ticket
from bot.core.ports import Health, TicketPage, idempotent
from bot.core.settings import JiraSettings
from integrations.jira import adf
from integrations.jira.source import ticket_of

TIMEOUT_SECONDS = 15
PAGE = 100
PROPERTY = "signalbox."
ISSUE_TYPE = "Task"
PERMISSIONS = ("BROWSE_PROJECTS", "EDIT_ISSUES", "ADD_COMMENTS")
FIELDS = "summary,description,labels,status,priority,project,reporter,created,security"


class JiraTickets:
    def __init__(self, settings: JiraSettings) -> None:
        if settings.api_token is None:
            raise ConfigError(
                "JIRA_URL is set but JIRA_API_TOKEN is not; make a token for the bot's account."
            )
        self._settings = settings
        self._token = settings.api_token.get_secret_value()

    @cached_property
    def _jira(self) -> JIRA:
        """The client; max_retries=0 because waiting is the inbox's business, not a sleeping worker's."""
        account: dict[str, Any] = (
            {"basic_auth": (self._settings.email, self._token)}
            if self._cloud
            else {"token_auth": self._token}
        )
        return JIRA(
            server=self._settings.url.rstrip("/"),
            options={"rest_api_version": self._version},
            get_server_info=False,
            max_retries=0,
            timeout=TIMEOUT_SECONDS,
            **account,
        )

    @property
    def _cloud(self) -> bool:
        return self._settings.deployment == "cloud"

    @property
    def _version(self) -> str:
        """Data Center has no version 3; its texts are wiki markup, so plain text is text there too."""
        return "3" if self._cloud else "2"

    def _text(self, text: str) -> Any:
        return adf.from_text(text) if self._cloud else adf.to_wiki(text)

    def get(self, key: str) -> Ticket:
        with _translated(f"read {key}"):
            return ticket_of(self._request("GET", f"{_issue(key)}?fields={FIELDS}"), self._settings.url)

    def search(self, query: str, *, after: str = "") -> TicketPage:
        """JQL, by `search/jql`, which pages with a token; Data Center's `search` pages by number."""
        if not self._cloud:
            return self._numbered(query, int(after or 0))
        body = {"jql": query, "fields": FIELDS.split(","), "maxResults": PAGE}
        with _translated("search"):
            answer = self._request("POST", "search/jql", body | ({"nextPageToken": after} if after else {}))
        found = tuple(ticket_of(issue, self._settings.url) for issue in answer.get("issues", ()))
        return TicketPage(tickets=found, after=str(answer.get("nextPageToken") or ""))

    def _numbered(self, query: str, start: int) -> TicketPage:
        body = {"jql": query, "fields": FIELDS.split(","), "maxResults": PAGE, "startAt": start}
        with _translated("search"):
            answer = self._request("POST", "search", body)
        found = tuple(ticket_of(issue, self._settings.url) for issue in answer.get("issues", ()))
        end = start + len(found)
        return TicketPage(tickets=found, after=str(end) if found and end < answer["total"] else "")

    def create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket:
        """File an issue. Of what Jira lets one search for, a label is what can carry the step's key."""
        fields = {
            "project": {"key": project},
            "issuetype": {"name": ISSUE_TYPE},
            "summary": " ".join(summary.split())[:255],
            "description": self._text(description),
            "labels": [*labels, _label(step_key)],
        }
        with _translated(f"create an issue in {project}"):
            key = str(self._request("POST", "issue", {"fields": fields})["key"])
        return self.get(key)

    def reconcile_create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket | None:
        del summary, description, labels
        jql = f"project = {_quoted(project)} AND labels = {_quoted(_label(step_key))}"
        query = {"jql": jql, "fields": ["summary"]}
        with _translated(f"look for an issue in {project}"):
            found = self._request("POST", "search/jql" if self._cloud else "search", query).get("issues", [])
        return self.get(str(found[0]["key"])) if found else None

    @idempotent
    def add_label(self, *, key: str, label: str, step_key: str) -> None:
        """Add a label as an operation: labels that others set meanwhile stay."""
        del step_key
        with _translated(f"add the label {label!r} to {key}"):
            self._request("PUT", _issue(key), {"update": {"labels": [{"add": label}]}})

    @idempotent
    def remove_label(self, *, key: str, label: str, step_key: str) -> None:
        del step_key
        with _translated(f"remove the label {label!r} from {key}"):
            self._request("PUT", _issue(key), {"update": {"labels": [{"remove": label}]}})

    def comment(self, *, key: str, text: str, step_key: str) -> str:
        """Comment on a ticket; the comment carries the step's key as a property."""
        body = {
            "body": self._text(text),
            "properties": [{"key": PROPERTY + step_key, "value": {"step": step_key}}],
        }
        with _translated(f"comment on {key}"):
            return str(self._request("POST", f"{_issue(key)}/comment", body)["id"])

    @idempotent
    def link(self, *, key: str, url: str, title: str, step_key: str) -> None:
        """A remote link; its global id is the address, so a second one replaces the first."""
        del step_key
        body = {"globalId": url[:255], "object": {"url": url, "title": title[:255]}}
        with _translated(f"link {key} to a message"):
            self._request("POST", f"{_issue(key)}/remotelink", body)

    def reconcile_comment(self, *, key: str, text: str, step_key: str) -> str | None:
        del text
        with _translated(f"read the comments of {key}"):
            newest = "expand=properties&orderBy=-created&maxResults=100"
            answer = self._request("GET", f"{_issue(key)}/comment?{newest}")
        wanted = PROPERTY + step_key
        for comment in answer.get("comments", []):
            if any(entry.get("key") == wanted for entry in comment.get("properties", ())):
                return str(comment["id"])
        return None

    @cached_property
    def account_id(self) -> str:
        """Of the account that the token belongs to."""
        with _translated("read /myself"):
            me = self._request("GET", "myself")
            return str(me.get("accountId") or me.get("name") or "")

    def health(self) -> Health:
        try:
            with _translated("read the bot's permissions"):
                answer = self._request("GET", f"mypermissions?permissions={','.join(PERMISSIONS)}")
        except SignalboxError as exc:
            return Health(status="down", detail=str(exc))
        granted = answer.get("permissions", {})
        missing = [name for name in PERMISSIONS if not granted.get(name, {}).get("havePermission")]
        if missing:
            return Health(status="degraded", detail=f"The bot's Jira account lacks {', '.join(missing)}.")
        if self._settings.webhook_secret is None:
            return Health(status="degraded", detail="JIRA_WEBHOOK_SECRET is not set: webhooks are refused.")
        return Health()

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self._settings.url.rstrip('/')}/rest/api/{self._version}/{path}"
        # The library's own methods read the issue before and after each write; its session does not. It would
        # follow a redirect, with what is sent, to wherever that leads.
        session: Any = self._jira._session  # noqa: SLF001
        sent = {} if body is None else {"json": body}
        response = session.request(method, url, allow_redirects=False, **sent)
        if response.is_redirect:
            raise Permanent(
                f"Jira wants to send us elsewhere ({response.status_code}), which is not followed: set "
                "JIRA_URL to the address that it ends at."
            )
        return _object(response) if response.content else {}


def _label(step_key: str) -> str:
    """Short, as people see it on the board."""
    return f"signalbox-{step_key[:12]}"


def _quoted(text: str) -> str:
    """A string of JQL that ends where we end it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _issue(key: str) -> str:
    if key in {".", ".."}:  # quoted, too, they would lead to another place of the API
        raise Permanent(f"{key!r} is no key of an issue.")
    return f"issue/{quote(key, safe='')}"


def _object(response: requests.Response) -> dict[str, Any]:
    try:
        return dict(response.json())
    except (ValueError, TypeError) as exc:
        raise Permanent(
            f"{response.url} answered {response.status_code}, but not as Jira does: check that JIRA_URL "
            "is the site's base URL and that no login page stands before it."
        ) from exc


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except JIRAError as exc:
        raise _error(what, exc) from exc
    except requests.RequestException as exc:
        raise Transient(f"Jira did not answer when asked to {what}: {type(exc).__name__}.") from exc


def _error(what: str, exc: JIRAError) -> SignalboxError:
    status = exc.status_code or 0
    after = exc.response.headers.get("Retry-After", "") if exc.response is not None else ""
    if status == 429 or status >= 500 or status == 0:
        return Transient(
            f"Jira answered {status or 'nothing'} when asked to {what}.",
            retry_after=float(after) if after.isdecimal() else None,
        )
    if status in {401, 403}:
        return Permanent(
            f"Jira refused to {what} ({status}): check JIRA_EMAIL and JIRA_API_TOKEN, and that the "
            "account may edit issues in this project."
        )
    if status == 404:
        return Permanent(
            f"Jira could not {what}: there is no such issue, or the bot's account may not see it."
        )
    return Permanent(f"Jira refused to {what} ({status}): {(exc.text or '')[:300]}")
