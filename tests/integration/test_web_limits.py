"""Tokens that expire and are revoked, rate limits with their headers, and bodies that are too much."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from bot.core.errors import ConfigError
from bot.core.group_commit import GroupCommit, Overloaded
from bot.core.inbox import Lease
from bot.core.settings import LimitSettings
from bot.plugin import Command, Context, Plugin, command
from bot.web.limits import ApiLimits
from bot.webhooks.limits import DoorLimits
from tests.conftest import wait_until
from tests.integration.web_kit import (
    READ,
    WRITE,
    Web,
    alert_body,
    bearer,
    jira_body,
    jira_headers,
    signed,
    web,
)  # fmt: skip

pytestmark = pytest.mark.integration


@pytest.fixture
def site(database_url: str) -> Iterator[Web]:
    with web(database_url) as made:
        yield made


class Typist(Plugin):
    name = "typist"

    @command("nothing")
    def nothing(self, command: Command, ctx: Context) -> None: ...


# -- tokens ----------------------------------------------------------------------------------------


def test_a_made_token_works_until_it_is_revoked(site: Web) -> None:
    token, secret = site.kernel.tokens.create("grafana", "read", timedelta(days=90), "cli")
    assert site.http.get("/api/inbox", headers=bearer(secret)).status_code == 200
    assert site.http.post("/api/inbox/x/replay", headers=bearer(secret)).status_code == 403
    site.kernel.tokens.revoke(token.id, "cli")
    assert site.http.get("/api/inbox", headers=bearer(secret)).status_code == 401


def test_two_tokens_of_one_name_hold_while_they_are_rotated(site: Web) -> None:
    old, first = site.kernel.tokens.create("grafana", "read", timedelta(days=90), "cli")
    _, second = site.kernel.tokens.create("grafana", "read", timedelta(days=90), "cli")
    assert {site.http.get("/api/inbox", headers=bearer(t)).status_code for t in (first, second)} == {200}
    site.kernel.tokens.revoke(old.id, "cli")
    codes = [site.http.get("/api/inbox", headers=bearer(t)).status_code for t in (first, second)]
    assert codes == [401, 200]


def test_an_expired_token_is_refused(site: Web) -> None:
    _, secret = site.kernel.tokens.create("job", "write", timedelta(seconds=-1), "cli")
    assert site.http.get("/api/inbox", headers=bearer(secret)).status_code == 401


@pytest.mark.parametrize("forged", ["sbx_", "sbx_x_y", "sbx_" + "0" * 32 + "_", "Bearer", "ü"])
def test_what_only_looks_like_a_token_is_refused(site: Web, forged: str) -> None:
    sent = {"Authorization": f"Bearer {forged}".encode()}
    assert site.http.get("/api/inbox", headers=sent).status_code == 401


def test_the_database_holds_no_token_and_the_audit_trail_none_either(site: Web) -> None:
    _, secret = site.kernel.tokens.create("grafana", "read", timedelta(days=90), "cli")
    with site.kernel.db.read() as tx:
        rows = str(tx.exec_driver_sql("SELECT * FROM api_tokens").all())
    assert secret.rpartition("_")[2] not in rows
    assert secret not in rows
    [row] = site.kernel.audit.rows()
    assert (row.action, row.subject) == ("token.create", "grafana")
    assert secret not in str(row)


def test_the_settings_tokens_work_as_before(site: Web) -> None:
    assert site.http.get("/api/inbox", headers=bearer(READ)).status_code == 200
    assert site.http.get("/api/inbox", headers=bearer("wrong")).status_code == 401


# -- the API's limits ------------------------------------------------------------------------------


def test_a_token_that_asks_too_often_is_told_when_it_may_again(database_url: str) -> None:
    with web(database_url, limits={"token": "3/minute"}) as site:
        answers = [site.http.get("/api/inbox", headers=bearer(READ)) for _ in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 200, 429]
        assert answers[0].headers["RateLimit-Policy"] == '"token";q=3;w=60'
        assert answers[0].headers["RateLimit"].startswith('"token";r=2;t=')
        assert 0 < int(answers[3].headers["Retry-After"]) <= 60
        assert site.http.get("/api/inbox", headers=bearer(WRITE)).status_code == 200


def test_who_guesses_tokens_is_slowed_down_and_nobody_else_is(database_url: str) -> None:
    with web(database_url, limits={"failures": "3/minute"}) as site:
        codes = [site.http.get("/api/inbox", headers=bearer(f"guess-{n}")).status_code for n in range(5)]
        assert codes == [401, 401, 401, 429, 429]
        assert site.http.get("/api/inbox", headers=bearer(READ)).status_code == 200


def test_processes_count_together_through_redis_and_alone_without(redis_url: str) -> None:
    settings = LimitSettings(token="4/hour")
    two = [ApiLimits(settings, redis_url) for _ in range(2)]
    waits = [two[n % 2].count("token:grafana")[0] for n in range(6)]
    assert [bool(wait) for wait in waits] == [False] * 4 + [True] * 2
    alone = ApiLimits(settings, "redis://127.0.0.1:1/0")
    assert [bool(alone.count("t")[0]) for _ in range(6)] == [False] * 4 + [True] * 2


@pytest.mark.parametrize("text", ["many", "10/fortnight"])
def test_a_limit_that_is_none_stops_the_start_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"limits\.source.*600/minute"):
        DoorLimits(LimitSettings(source=text))


# -- the doors' limits -----------------------------------------------------------------------------


def send_jira(site: Web, number: int) -> int:
    body = jira_body(f"SUP-{number}")
    return site.http.post(
        "/webhooks/jira", content=body, headers=jira_headers(body, f"d{number}")
    ).status_code


def test_a_source_that_sends_too_much_gets_429_with_the_standard_headers(database_url: str) -> None:
    with web(database_url, limits={"source": "2/hour"}) as site:
        assert [send_jira(site, n) for n in range(3)] == [202, 202, 429]
        body = b"{}"
        answer = site.http.post(
            "/webhooks/generic/deploys", content=body,
            headers={"X-Signature-256": signed("dep-secret", body), "X-Id": "1"},
        )  # fmt: skip
        assert answer.status_code == 202


def test_alertmanager_never_sees_429(database_url: str) -> None:
    with web(database_url, limits={"source": "1/hour"}) as site:
        answers = [
            site.http.post(
                "/webhooks/alertmanager", content=alert_body(groupKey=f"k{n}"), headers=bearer("am-token")
            )
            for n in range(3)
        ]
        assert [a.status_code for a in answers] == [202, 503, 503]
        assert answers[1].headers["Retry-After"]


def test_while_too_much_waits_tickets_come_back_later_and_alerts_get_in(database_url: str) -> None:
    with web(database_url, limits={"backlog": 2}) as site:
        assert [send_jira(site, n) for n in range(3)] == [202] * 3
        numbers = itertools.count(3)
        wait_until(lambda: send_jira(site, next(numbers)) == 429, 30, "the first 429")
        alerts = site.http.post("/webhooks/alertmanager", content=alert_body(), headers=bearer("am-token"))
        assert alerts.status_code == 202
        for run in site.kernel.inbox.runs(status="pending"):
            lease = site.kernel.inbox.lease(run.id, "w", timedelta(minutes=1))
            assert isinstance(lease, Lease)
            site.kernel.inbox.done(lease)
        wait_until(lambda: send_jira(site, next(numbers)) == 202, 30, "room")


def test_forgeries_use_up_nobodys_share(database_url: str) -> None:
    with web(database_url, limits={"source": "2/hour"}) as site:
        for _ in range(10):
            assert site.http.post("/webhooks/jira", content=b"{}").status_code == 401
        assert send_jira(site, 1) == 202


def test_a_person_who_types_too_fast_is_told_so_and_others_are_not(database_url: str) -> None:
    with web(database_url, Typist(Typist.Config()), limits={"person": "2/hour"}) as site:
        said = [type_command(site, "U1", n) for n in range(3)]
        assert ["more than Signalbox takes" in text for text in said] == [False, False, True]
        assert "more than" not in type_command(site, "U2", 9)


def sign(body: bytes) -> dict[str, str]:
    stamp = str(int(time.time()))
    digest = hmac.new(b"slack-secret", b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip


def type_command(site: Web, user: str, number: int) -> str:
    fields = {
        "command": "/signalbox", "text": "nothing", "user_id": user, "user_name": user, "channel_id": "C1",
        "team_id": "T1", "trigger_id": f"t{number}", "response_url": "https://hooks.slack.com/x",
    }  # fmt: skip
    body = urlencode(fields).encode()
    return site.http.post("/slack/events", content=body, headers=sign(body)).text


async def test_a_database_that_falls_behind_sheds_before_the_ack(site: Web) -> None:
    commit = GroupCommit(site.kernel.inbox, max_waiting=0)
    with pytest.raises(Overloaded):
        await commit.put(None)  # type: ignore[arg-type]
    await commit.close()


# -- bodies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "monster",
    [
        b'{"issue":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"issue":' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}",
        b'{"issue":[' + b"[],".join([b""] * 200_000) + b"[]]}",
    ],
)
def test_deep_and_countless_json_is_refused(site: Web, monster: bytes) -> None:
    answer = site.http.post("/webhooks/jira", content=monster, headers=jira_headers(monster))
    assert answer.status_code == 400


def test_a_deep_slack_payload_is_refused(site: Web) -> None:
    body = urlencode({"payload": "[" * 100_000}).encode()
    assert site.http.post("/slack/events", content=body, headers=sign(body)).status_code == 400


def test_a_large_body_to_the_api_is_refused_even_unannounced(site: Web) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(10):
            yield bytes(1 << 20)

    answer = site.http.post("/api/nlp/classify", content=parts(), headers=bearer(WRITE))
    assert answer.status_code == 413
    assert json.loads(answer.content)["status"] == 413
