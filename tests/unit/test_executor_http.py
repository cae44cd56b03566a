"""The http executor: what it sends, whom it may call, and what it makes of answers."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable

import httpx2
import pytest
from pydantic import ValidationError

from bot.core.errors import Permanent, Refused, Transient
from bot.core.settings import HttpExecutor
from integrations.mitigations.http import HttpCalls, HttpParameters
from integrations.mitigations.output import Masker

pytestmark = pytest.mark.unit
SECRET = "a shared secret"
NOW = 1_800_000_000
Answer = Callable[[httpx2.Request], httpx2.Response]


def calls(answer: Answer, **settings: object) -> HttpCalls:
    found = HttpExecutor.model_validate({"hosts": ("checkout:8080",), "secret": SECRET, **settings})
    return HttpCalls(found, Masker([SECRET]), httpx2.MockTransport(answer), lambda: NOW + 0.5)


def answering(status: int, **kwargs: object) -> HttpCalls:
    return calls(lambda _: httpx2.Response(status, **kwargs))


def parameters(**fields: object) -> HttpParameters:
    return HttpParameters.model_validate({"url": "http://checkout:8080/fix?mode=all", **fields})


STATUS = {"status_url": "http://checkout:8080/runs/{key}"}


def test_a_request_is_signed_over_time_method_target_and_body() -> None:
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, text="healed")

    outcome = calls(answer).run(parameters(body={"level": 1}), key="run-1", timeout=2)
    [request] = sent
    signed = b"v1:1800000000:POST:/fix?mode=all:" + request.content
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-signalbox-signature"] == f"v1={expected}"
    assert request.headers["x-signalbox-timestamp"] == str(NOW)
    assert request.headers["idempotency-key"] == "run-1"
    assert json.loads(request.content) == {"level": 1}
    assert (outcome.progress, outcome.output) == ("done", "healed")


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(Permanent, match=r"executors\.http\.secret"):
        calls(lambda _: httpx2.Response(200), secret=None).run(parameters(), key="k", timeout=1)


@pytest.mark.parametrize("fields", [
    {"url": "http://elsewhere/fix"},
    {"url": "http://checkout:9999/fix"},
    {"status_url": "http://169.254.169.254/latest"},
    {"undo": {"url": "http://elsewhere/unfix"}},
])  # fmt: skip
def test_only_listed_hosts_are_called(fields: dict) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError("nothing may be sent")

    for method in ("run", "state"):
        with pytest.raises(Refused, match=r"executors\.http\.hosts"):
            getattr(calls(answer), method)(parameters(**fields), key="k", timeout=1)


@pytest.mark.parametrize("url", [
    "ftp://checkout:8080/x", "http://me@checkout:8080/x", "http://checkout:8080/a/../b",
    "http://checkout:8080/a/%2e%2e/b", "http://checkout:8080/a b", "file:///etc/passwd",
])  # fmt: skip
def test_addresses_that_could_lead_astray_are_no_parameters(url: str) -> None:
    with pytest.raises(ValidationError):
        parameters(url=url)


def test_a_redirect_is_not_followed() -> None:
    with pytest.raises(Permanent, match="elsewhere"):
        answering(307, headers={"location": "http://elsewhere/"}).run(parameters(), key="k", timeout=1)


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Permanent), (409, Permanent), (500, Transient), (503, Transient), (429, Transient)],
)
def test_refusals_are_final_and_illness_is_not(status: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=str(status)):
        answering(status, text="why").run(parameters(), key="k", timeout=1)


def test_a_cut_connection_is_worth_asking_what_became_of_it() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("late", request=request)

    with pytest.raises(Transient, match="did not answer"):
        calls(answer).run(parameters(), key="k", timeout=1)


def test_an_accepted_run_goes_on_until_its_status_says_otherwise() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            return httpx2.Response(202)
        assert request.url.path == "/runs/k"
        return httpx2.Response(200, json={"state": "done", "detail": "healed in 2 s"})

    executor = calls(answer)
    assert executor.run(parameters(**STATUS), key="k", timeout=1).progress == "running"
    assert executor.state(parameters(**STATUS), key="k", timeout=1).detail == "healed in 2 s"


def test_a_run_that_the_service_never_heard_of_is_absent() -> None:
    assert answering(404).state(parameters(**STATUS), key="k", timeout=1).progress == "absent"


def test_without_a_status_address_nobody_can_tell() -> None:
    assert answering(200).state(parameters(), key="k", timeout=1).progress == "unknown"


@pytest.mark.parametrize("body", ["<html>", '{"state": "perhaps"}'])
def test_a_status_that_is_none_is_told(body: str) -> None:
    with pytest.raises(Permanent, match="status_url"):
        answering(200, text=body).state(parameters(**STATUS), key="k", timeout=1)


def test_the_dry_run_sends_nothing_that_acts() -> None:
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.method)
        return httpx2.Response(404)

    plan = calls(answer).plan(parameters(**STATUS, target="checkout", body={"a": 1}), timeout=1)
    assert seen == ["GET"]
    assert plan.targets == ("checkout",)
    assert '{"a": 1}' in plan.effect


def test_what_is_undone_is_what_was_declared() -> None:
    undo = {"url": "http://checkout:8080/unfix", "method": "PUT"}
    done = parameters(undo=undo, **STATUS)
    back = answering(200).inverse(done, answering(404).plan(done, timeout=1))
    assert back is not None
    assert (back.url, back.method, back.status_url) == (undo["url"], "PUT", STATUS["status_url"])
    assert answering(200).inverse(back, answering(404).plan(back, timeout=1)) is None


def test_secrets_and_endless_answers_are_cut_out() -> None:
    text = f"token=abcdef123 {SECRET} " + "x" * 200_000 + " end"
    output = answering(200, text=text).run(parameters(), key="k", timeout=1).output
    assert len(output) <= 2000
    short = answering(200, text=f'{{"api_key": "abcdef", "password=hunter22": "{SECRET}"}} \x1b[31mred')
    shown = short.run(parameters(), key="k", timeout=1).output
    assert SECRET not in shown
    assert "abcdef" not in shown
    assert "hunter22" not in shown
    assert "\x1b" not in shown
