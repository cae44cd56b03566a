"""Small stand-ins for helpdesks: each speaks its vendor's paths, bodies, errors and limits, on a real port."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from bot.core.events import Delivery

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = "webhook-secret"


class Refusal(Exception):
    def __init__(self, status: int, body: Any) -> None:
        self.response = JSONResponse(body, status)


class Fake:
    """Tickets in memory; `fail` answers the next requests with faults."""

    vendor = ""
    authorisation = ""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.tickets: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.faults: list[tuple[int, dict[str, str]]] = []
        self.requests = 0
        self.app.middleware("http")(self._guard)
        self.app.exception_handler(Refusal)(self._refused)

    async def _guard(self, request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        self.requests += 1
        if self.faults:
            status, headers = self.faults.pop(0)
            return JSONResponse({"error": "fault"}, status, headers)
        if request.headers.get("authorization") != self.authorisation:
            return JSONResponse({"error": "Couldn't authenticate you"}, 401)
        return await go_on(request)

    async def _refused(self, _: Request, exc: Exception) -> Response:
        assert isinstance(exc, Refusal)
        return exc.response

    def add(self, summary: str, text: str, labels: list[str]) -> str:
        number = len(self.tickets) + 1
        self.tickets[number] = {"id": number, "summary": summary, "text": text, "labels": list(labels)}
        self.comments[number] = []
        return self.key(number)

    def key(self, number: int) -> str:
        return str(number)

    def number(self, key: str) -> int:
        return int(re.findall(r"\d+", key)[-1])

    def labels(self, key: str) -> list[str]:
        return list(self.tickets[self.number(key)]["labels"])

    def said(self, key: str) -> list[str]:
        return [comment["text"] for comment in self.comments[self.number(key)]]

    def found(self, number: int) -> dict[str, Any]:
        if number not in self.tickets:
            raise Refusal(404, {"error": "RecordNotFound"})
        return self.tickets[number]


class FakeZendesk(Fake):
    vendor = "zendesk"
    authorisation = "Basic " + base64.b64encode(b"bot@example.invalid/token:token").decode()

    def __init__(self) -> None:
        super().__init__()
        route, api = self.app.add_api_route, "/api/v2"
        route(f"{api}/users/me.json", self.me)
        route(f"{api}/tickets/{{number}}.json", self.read)
        route(f"{api}/tickets.json", self.listed)
        route(f"{api}/tickets.json", self.create, methods=["POST"], status_code=201)
        route(f"{api}/tickets/{{number}}.json", self.update, methods=["PUT"])
        route(f"{api}/tickets/{{number}}/tags.json", self.tag, methods=["PUT", "DELETE"])
        route(f"{api}/tickets/{{number}}/audits.json", self.audits)
        route(f"{api}/search/export.json", self.search)

    def shown(self, ticket: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": ticket["id"], "subject": ticket["summary"], "description": ticket["text"],
            "tags": ticket["labels"], "status": "open", "priority": "high", "requester_id": 77,
            "created_at": "2026-11-23T11:00:00Z", "external_id": ticket.get("external_id"),
        }  # fmt: skip

    def me(self) -> Any:
        return {"user": {"id": 42, "role": "agent"}}

    def read(self, number: int) -> Any:
        return {"ticket": self.shown(self.found(number))}

    def listed(self, external_id: str) -> Any:
        return {
            "tickets": [self.shown(t) for t in self.tickets.values() if t.get("external_id") == external_id]
        }

    async def create(self, request: Request) -> Any:
        given = (await request.json())["ticket"]
        number = self.number(self.add(given["subject"], given["comment"]["body"], given["tags"]))
        self.tickets[number]["external_id"] = given["external_id"]
        return {"ticket": self.shown(self.tickets[number])}

    async def update(self, number: int, request: Request) -> Any:
        given = (await request.json())["ticket"]
        self.found(number)
        assert given["comment"]["public"] is False, "customers would read it"
        made = {
            "id": 1000 + len(self.comments[number]), "text": given["comment"]["body"],
            "metadata": {"custom": given.get("metadata", {}), "system": {}},
        }  # fmt: skip
        made["events"] = [{"id": made["id"] + 500, "type": "Comment", "body": made["text"]}]
        self.comments[number].append(made)
        return {"ticket": self.shown(self.tickets[number]), "audit": made}

    async def tag(self, number: int, request: Request) -> Any:
        labels, given = self.found(number)["labels"], (await request.json())["tags"]
        if any(" " in tag for tag in given):
            raise Refusal(422, {"error": "RecordInvalid"})
        wanted = [t for t in labels if t not in given]
        labels[:] = wanted if request.method == "DELETE" else [*wanted, *given]
        return {"tags": labels}

    def audits(self, number: int, sort_order: str) -> Any:
        self.found(number)
        return {"audits": self.comments[number][:: -1 if sort_order == "desc" else 1]}

    def search(self, request: Request) -> Any:
        query = request.query_params
        start = int(query.get("page[after]", 0))
        found = [t for t in self.tickets.values() if query["query"] in t["summary"]]
        size = min(int(query["page[size]"]), 2)
        end = start + size
        meta = {"has_more": end < len(found), "after_cursor": str(end)}
        return {"results": [self.shown(t) for t in found[start:end]], "meta": meta}

    def delivery(self, what: str, key: str, *, actor: str = "99", added: tuple[str, ...] = ()) -> Delivery:
        kind = {"created": "created", "labelled": "tags_changed", "commented": "comment_added"}[what]
        ticket = self.shown(self.tickets[self.number(key)])
        body = json.dumps({
            "type": f"zen:event-type:ticket.{kind}", "id": f"{what}-{key}", "subject": f"zen:ticket:{key}",
            "detail": {**ticket, "id": key, "actor_id": actor, "status": "OPEN", "priority": "HIGH"},
            "event": {"tags_added": list(added), "tags_removed": []},
        }).encode()  # fmt: skip
        stamp = NOW.isoformat()
        signed = base64.b64encode(hmac.digest(SECRET.encode(), stamp.encode() + body, "sha256")).decode()
        headers = {"x-zendesk-webhook-signature": signed, "x-zendesk-webhook-signature-timestamp": stamp}
        return Delivery(source=self.vendor, body=body, headers=headers)

    own = "42"


class FakeFreshdesk(Fake):
    vendor = "freshdesk"
    authorisation = "Basic " + base64.b64encode(b"key:X").decode()

    def __init__(self) -> None:
        super().__init__()
        route, api = self.app.add_api_route, "/api/v2"
        route(f"{api}/agents/me", self.me)
        route(f"{api}/search/tickets", self.search)
        route(f"{api}/tickets/{{number}}", self.read)
        route(f"{api}/tickets", self.create, methods=["POST"], status_code=201)
        route(f"{api}/tickets/{{number}}", self.update, methods=["PUT"])
        route(f"{api}/tickets/{{number}}/notes", self.note, methods=["POST"], status_code=201)
        route(f"{api}/tickets/{{number}}/conversations", self.conversations)

    def shown(self, ticket: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": ticket["id"], "subject": ticket["summary"], "description_text": ticket["text"],
            "description": f"<div>{ticket['text']}</div>", "tags": ticket["labels"], "status": 2, "priority": 3,
            "requester": {"name": "Mia"}, "created_at": "2026-11-23T11:00:00Z",
        }  # fmt: skip

    def me(self) -> Any:
        return {"id": 42, "contact": {"email": "bot@example.invalid"}}

    def read(self, number: int) -> Any:
        return self.shown(self.found(number))

    async def create(self, request: Request) -> Any:
        given = await request.json()
        if missing := {"subject", "description", "email", "status", "priority"} - given.keys():
            raise Refusal(400, {"description": "Validation failed", "errors": sorted(missing)})
        text = html.unescape(given["description"].replace("<br>", "\n"))
        return self.shown(self.found(self.number(self.add(given["subject"], text, given["tags"]))))

    async def update(self, number: int, request: Request) -> Any:
        given = await request.json()
        if any(len(tag) > 32 for tag in given["tags"]):
            raise Refusal(400, {"description": "Validation failed", "errors": [{"field": "tags"}]})
        self.found(number)["labels"][:] = given["tags"]
        return self.shown(self.found(number))

    async def note(self, number: int, request: Request) -> Any:
        given = await request.json()
        self.found(number)
        assert given["private"] is True, "customers would read it"
        text = html.unescape(re.sub(r"<[^>]+>", "\n", given["body"]))
        made = {
            "id": 500 + len(self.comments[number]),
            "body": given["body"],
            "body_text": text,
            "text": text,
        }
        self.comments[number].append(made)
        return made

    def conversations(self, number: int, page: int = 1) -> Any:
        self.found(number)
        return self.comments[number] if page == 1 else []

    def search(self, query: str, page: int = 1) -> Any:
        if not (query.startswith('"') and query.endswith('"')):
            raise Refusal(400, {"description": "Validation failed"})
        wanted = query.strip('"')
        tag = re.fullmatch(r"tag:'([^']+)'", wanted)
        found = [
            t for t in self.tickets.values() if (tag[1] in t["labels"] if tag else wanted in t["summary"])
        ]
        return {"total": len(found), "results": [self.shown(t) for t in found[(page - 1) * 30 : page * 30]]}

    def delivery(
        self, what: str, key: str, *, actor: str = "ann@example.invalid", added: Any = ()
    ) -> Delivery:
        kind = {"created": "created", "labelled": "updated", "commented": "commented"}[what]
        body = json.dumps({"event": f"ticket.{kind}", "ticket_id": key, "performer": actor}).encode()
        return Delivery(source=self.vendor, body=body, headers={"authorization": f"Bearer {SECRET}"})

    own = "bot@example.invalid"


class FakeGithub(Fake):
    vendor = "github"
    authorisation = "Bearer token"

    def __init__(self) -> None:
        super().__init__()
        route, api = self.app.add_api_route, "/repos/acme/shop/issues"
        route("/user", self.me)
        route("/search/issues", self.search)
        route(api, self.listed)
        route(api, self.create, methods=["POST"], status_code=201)
        route(f"{api}/{{number}}", self.read)
        route(f"{api}/{{number}}/labels", self.label, methods=["POST"])
        route(f"{api}/{{number}}/labels/{{name}}", self.unlabel, methods=["DELETE"])
        route(f"{api}/{{number}}/comments", self.comment, methods=["POST"], status_code=201)
        route(f"{api}/{{number}}/comments", self.listed_comments)

    def key(self, number: int) -> str:
        return f"acme/shop#{number}"

    def shown(self, ticket: dict[str, Any]) -> dict[str, Any]:
        return {
            "number": ticket["id"], "title": ticket["summary"], "body": ticket["text"], "state": "open",
            "labels": [{"id": n, "name": name} for n, name in enumerate(ticket["labels"])],
            "user": {"login": "mia"}, "html_url": f"https://github.com/acme/shop/issues/{ticket['id']}",
            "created_at": "2026-11-23T11:00:00Z", "repository_url": "https://api.github.com/repos/acme/shop",
        }  # fmt: skip

    def found(self, number: int) -> dict[str, Any]:
        if number not in self.tickets:
            raise Refusal(404, {"message": "Not Found"})
        return self.tickets[number]

    def me(self) -> Any:
        return {"login": "signalbox-bot"}

    def read(self, number: int) -> Any:
        return self.shown(self.found(number))

    def listed(self, labels: str) -> Any:
        return [self.shown(t) for t in self.tickets.values() if labels in t["labels"]]

    async def create(self, request: Request) -> Any:
        given = await request.json()
        return self.shown(self.found(self.number(self.add(given["title"], given["body"], given["labels"]))))

    async def label(self, number: int, request: Request) -> Any:
        labels, given = self.found(number)["labels"], (await request.json())["labels"]
        if any(len(name) > 50 for name in given):
            raise Refusal(422, {"message": "Validation Failed"})
        labels.extend(name for name in given if name not in labels)
        return [{"name": name} for name in labels]

    def unlabel(self, number: int, name: str) -> Any:
        labels = self.found(number)["labels"]
        if name not in labels:
            raise Refusal(404, {"message": "Label does not exist"})
        labels.remove(name)
        return [{"name": each} for each in labels]

    async def comment(self, number: int, request: Request) -> Any:
        body = (await request.json())["body"]
        self.found(number)
        if len(body) > 65536:
            raise Refusal(422, {"message": "Validation Failed"})
        made = {"id": 900 + len(self.comments[number]), "body": body, "text": body}
        self.comments[number].append(made)
        return made

    def listed_comments(self, number: int, page: int = 1) -> Any:
        self.found(number)
        return self.comments[number] if page == 1 else []

    def search(self, q: str, per_page: int, page: int) -> Any:
        wanted = q.removesuffix(" is:issue")
        found = [t for t in self.tickets.values() if wanted in t["summary"]]
        return {
            "total_count": len(found),
            "items": [self.shown(t) for t in found[(page - 1) * per_page : page * per_page]],
        }

    def delivery(self, what: str, key: str, *, actor: str = "ann", added: tuple[str, ...] = ()) -> Delivery:
        action = {"created": "opened", "labelled": "labeled", "commented": "created"}[what]
        data = {
            "action": action, "issue": self.shown(self.tickets[self.number(key)]),
            "repository": {"full_name": "acme/shop"}, "sender": {"login": actor},
        }  # fmt: skip
        if added:
            data["label"] = {"name": added[0]}
        body = json.dumps(data).encode()
        signed = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        event = "issue_comment" if what == "commented" else "issues"
        headers = {
            "x-hub-signature-256": signed,
            "x-github-event": event,
            "x-github-delivery": f"{what}-{key}",
        }
        return Delivery(source=self.vendor, body=body, headers=headers)

    own = "signalbox-bot"


class FakeOwn(Fake):
    """A helpdesk that nobody has heard of, as docs/helpdesks.md maps it."""

    vendor = "helpdesk"
    authorisation = "Token token"
    settings: ClassVar[dict[str, Any]] = {
        "headers": {"Authorization": "Token token"},
        "webhook_secret": SECRET,
        "event": "what",
        "kinds": {"new": "ticket.created", "change": "ticket.updated", "note": "ticket.commented"},
        "ticket": "case",
        "actor": "by",
        "account": "bot",
        "fields": {"key": "no", "summary": "title", "description": "text", "labels": "marks[].name"},
        "requests": {
            "read": {"path": "/cases/{key}", "answer": "case"},
            "search": {"path": "/cases", "params": {"find": "{query}", "from": "{after}"}, "items": "cases",
                       "next": "next"},
            "create": {"method": "POST", "path": "/cases", "answer": "case",
                       "body": {"title": "{summary}", "text": "{description}", "ref": "{reference}"}},
            "add_label": {"method": "PUT", "path": "/cases/{key}/marks/{label}"},
            "remove_label": {"method": "DELETE", "path": "/cases/{key}/marks/{label}"},
            "comment": {"method": "POST", "path": "/cases/{key}/notes", "body": {"text": "{text}"}},
            "comments": {"path": "/cases/{key}/notes", "items": "notes"},
            "health": {"path": "/me"},
        },
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        route = self.app.add_api_route
        route("/me", lambda: {"name": "bot"})
        route("/cases", self.search)
        route("/cases", self.create, methods=["POST"])
        route("/cases/{number}", self.read)
        route("/cases/{number}/marks/{name}", self.mark, methods=["PUT", "DELETE"])
        route("/cases/{number}/notes", self.note, methods=["POST"])
        route("/cases/{number}/notes", lambda number: {"notes": self.comments[self.found(int(number))["id"]]})

    def shown(self, ticket: dict[str, Any]) -> dict[str, Any]:
        marks = [{"name": name} for name in ticket["labels"]]
        return {"no": ticket["id"], "title": ticket["summary"], "text": ticket["text"], "marks": marks}

    def read(self, number: int) -> Any:
        return {"case": self.shown(self.found(number))}

    def search(self, request: Request) -> Any:
        wanted, start = request.query_params["find"], int(request.query_params["from"] or 0)
        found = [t for t in self.tickets.values() if wanted in t["summary"] or wanted == t.get("ref")]
        more = {"next": start + 2} if start + 2 < len(found) else {}
        return {"cases": [self.shown(t) for t in found[start : start + 2]], **more}

    async def create(self, request: Request) -> Any:
        given = await request.json()
        number = self.number(self.add(given["title"], given["text"], []))
        self.tickets[number]["ref"] = given["ref"]
        return self.read(number)

    def mark(self, number: int, name: str, request: Request) -> Any:
        labels = self.found(number)["labels"]
        if request.method == "DELETE":
            if name not in labels:
                raise Refusal(404, {})
            labels.remove(name)
        elif name not in labels:
            labels.append(name)
        return {}

    async def note(self, number: int, request: Request) -> Any:
        self.found(number)
        made = {"id": f"n{len(self.comments[number])}", "text": (await request.json())["text"]}
        self.comments[number].append(made)
        return made

    def delivery(self, what: str, key: str, *, actor: str = "ann", added: Any = ()) -> Delivery:
        kind = {"created": "new", "labelled": "change", "commented": "note"}[what]
        case = self.shown(self.tickets[self.number(key)])
        body = json.dumps({"what": kind, "case": case, "by": actor}).encode()
        signed = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return Delivery(source=self.vendor, body=body, headers={"x-signature-256": signed})

    own = "bot"


class FakeDataCenter(Fake):
    """Jira Data Center: REST version 2, a personal access token, wiki markup."""

    vendor = "jira"
    authorisation = "Bearer token"
    api, search_path = "/rest/api/2", "search"
    own = "bot"

    def __init__(self) -> None:
        super().__init__()
        route, api = self.app.add_api_route, self.api
        route(f"{api}/myself", lambda: self.person(self.own))
        route(f"{api}/mypermissions", self.permissions)
        route(f"{api}/{self.search_path}", self.search, methods=["POST"])
        route(f"{api}/issue", self.create, methods=["POST"], status_code=201)
        route(f"{api}/issue/{{key}}", self.read)
        route(f"{api}/issue/{{key}}", self.update, methods=["PUT"], status_code=204)
        route(f"{api}/issue/{{key}}/comment", self.comment, methods=["POST"], status_code=201)
        route(f"{api}/issue/{{key}}/comment", self.listed)
        route(f"{api}/issue/{{key}}/remotelink", self.link, methods=["POST"], status_code=201)
        self.links: dict[str, str] = {}

    def person(self, name: str) -> dict[str, Any]:
        return {"name": name, "key": "JIRAUSER1"}

    def told(self, body: Any) -> str:
        """The text of a body that was sent."""
        assert isinstance(body, str), "Data Center knows no document format"
        return body

    def written(self, text: str) -> Any:
        """A text as it is sent out."""
        return text

    def key(self, number: int) -> str:
        return f"SUP-{number}"

    def found(self, number: int) -> dict[str, Any]:
        if number not in self.tickets:
            raise Refusal(404, {"errorMessages": ["Issue Does Not Exist"], "errors": {}})
        return self.tickets[number]

    def shown(self, ticket: dict[str, Any]) -> dict[str, Any]:
        fields = {
            "summary": ticket["summary"], "description": self.written(ticket["text"]),
            "labels": ticket["labels"], "status": {"name": "Open"}, "priority": {"name": "High"}, "project": {"key": "SUP"},
            "reporter": {"displayName": "Mia", "name": "mia"}, "created": "2026-11-23T11:00:00.000+0000",
        }  # fmt: skip
        return {"id": str(ticket["id"]), "key": self.key(ticket["id"]), "fields": fields}

    def permissions(self, permissions: str) -> Any:
        return {"permissions": {name: {"havePermission": True} for name in permissions.split(",")}}

    def read(self, key: str) -> Any:
        return self.shown(self.found(self.number(key)))

    async def search(self, request: Request) -> Any:
        given = await request.json()
        found = self.sought(given["jql"])
        start = given.get("startAt", 0)
        some = found[start : start + min(given.get("maxResults", 50), 2)]
        return {"startAt": start, "total": len(found), "issues": [self.shown(t) for t in some]}

    def sought(self, jql: str) -> list[dict[str, Any]]:
        label = re.search(r'labels = "([^"]+)"', jql)
        return [
            t for t in self.tickets.values() if (label[1] in t["labels"] if label else jql in t["summary"])
        ]

    async def create(self, request: Request) -> Any:
        fields = (await request.json())["fields"]
        key = self.add(fields["summary"], self.told(fields["description"]), fields["labels"])
        return {"id": "1", "key": key}

    async def update(self, key: str, request: Request) -> Response:
        labels = self.found(self.number(key))["labels"]
        for change in (await request.json())["update"]["labels"]:
            if " " in (change.get("add") or ""):
                raise Refusal(400, {"errors": {"labels": "The label can't contain spaces."}})
            if "add" in change and change["add"] not in labels:
                labels.append(change["add"])
            if change.get("remove") in labels:
                labels.remove(change["remove"])
        return Response(status_code=204)

    async def comment(self, key: str, request: Request) -> Any:
        given, number = await request.json(), self.number(key)
        self.found(number)
        made = {
            "id": str(len(self.comments[number])),
            "text": self.told(given["body"]),
            "properties": given["properties"],
        }
        self.comments[number].append(made)
        return made

    def listed(self, key: str) -> Any:
        self.found(self.number(key))
        return {"comments": self.comments[self.number(key)]}

    async def link(self, key: str, request: Request) -> Any:
        given = await request.json()
        if given["globalId"] not in self.links:
            self.comments[self.number(key)].append({"id": "link", "text": given["object"]["title"]})
        self.links[given["globalId"]] = key
        return {"id": 1}

    def delivery(self, what: str, key: str, *, actor: str = "ann", added: tuple[str, ...] = ()) -> Delivery:
        event = {
            "created": "jira:issue_created",
            "labelled": "jira:issue_updated",
            "commented": "comment_created",
        }
        changes = [{"field": "labels", "fromString": "", "toString": " ".join(added)}]
        issue = self.shown(self.tickets[self.number(key)])
        data = {"webhookEvent": event[what], "timestamp": 1, "issue": issue, "user": self.person(actor),
                "changelog": {"id": "1", "items": changes}}  # fmt: skip
        body = json.dumps(data).encode()
        signed = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return Delivery(source=self.vendor, body=body, headers={"x-hub-signature": signed})


class FakeCloud(FakeDataCenter):
    """Jira Cloud: REST version 3, an address with a token, documents instead of text, pages by token."""

    authorisation = "Basic " + base64.b64encode(b"bot@example.invalid:token").decode()
    api, search_path = "/rest/api/3", "search/jql"
    own = "5b10ac8d82e05b22cc7d4ef5"

    def person(self, name: str) -> dict[str, Any]:
        return {"accountId": name, "displayName": name}

    def told(self, body: Any) -> str:
        assert (body["type"], body["version"]) == ("doc", 1), "Cloud takes the Atlassian Document Format"
        return "\n".join(
            "".join(part.get("text", "") for part in p.get("content", ())) for p in body["content"]
        )

    def written(self, text: str) -> Any:
        paragraphs = [
            {"type": "paragraph", "content": [{"type": "text", "text": line}]}
            for line in text.splitlines()
            if line
        ]
        return {"type": "doc", "version": 1, "content": paragraphs}

    async def search(self, request: Request) -> Any:
        given = await request.json()
        found, start = self.sought(given["jql"]), int(given.get("nextPageToken", 0))
        end = start + min(given.get("maxResults", 50), 2)
        more = {"nextPageToken": str(end)} if end < len(found) else {}
        return {"issues": [self.shown(t) for t in found[start:end]], "isLast": not more, **more}
