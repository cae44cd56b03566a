"""GitHub Issues (docs.github.com/rest): a ticket's key is `owner/repository#12`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import ValidationError

from bot.core.errors import BadDelivery, ConfigError, Permanent, SignalboxError
from bot.core.events import DedupeKey, Delivery, NewEvent, Payload, Ticket, TicketEvent
from bot.core.integration import Integration, Services
from bot.core.ports import Health, TicketPage, idempotent
from bot.core.settings import GithubSettings, Settings
from bot.core.ticket_pages import TicketPages
from bot.webhooks import signatures
from bot.webhooks.body import json_object

if TYPE_CHECKING:
    from integrations.helpdesks.api import Api

# A repository named "." or ".." would lead elsewhere in the API.
_KEY = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}#)[A-Za-z0-9._-]{1,100})#([0-9]{1,12})")
_LOGIN = re.compile(r"[A-Za-z0-9][\w-]{0,60}(\[bot\])?")
_KINDS = {
    "opened": "ticket.created",
    "edited": "ticket.updated",
    "labeled": "ticket.updated",
    "unlabeled": "ticket.updated",
    "reopened": "ticket.updated",
    "closed": "ticket.updated",
    "deleted": "ticket.deleted",
}
PAGE = 100


def connect(services: Services) -> Integration:
    settings = services.settings

    @lru_cache(maxsize=1)
    def port() -> GithubTickets:
        return GithubTickets(settings.github)

    def own_account() -> str:
        return settings.github.login or port().login

    if settings.github.token is None:
        return Integration("github")
    source = GithubSource(settings, own_account)
    return Integration("github", (source,), "tickets", port, _pages(settings.github.url))


def _pages(api: str) -> TicketPages:
    """People's pages stand at github.com, or at the host of the Enterprise Server."""
    site = "https://github.com" if api == "https://api.github.com" else api.removesuffix("/api/v3")
    path = r"/(?P<owner>[A-Za-z0-9-]+)/(?P<name>[A-Za-z0-9._-]+)/issues/(?P<number>\d{1,12})"
    return TicketPages(site, path, "{owner}/{name}#{number}")


class GithubSource:
    name = "github"
    max_body = 1_000_000

    def __init__(self, settings: Settings, own_account: Callable[[], str]) -> None:
        self._settings = settings
        self._own_account = own_account

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # GitHub sends no timestamp
        secret = signatures.secret_of(self._settings.webhooks.github, "SIGNALBOX_WEBHOOKS__GITHUB")
        signatures.hmac_sha256(delivery, secret, "X-Hub-Signature-256")

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002  # the protocol's
        data = json_object(delivery.body)
        kind = _kind(delivery.headers.get("x-github-event", ""), str(data.get("action")))
        issue = data.get("issue")
        if kind is None or (isinstance(issue, dict) and "pull_request" in issue):
            return None
        key = _key(data)
        delivery_id = delivery.headers.get("x-github-delivery", "")
        dedupe = (DedupeKey(f"github:{delivery_id}"[:255]),) if delivery_id else ()
        return NewEvent(self.name, kind, key, delivery.body, dedupe, f"github:{key}", _login(data, "sender"))

    def parse(self, kind: str, body: bytes) -> Payload:  # noqa: ARG002  # the payload says all
        data = json_object(body)
        try:
            ticket = ticket_of(data["issue"], _key(data))
        except (ValidationError, BadDelivery) as exc:
            raise Permanent(f"GitHub's payload could not be read: {exc}") from exc
        actor, label = _login(data, "sender"), data.get("label")
        named = (str(label["name"]),) if isinstance(label, dict) and label.get("name") else ()
        return TicketEvent(
            ticket=ticket,
            actor=actor,
            by_us=bool(actor) and actor == self._own_account(),
            labels_added=named if data.get("action") == "labeled" else (),
            labels_removed=named if data.get("action") == "unlabeled" else (),
        )


def _kind(event: str, action: str) -> str | None:
    if event == "issue_comment":
        return "ticket.commented" if action == "created" else None
    return _KINDS.get(action) if event == "issues" else None


def _key(data: dict[str, Any]) -> str:
    issue, repository = data.get("issue"), data.get("repository")
    number = issue.get("number") if isinstance(issue, dict) else None
    name = repository.get("full_name") if isinstance(repository, dict) else None
    key = f"{name}#{number}"
    if not _KEY.fullmatch(key):
        raise BadDelivery("The payload has no repository.full_name and issue.number.")
    return key


def _login(data: dict[str, Any], name: str) -> str:
    user = data.get(name)
    login = str(user.get("login") or "") if isinstance(user, dict) else ""
    return login if _LOGIN.fullmatch(login) else ""


def ticket_of(issue: dict[str, Any], key: str) -> Ticket:
    """An issue as the API and the webhooks give it."""
    found = issue.get("labels")
    labels = found if isinstance(found, list) else []
    return Ticket(
        system="github",
        key=key,
        summary=issue.get("title") or "",
        description=issue.get("body") or "",
        labels=tuple(str(each["name"]) for each in labels if isinstance(each, dict) and each.get("name")),
        status=str(issue.get("state") or "").capitalize(),
        project=key.partition("#")[0],
        reporter=_login(issue, "user"),
        url=issue.get("html_url") or "",
        created_at=issue.get("created_at"),
    )


class GithubTickets:
    def __init__(self, settings: GithubSettings) -> None:
        if settings.token is None:
            raise ConfigError("github.token is not set; make one that may write issues.")
        self._settings = settings

    @cached_property
    def _api(self) -> Api:
        from integrations.helpdesks.api import Api  # noqa: PLC0415  # workers only

        token = self._settings.token.get_secret_value() if self._settings.token else ""
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        return Api(
            "GitHub", self._settings.url, headers=headers,
            fix="check github.token, and that it may read and write issues of this repository.",
        )  # fmt: skip

    @property
    def login(self) -> str:
        return str(self._api.ask("say who the bot is", "GET", "/user")["login"])

    def get(self, key: str) -> Ticket:
        return ticket_of(self._api.ask(f"read {key}", "GET", _path(key)), key)

    def search(self, query: str, *, after: str = "") -> TicketPage:
        """GitHub's search language; issues only. GitHub shows a thousand at most."""
        page = int(after or 1)
        params = {"q": f"{query} is:issue", "per_page": str(PAGE), "page": str(page)}
        answer = self._api.ask("search", "GET", "/search/issues", params=params)
        found = tuple(ticket_of(each, _key_of(each)) for each in answer["items"])
        more = page * PAGE < min(int(answer["total_count"]), 1000)
        return TicketPage(tickets=found, after=str(page + 1) if more else "")

    def create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket:
        """File an issue in the repository `project`; a label with the step's key makes it found again."""
        from integrations.helpdesks.api import harmless, reference  # noqa: PLC0415

        body = {
            "title": " ".join(summary.split())[:256],
            "body": harmless(description),
            "labels": [*labels, reference(step_key)],
        }
        answer = self._api.ask(
            f"create an issue in {project}", "POST", f"/repos/{_repository(project)}/issues", body=body
        )
        return ticket_of(answer, f"{project}#{answer['number']}")

    def reconcile_create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket | None:
        from integrations.helpdesks.api import reference  # noqa: PLC0415

        del summary, description, labels
        found = self._api.ask(
            f"look for an issue in {project}", "GET", f"/repos/{_repository(project)}/issues",
            params={"labels": reference(step_key), "state": "all"},
        )  # fmt: skip
        return ticket_of(found[0], f"{project}#{found[0]['number']}") if found else None

    @idempotent
    def add_label(self, *, key: str, label: str, step_key: str) -> None:
        del step_key
        self._api.ask(f"label {key} {label!r}", "POST", f"{_path(key)}/labels", body={"labels": [label]})

    @idempotent
    def remove_label(self, *, key: str, label: str, step_key: str) -> None:
        from integrations.helpdesks.api import MissingError  # noqa: PLC0415

        del step_key
        try:
            path = f"{_path(key)}/labels/{quote(label, safe='')}"
            self._api.ask(f"remove the label {label!r} from {key}", "DELETE", path)
        except MissingError:
            self.get(key)  # that the label is not there is well; that the issue is not there is told

    def comment(self, *, key: str, text: str, step_key: str) -> str:
        """A comment in which nobody is mentioned; an HTML comment, which GitHub hides, has the step's key."""
        from integrations.helpdesks.api import harmless  # noqa: PLC0415

        body = {"body": f"{harmless(text)}\n\n{_mark(step_key)}"}
        return str(self._api.ask(f"comment on {key}", "POST", f"{_path(key)}/comments", body=body)["id"])

    def reconcile_comment(self, *, key: str, text: str, step_key: str) -> str | None:
        del text
        page = 1
        while found := self._comments(key, page):
            for comment in found:
                if _mark(step_key) in (comment.get("body") or ""):
                    return str(comment["id"])
            page += 1
        return None

    def _comments(self, key: str, page: int) -> list[dict[str, Any]]:
        params = {"per_page": str(PAGE), "page": str(page)}
        found: list[dict[str, Any]] = self._api.ask(
            f"read the comments of {key}", "GET", f"{_path(key)}/comments", params=params
        )
        return found

    @idempotent
    def link(self, *, key: str, url: str, title: str, step_key: str) -> None:
        """GitHub has no links: a comment, once an address."""
        del step_key
        if self.reconcile_comment(key=key, text="", step_key=url) is None:
            self.comment(key=key, text=f"{title}: {url}", step_key=url)

    def health(self) -> Health:
        try:
            self._api.ask("say who the bot is", "GET", "/user")
        except SignalboxError as exc:
            return Health(status="down", detail=str(exc))
        return Health()


def _key_of(issue: dict[str, Any]) -> str:
    return f"{str(issue['repository_url']).partition('/repos/')[2]}#{issue['number']}"


def _path(key: str) -> str:
    found = _KEY.fullmatch(key)
    if found is None:
        raise Permanent(f"{key!r} names no issue: expected owner/repository#12.")
    return f"/repos/{found[1]}/issues/{found[2]}"


def _repository(project: str) -> str:
    if not _KEY.fullmatch(f"{project}#1"):
        raise Permanent(f"{project!r} names no repository: expected owner/repository.")
    return project


def _mark(step_key: str) -> str:
    from integrations.helpdesks.api import reference  # noqa: PLC0415

    return f"<!-- {reference(step_key)} -->"
