"""Sign in with Slack: the page where a person agrees, its code, and the token that the code is good for."""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from jinja2 import Environment
from starlette.datastructures import Headers

from integrations.sandbox.slack import seed
from integrations.sandbox.slack.call import Call, SlackError
from integrations.sandbox.slack.workspace import Workspace

_PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in with Slack · sandbox</title>
<meta name="viewport" content="width=device-width,initial-scale=1"></head>
<body><main><h1>Sign in to {{ host }} as</h1>
<ul>{% for user in users %}<li><a href="?{{ query(user.id) }}">{{ user.real_name }}</a></li>{% endfor %}</ul>
<p><a href="?{{ query('') }}">Cancel</a></p></main></body></html>
""")


@dataclass
class OpenId:
    """Codes work once; both codes and tokens are gone with the process."""

    workspace: Workspace
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_route("/openid/connect/authorize", self.authorize, methods=["GET"])
        return router

    def authorize(
        self,
        client_id: str = "",
        redirect_uri: str = "",
        state: str = "",
        scope: str = "",
        response_type: str = "",
        user: str | None = None,
    ) -> Response:
        asked = {"client_id": client_id, "redirect_uri": redirect_uri, "state": state, "scope": scope}
        asked["response_type"] = response_type
        scopes = set(scope.replace(",", " ").split())
        if client_id != seed.CLIENT_ID or response_type != "code" or "openid" not in scopes:
            return PlainTextResponse("invalid_client_id, invalid_scope or no response_type=code", 400)
        if urlsplit(redirect_uri).scheme not in {"http", "https"}:
            return PlainTextResponse("bad_redirect_uri", 400)
        if user is None:
            people = [one for one in self.workspace.state.users.values() if not one.is_bot]
            shown = _PAGE.render(
                users=people,
                host=urlsplit(redirect_uri).netloc,
                query=lambda who: urlencode({**asked, "user": who}),
            )
            return HTMLResponse(shown, headers={"content-security-policy": "default-src 'none'"})
        return RedirectResponse(f"{redirect_uri}?{urlencode(self._answer(user, redirect_uri, state))}", 303)

    def _answer(self, user: str, redirect_uri: str, state: str) -> dict[str, str]:
        if not user:
            return {"error": "access_denied", "state": state}
        code = secrets.token_urlsafe(24)
        self.codes[code] = (self.workspace.user(user).id, redirect_uri)
        return {"code": code, "state": state}

    def token(self, call: Call) -> dict[str, Any]:
        check_client(call)
        user, redirect_uri = self.codes.pop(call.require("code"), ("", ""))
        if not user:
            raise SlackError("invalid_code")
        if (call.text("redirect_uri") or redirect_uri) != redirect_uri:
            raise SlackError("bad_redirect_uri")
        token = f"xoxp-{secrets.token_urlsafe(24)}"
        self.tokens[token] = user
        return {"access_token": token, "token_type": "Bearer", "state": ""}

    def user_info(self, token: str) -> dict[str, Any]:
        if token not in self.tokens:
            raise SlackError("invalid_auth")
        user = self.workspace.user(self.tokens[token])
        site = "https://slack.com"
        return {
            "sub": user.id,
            f"{site}/user_id": user.id,
            f"{site}/team_id": seed.HOME.id,
            f"{site}/team_name": seed.HOME.name,
            f"{site}/team_domain": seed.HOME.domain,
            "name": user.real_name,
        }


def check_client(call: Call) -> None:
    same = hmac.compare_digest(call.text("client_secret") or "", seed.CLIENT_SECRET)
    if call.text("client_id") != seed.CLIENT_ID:
        raise SlackError("invalid_client_id")
    if not same:
        raise SlackError("bad_client_secret")


def client_credentials(headers: Headers) -> dict[str, str]:
    """Of HTTP basic authentication, as the library sends them."""
    kind, _, encoded = headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True).decode() if kind.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        return {}
    name, colon, secret = given.partition(":")
    return {"client_id": name, "client_secret": secret} if colon else {}
