"""Any helpdesk with a JSON API, described in the settings: requests as templates, answers by JMESPath."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from pydantic import ValidationError

from bot.core.errors import BadDelivery, ConfigError, Permanent, SignalboxError
from bot.core.events import DedupeKey, Delivery, NewEvent, Payload, Ticket, TicketEvent
from bot.core.integration import Integration, Services
from bot.core.ports import Health, TicketPage, idempotent
from bot.core.settings import HelpdeskRequest, HelpdeskSettings
from bot.core.ticket_pages import TicketPages
from bot.webhooks import signatures
from bot.webhooks.body import json_object

if TYPE_CHECKING:
    from integrations.helpdesks.api import Api

_KEY_SIGNS = set(string.ascii_letters + string.digits + "-_.:#")


def connect(services: Services) -> Integration:
    settings = services.settings.helpdesk

    @lru_cache(maxsize=1)
    def port() -> MappedTickets:
        return MappedTickets(settings)

    if not settings.url:
        return Integration("helpdesk")
    pages = _pages(settings.page) if settings.page else None
    return Integration("helpdesk", (MappedSource(settings),), "tickets", port, pages)


def _pages(template: str) -> TicketPages:
    address = urlsplit(template)
    if address.path.count("{key}") != 1 or not address.hostname:
        raise ConfigError(
            f"helpdesk.page is {template!r}. Expected the address of a ticket's page, with {{key}} in its "
            "path, such as https://desk.example/tickets/{key}."
        )
    before, after = map(re.escape, address.path.split("{key}"))
    return TicketPages(f"{address.scheme}://{address.netloc}", rf"{before}(?P<key>[\w.:-]{{1,80}}){after}")


class MappedSource:
    name = "helpdesk"
    max_body = 1_000_000

    def __init__(self, settings: HelpdeskSettings) -> None:
        self._settings = settings

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # no timestamp is known of
        secret = signatures.secret_of(self._settings.webhook_secret, "helpdesk.webhook_secret")
        signatures.hmac_sha256(delivery, secret, self._settings.webhook_header)

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002  # the protocol's
        data = json_object(delivery.body)
        kind = self._settings.kinds.get(_text(data, self._settings.event))
        if kind is None:
            return None
        key = self._key(data)
        delivery_id = delivery.headers.get(self._settings.webhook_id_header.lower(), "")
        dedupe = (DedupeKey(f"helpdesk:{delivery_id}"[:255]),) if delivery_id else ()
        actor = _text(data, self._settings.actor)[:120]
        return NewEvent(self.name, kind, key, delivery.body, dedupe, f"helpdesk:{key}", actor)

    def parse(self, kind: str, body: bytes) -> Payload:  # noqa: ARG002  # the settings say it
        data = json_object(body)
        try:
            ticket = ticket_of(_at(data, self._settings.ticket), self._settings)
        except ValidationError as exc:
            raise Permanent(f"The helpdesk's payload could not be read: {exc}") from exc
        actor = _text(data, self._settings.actor)[:120]
        return TicketEvent(ticket=ticket, actor=actor, by_us=bool(actor) and actor == self._settings.account)

    def _key(self, data: dict[str, Any]) -> str:
        key = _text(_at(data, self._settings.ticket), self._settings.fields.get("key", "id"))
        if not key or len(key) > 80 or not set(key) <= _KEY_SIGNS:
            raise BadDelivery(
                "The payload has no ticket key where helpdesk.ticket and helpdesk.fields.key say."
            )
        return key


def ticket_of(found: Any, settings: HelpdeskSettings) -> Ticket:
    """The fields that the settings name, each by a JMESPath expression."""
    read = {name: _at(found, expression) for name, expression in settings.fields.items()}
    labels = read.pop("labels", None)
    texts = {name: str(value) for name, value in read.items() if value is not None}
    values: dict[str, Any] = {"system": "helpdesk", "key": "", **texts}
    values["labels"] = tuple(str(label) for label in labels) if isinstance(labels, list) else ()
    return Ticket.model_validate(values)


class MappedTickets:
    def __init__(self, settings: HelpdeskSettings) -> None:
        self._settings = settings

    @cached_property
    def _api(self) -> Api:
        from integrations.helpdesks.api import Api  # noqa: PLC0415  # workers only

        headers = {name: value.get_secret_value() for name, value in self._settings.headers.items()}
        return Api(
            "The helpdesk", self._settings.url, headers=headers, fix="check helpdesk.headers.",
        )  # fmt: skip

    def get(self, key: str) -> Ticket:
        return ticket_of(self._do("read", f"read {key}", key=key), self._settings)

    def search(self, query: str, *, after: str = "") -> TicketPage:
        answer = self._do("search", "search", query=query, after=after)
        request = self._request("search")
        found = _at(answer, request.items) or []
        tickets = tuple(ticket_of(each, self._settings) for each in found)
        return TicketPage(tickets=tickets, after=_text(answer, request.next) if request.next else "")

    def create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket:
        from integrations.helpdesks.api import reference  # noqa: PLC0415

        del labels
        answer = self._do(
            "create", "create a ticket", project=project, summary=summary, description=description,
            reference=reference(step_key),
        )  # fmt: skip
        return ticket_of(answer, self._settings)

    def reconcile_create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket | None:
        """By a search for the reference, which `create` has to put where a search finds it."""
        from integrations.helpdesks.api import reference  # noqa: PLC0415

        del project, summary, description, labels
        found = self.search(reference(step_key)).tickets
        return found[0] if found else None

    @idempotent
    def add_label(self, *, key: str, label: str, step_key: str) -> None:
        del step_key
        self._do("add_label", f"add the label {label!r} to {key}", key=key, label=label)

    @idempotent
    def remove_label(self, *, key: str, label: str, step_key: str) -> None:
        from integrations.helpdesks.api import MissingError  # noqa: PLC0415

        del step_key
        try:
            self._do("remove_label", f"remove the label {label!r} from {key}", key=key, label=label)
        except MissingError:
            self.get(key)  # that the label is not there is well; that the ticket is not there is told

    def comment(self, *, key: str, text: str, step_key: str) -> str:
        from integrations.helpdesks.api import reference  # noqa: PLC0415

        said = f"{text}\n\n({reference(step_key)})"
        answer = self._do("comment", f"comment on {key}", key=key, text=said)
        return _text(answer, self._request("comment").id)

    def reconcile_comment(self, *, key: str, text: str, step_key: str) -> str | None:
        from integrations.helpdesks.api import reference  # noqa: PLC0415

        del text
        request = self._request("comments")
        for each in _at(self._do("comments", f"read the comments of {key}", key=key), request.items) or []:
            if reference(step_key) in _text(each, request.text):
                return _text(each, request.id)
        return None

    @idempotent
    def link(self, *, key: str, url: str, title: str, step_key: str) -> None:
        """A comment, once an address."""
        del step_key
        if self.reconcile_comment(key=key, text="", step_key=url) is None:
            self.comment(key=key, text=f"{title}: {url}", step_key=url)

    def health(self) -> Health:
        if "health" not in self._settings.requests:
            return Health()
        try:
            self._do("health", "say that it is well")
        except SignalboxError as exc:
            return Health(status="down", detail=str(exc))
        return Health()

    def _request(self, name: str) -> HelpdeskRequest:
        request = self._settings.requests.get(name)
        if request is None:
            raise ConfigError(f"helpdesk.requests.{name} is not set, so the helpdesk can't be asked to.")
        return request

    def _do(self, name: str, what: str, **values: str) -> Any:
        request = self._request(name)
        path = _filled(request.path, {word: quote(value, safe="") for word, value in values.items()})
        params = {word: _filled(text, values) for word, text in request.params.items()}
        body = _template(request.body, values) if request.body is not None else None
        answer = self._api.ask(what, request.method, path, body=body, params=params or None)
        return _at(answer, request.answer) if request.answer else answer


def _filled(text: str, values: Mapping[str, str]) -> str:
    """`{word}` replaced by its value, and nothing in the value looked at again."""
    for word in values:
        text = text.replace("{" + word + "}", f"\0{word}\0")
    for word, value in values.items():
        text = text.replace(f"\0{word}\0", value.replace("\0", ""))
    return text


def _template(node: Any, values: Mapping[str, str]) -> Any:
    """The same for every text within a JSON value: a value can't become structure."""
    if isinstance(node, str):
        return _filled(node, values)
    if isinstance(node, Mapping):
        return {name: _template(value, values) for name, value in node.items()}
    return [_template(value, values) for value in node] if isinstance(node, list | tuple) else node


def _at(data: Any, expression: str) -> Any:
    import jmespath  # noqa: PLC0415
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415

    if not expression:
        return data
    try:
        return jmespath.search(expression, data)
    except JMESPathError as exc:
        raise ConfigError(f"{expression!r} in [helpdesk] is no JMESPath expression: {exc}") from exc


def _text(data: Any, expression: str) -> str:
    found = _at(data, expression) if expression else None
    return "" if found is None else str(found)
