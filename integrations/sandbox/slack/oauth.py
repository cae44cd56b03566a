"""Add to Slack: the page where a workspace's administrator agrees, its code, and the bot's token there."""

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from jinja2 import Environment

from integrations.sandbox.slack import seed
from integrations.sandbox.slack.call import Call, SlackError
from integrations.sandbox.slack.openid import check_client

_PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Add to Slack · sandbox</title>
<meta name="viewport" content="width=device-width,initial-scale=1"></head>
<body><main><h1>Allow {{ host }} to use</h1><p>It asks for {{ scopes }}.</p>
<ul>{% for team in teams %}<li><a href="?{{ query(team.id) }}">{{ team.name }}</a></li>{% endfor %}</ul>
<p><a href="?{{ query('') }}">Cancel</a></p></main></body></html>
""")


@dataclass
class OAuth:
    """Codes work once. `tokens` says whose each token is; a workspace's new one voids its older."""

    tokens: dict[str, str] = field(default_factory=dict)
    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    @property
    def router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_route("/oauth/v2/authorize", self.authorize, methods=["GET"])
        return router

    def authorize(
        self,
        client_id: str = "",
        redirect_uri: str = "",
        state: str = "",
        scope: str = "",
        user_scope: str = "",
        into: str | None = None,
    ) -> Response:
        """`into` is the workspace that was chosen, empty to cancel; Slack has a page of its own for that."""
        if client_id != seed.CLIENT_ID or not scope:
            return PlainTextResponse("invalid_client_id or invalid_scope", 400)
        if urlsplit(redirect_uri).scheme not in {"http", "https"}:
            return PlainTextResponse("bad_redirect_uri", 400)
        if into is None:
            asked = {"client_id": client_id, "redirect_uri": redirect_uri, "state": state}
            asked |= {"scope": scope, "user_scope": user_scope}
            shown = _PAGE.render(
                teams=seed.TEAMS.values(),
                host=urlsplit(redirect_uri).netloc,
                scopes=scope.replace(",", ", "),
                query=lambda team: urlencode({**asked, "into": team}),
            )
            return HTMLResponse(shown, headers={"content-security-policy": "default-src 'none'"})
        answer = self._agreed(into, redirect_uri, scope) | {"state": state}
        return RedirectResponse(f"{redirect_uri}?{urlencode(answer)}", 303)

    def _agreed(self, team: str, redirect_uri: str, scope: str) -> dict[str, str]:
        if team not in seed.TEAMS:
            return {"error": "access_denied"}
        code = secrets.token_urlsafe(24)
        self.codes[code] = (team, redirect_uri, scope)
        return {"code": code}

    def access(self, call: Call) -> dict[str, Any]:
        check_client(call)
        team_id, redirect_uri, scope = self.codes.pop(call.require("code"), ("", "", ""))
        if not team_id:
            raise SlackError("invalid_code")
        if (call.text("redirect_uri") or redirect_uri) != redirect_uri:
            raise SlackError("bad_redirect_uri")
        self.revoke(team_id)
        token, team = f"xoxb-{secrets.token_urlsafe(24)}", seed.TEAMS[team_id]
        self.tokens[token] = team.id
        return {
            "access_token": token,
            "token_type": "bot",
            "scope": scope,
            "bot_user_id": team.bot_user,
            "app_id": seed.APP_ID,
            "team": {"id": team.id, "name": team.name},
            "enterprise": None,
            "is_enterprise_install": False,
            "authed_user": {"id": seed.ALICE if team.id == seed.HOME.id else seed.DORA},
        }

    def revoke(self, team: str) -> None:
        self.tokens = {token: whose for token, whose in self.tokens.items() if whose != team}
