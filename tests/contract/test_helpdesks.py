"""One contract for every helpdesk: intake, reading, labels, comments, faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from helpdesk_fakes import (
    NOW,
    SECRET,
    Fake,
    FakeCloud,
    FakeDataCenter,
    FakeFreshdesk,
    FakeGithub,
    FakeOwn,
    FakeZendesk,
)
from standin_server import listening, serving

from bot.core.database import Database
from bot.core.errors import BadDelivery, ConfigError, Permanent, Transient
from bot.core.events import TicketEvent
from bot.core.integration import Integration, Services
from bot.core.kernel import Kernel
from bot.core.registry import Registry
from bot.core.settings import Settings
from integrations import jira
from integrations.helpdesks import freshdesk, github, mapped, zendesk

pytestmark = pytest.mark.contract


def _zendesk(url: str) -> dict[str, Any]:
    return {"zendesk": {"url": url, "email": "bot@example.invalid", "api_token": "token"}}


def _freshdesk(url: str) -> dict[str, Any]:
    return {"freshdesk": {"url": url, "api_key": "key", "requester_email": "bot@example.invalid"}}


def _github(url: str) -> dict[str, Any]:
    return {"github": {"url": url, "token": "token"}}


def _own(url: str) -> dict[str, Any]:
    return {"helpdesk": {"url": url, **FakeOwn.settings}}


def _data_center(url: str) -> dict[str, Any]:
    return {"jira": {"url": url, "api_token": "token", "webhook_secret": SECRET, "deployment": "data-center"}}


def _cloud(url: str) -> dict[str, Any]:
    account = {"email": "bot@example.invalid", "api_token": "token"}
    return {"jira": {"url": url, **account, "webhook_secret": SECRET}}


DESKS: dict[str, tuple[type[Fake], Callable[[Services], Integration], Callable[[str], dict[str, Any]]]] = {
    "zendesk": (FakeZendesk, zendesk.connect, _zendesk),
    "freshdesk": (FakeFreshdesk, freshdesk.connect, _freshdesk),
    "github": (FakeGithub, github.connect, _github),
    "mapped": (FakeOwn, mapped.connect, _own),
    "jira cloud": (FakeCloud, jira.connect, _cloud),
    "jira data center": (FakeDataCenter, jira.connect, _data_center),
}


@dataclass
class Desk:
    fake: Any
    tickets: Any
    source: Any


@pytest.fixture(params=DESKS)
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    made, connect, settings = DESKS[request.param]
    fake = made()
    with serving(fake.app, listening()) as url:
        hooks = dict.fromkeys(("zendesk", "freshdesk", "github"), SECRET)
        chosen = Settings.model_validate({**settings(url), "webhooks": hooks, "secret_key": "k" * 32})
        found = connect(Services(chosen, None, lambda m: m, lambda: NOW))  # type: ignore[arg-type]
        assert found.port is not None
        yield Desk(fake, found.port(), found.sources[0])


@pytest.fixture
def key(desk: Desk) -> str:
    return str(desk.fake.add("Card declined", "Twice.\n\nSince noon.", ["vip"]))


@pytest.mark.parametrize("name", DESKS)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(name: str, status: int) -> None:
    """Neither the credentials nor the ticket's words go anywhere but to the configured address."""
    asked: list[str] = []
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def lead_away(path: str, request: Request) -> Response:
        asked.append(request.url.path)
        return Response(status_code=status, headers={"Location": "/elsewhere"})

    made, connect, settings = DESKS[name]
    with serving(app, listening()) as url:
        chosen = Settings.model_validate({**settings(url), "secret_key": "k" * 32})
        found = connect(Services(chosen, None, lambda m: m, lambda: NOW))  # type: ignore[arg-type]
        assert found.port is not None
        key = str(made().add("Card declined", "Twice.", []))
        for ask in (
            lambda: found.port().get(key),
            lambda: found.port().comment(key=key, text="x", step_key="s"),
        ):
            with pytest.raises(Permanent):
                ask()
    assert asked
    assert "/elsewhere" not in asked


@pytest.mark.parametrize("key", [".", ".."])
def test_a_key_of_dots_leads_nowhere_else(desk: Desk, key: str) -> None:
    """An HTTP client shortens /tickets/../tags to /tags, and no quoting keeps it from that."""
    before = desk.fake.requests
    if desk.fake.vendor == "github":
        key = f"acme/{key}#7"
    with pytest.raises(Permanent):
        desk.tickets.add_label(key=key, label="x", step_key="s")
    assert desk.fake.requests == before


def test_a_ticket_is_read(desk: Desk, key: str) -> None:
    ticket = desk.tickets.get(key)
    assert (ticket.key, ticket.summary, ticket.labels) == (key, "Card declined", ("vip",))
    assert "Since noon." in ticket.description
    assert ticket.system == desk.fake.vendor


@pytest.mark.parametrize(
    ("name", "settings", "address", "key"),
    [
        (
            "jira cloud",
            _cloud("https://acme.atlassian.net/"),
            "https://acme.atlassian.net/browse/SUP-1",
            "SUP-1",
        ),
        (
            "jira data center",
            _data_center("https://j.example/x"),
            "https://j.example/x/browse/SUP-1",
            "SUP-1",
        ),
        ("zendesk", _zendesk("https://acme.zendesk.com"), "https://acme.zendesk.com/agent/tickets/7", "7"),
        ("freshdesk", _freshdesk("https://a.freshdesk.com"), "https://a.freshdesk.com/a/tickets/7", "7"),
        ("github", _github("https://api.github.com"), "https://github.com/acme/shop/issues/7", "acme/shop#7"),
        ("github", _github("https://git.example/api/v3"), "https://git.example/a/b/issues/7", "a/b#7"),
        ("mapped", _own("https://api.example/v1"), "https://desk.example/tickets/T-7/show", "T-7"),
    ],
)
def test_a_tickets_address_is_known(name: str, settings: dict[str, Any], address: str, key: str) -> None:
    if "helpdesk" in settings:
        settings["helpdesk"]["page"] = "https://desk.example/tickets/{key}/show"
    chosen = Settings.model_validate({**settings, "secret_key": "k" * 32})
    pages = DESKS[name][1](Services(chosen, None, lambda m: m, lambda: NOW)).pages  # type: ignore[arg-type]
    assert pages is not None
    assert pages.key_at(address) == key
    assert pages.key_at(f"https://evil.example/{address}") is None


def test_a_page_without_a_place_for_the_key_is_refused() -> None:
    settings = {"helpdesk": {"url": "https://api.example", "page": "https://desk.example/tickets"}}
    chosen = Settings.model_validate(settings)
    with pytest.raises(ConfigError, match=r"\{key\} in its path"):
        mapped.connect(Services(chosen, None, lambda m: m, lambda: NOW))  # type: ignore[arg-type]


def test_labels_come_and_go_one_by_one_and_people_s_stay(desk: Desk, key: str) -> None:
    for _ in range(2):
        desk.tickets.add_label(key=key, label="signalbox-refund", step_key="a")
    assert sorted(desk.fake.labels(key)) == ["signalbox-refund", "vip"]
    for _ in range(2):
        desk.tickets.remove_label(key=key, label="signalbox-refund", step_key="b")
    assert desk.fake.labels(key) == ["vip"]


def test_a_comment_is_found_again_and_says_what_it_was_given(desk: Desk, key: str) -> None:
    assert desk.tickets.reconcile_comment(key=key, text="Hello", step_key="s1") is None
    made = desk.tickets.comment(key=key, text="Hello <b>there</b> & you", step_key="s1")
    assert desk.tickets.reconcile_comment(key=key, text="Hello", step_key="s1") == made
    assert desk.tickets.reconcile_comment(key=key, text="Hello", step_key="s2") is None
    assert "Hello <b>there</b> & you" in desk.fake.said(key)[0]


def test_a_ticket_is_filed_and_found_again(desk: Desk) -> None:
    project = {"github": "acme/shop", "jira": "SUP"}.get(desk.fake.vendor, "")
    given = {"project": project, "summary": "Disk\nis full", "description": "On db-1", "labels": ("ops",)}
    assert desk.tickets.reconcile_create(**given, step_key="s1") is None
    made = desk.tickets.create(**given, step_key="s1")
    assert made.summary.split() == ["Disk", "is", "full"]
    assert desk.tickets.reconcile_create(**given, step_key="s1").key == made.key
    assert desk.tickets.reconcile_create(**given, step_key="s2") is None


def test_a_search_goes_through_all_pages(desk: Desk) -> None:
    keys = [desk.fake.add(f"Refund {n}", "", []) for n in range(5)]
    found, after = [], ""
    while True:
        page = desk.tickets.search("Refund", after=after)
        found += [ticket.key for ticket in page.tickets]
        after = page.after
        if not after:
            break
    assert found == keys


def test_a_link_is_shown_once(desk: Desk, key: str) -> None:
    for _ in range(2):
        desk.tickets.link(key=key, url="https://acme.example/p1", title="In Slack", step_key="a")
    assert len([said for said in desk.fake.said(key) if "In Slack" in said]) == 1


def test_a_missing_ticket_is_told_and_not_tried_again(desk: Desk) -> None:
    missing = desk.fake.key(999)
    with pytest.raises(Permanent):
        desk.tickets.get(missing)
    with pytest.raises(Permanent):
        desk.tickets.remove_label(key=missing, label="x", step_key="a")


def test_a_busy_helpdesk_is_waited_for(desk: Desk, key: str) -> None:
    desk.fake.faults = [(429, {"Retry-After": "7"})]
    with pytest.raises(Transient) as told:
        desk.tickets.get(key)
    assert told.value.retry_after == 7
    desk.fake.faults = [(503, {})]
    with pytest.raises(Transient):
        desk.tickets.add_label(key=key, label="x", step_key="a")


def test_wrong_credentials_say_what_to_look_at(desk: Desk, key: str) -> None:
    desk.fake.faults = [(401, {})]
    with pytest.raises(Permanent, match="check"):
        desk.tickets.comment(key=key, text="x", step_key="a")
    desk.fake.authorisation = "changed"
    assert desk.tickets.health().status == "down"


def test_its_health_is_asked_for(desk: Desk) -> None:
    assert desk.tickets.health().status == "ok"


@pytest.mark.parametrize("what", ["created", "labelled", "commented"])
def test_a_delivery_becomes_a_ticket_s_event(desk: Desk, key: str, what: str) -> None:
    delivery = desk.fake.delivery(what, key, added=("vip",) if what == "labelled" else ())
    desk.source.verify(delivery, NOW)
    event = desk.source.normalise(delivery, NOW)
    kind = {"created": "ticket.created", "labelled": "ticket.updated", "commented": "ticket.commented"}[what]
    assert (event.kind, event.subject) == (kind, key)
    assert key in event.serial
    payload = desk.source.parse(event.kind, event.body)
    assert isinstance(payload, TicketEvent)
    assert payload.ticket.key == key
    assert payload.by_us is False


def test_what_the_bot_did_itself_is_known(desk: Desk, key: str) -> None:
    delivery = desk.fake.delivery("labelled", key, actor=desk.fake.own)
    event = desk.source.normalise(delivery, NOW)
    assert desk.source.parse(event.kind, event.body).by_us is True


def test_a_forged_delivery_is_refused(desk: Desk, key: str) -> None:
    delivery = desk.fake.delivery("created", key)
    forged = replace(delivery, body=delivery.body + b" ")
    if desk.fake.vendor == "freshdesk":  # signs nothing; its token is what is checked
        forged = replace(delivery, headers={"authorization": "Bearer wrong"})
    with pytest.raises(BadDelivery):
        desk.source.verify(forged, NOW)


@pytest.mark.parametrize("body", [b"{}", b'{"type": 5}', b"[]", b'{"detail": {"id": "../1"}}'])
def test_a_strange_body_is_refused_or_left_alone(desk: Desk, body: bytes) -> None:
    delivery = replace(desk.fake.delivery("created", desk.fake.add("a", "", [])), body=body)
    with suppress(BadDelivery):
        assert desk.source.normalise(delivery, NOW) is None


def test_two_helpdesks_are_refused_by_name(tmp_path: Path) -> None:
    both = {**_cloud("https://acme.atlassian.example"), **_zendesk("https://acme.zendesk.example")}
    settings = Settings.model_validate({**both, "secret_key": "k" * 32})
    db = Database(f"sqlite:///{tmp_path / 'signalbox.db'}")
    with pytest.raises(ConfigError, match="Both jira and zendesk are set up for tickets"):
        Kernel(settings, db, Registry(), [jira.connect, zendesk.connect])


def test_nobody_is_mentioned_on_github() -> None:
    fake = FakeGithub()
    with serving(fake.app, listening()) as url:
        settings = Settings.model_validate({**_github(url), "secret_key": "k" * 32})
        tickets = github.GithubTickets(settings.github)
        key = fake.add("a", "", [])
        tickets.comment(key=key, text="ping @everyone and @acme/team", step_key="s")
    assert "@everyone" not in fake.said(key)[0]
    assert "@acme" not in fake.said(key)[0]


def test_a_value_never_becomes_structure_of_a_mapped_request() -> None:
    values = {"text": '", "admin": true, "x": "{key}', "key": "7"}
    assert mapped._template({"a": ["{text}"], "n": 1}, values) == {"a": [values["text"]], "n": 1}


def test_a_path_s_values_are_encoded() -> None:
    fake = FakeOwn()
    with serving(fake.app, listening()) as url:
        settings = Settings.model_validate({**_own(url), "secret_key": "k" * 32})
        tickets = mapped.MappedTickets(settings.helpdesk)
        key = fake.add("a", "", [])
        tickets.add_label(key=key, label="a b?c", step_key="s")
        with pytest.raises(Permanent):
            tickets.get("../me")
    assert fake.labels(key) == ["a b?c"]
    assert httpx2.URL(url).host == "127.0.0.1"
