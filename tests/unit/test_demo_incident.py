"""The demonstration: what it needs, and the shop that it breaks."""

from __future__ import annotations

import hashlib
import hmac
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.core.errors import ConfigError
from integrations.mitigations.http import HttpParameters
from integrations.sandbox.demo import app
from integrations.sandbox.incident import monitoring, shop
from plugins.alert_relay.mitigation.declarations import Mitigation

pytestmark = pytest.mark.unit


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(monitoring.shutil, "which", lambda _: None)
    result = CliRunner().invoke(app, ["incident"])
    assert isinstance(result.exception, ConfigError)
    assert "apt-get install prometheus prometheus-alertmanager" in str(result.exception)


def test_the_declared_mitigation_is_a_valid_one(tmp_path: Path) -> None:
    site = monitoring.Site(tmp_path, "http://127.0.0.1:1/webhooks/alertmanager")
    monitoring._write(site)
    [declared] = tomllib.loads((tmp_path / "signalbox.toml").read_text())["mitigations"]
    mitigation = Mitigation.model_validate(declared)
    assert mitigation.fits({"alertname": "HighErrorRate"})
    assert HttpParameters.model_validate(mitigation.parameters).url.startswith(site.url("shop"))


def test_a_restart_counts_once_for_each_run() -> None:
    made = shop.Shop("secret")
    made.state = "broken"
    made.restart("run-1")
    made.state = "broken"
    made.restart("run-1")
    assert (made.restarts, made.state) == (1, "broken")
    assert made.knows("run-1")
    assert not made.knows("run-2")


@pytest.mark.parametrize(
    ("stamp", "body", "good"),
    [("1000", b"{}", True), ("400", b"{}", False), ("1000", b"{ }", False), ("x", b"{}", False)],
)
def test_only_fresh_requests_with_the_right_signature_count(
    monkeypatch: pytest.MonkeyPatch, stamp: str, body: bytes, good: bool
) -> None:
    monkeypatch.setattr(shop.time, "time", lambda: 1100.0)
    signed = hmac.new(b"secret", f"v1:{stamp}:POST:/restart:".encode() + b"{}", hashlib.sha256).hexdigest()
    headers = {"X-Signalbox-Timestamp": stamp, "X-Signalbox-Signature": f"v1={signed}"}
    assert shop.Shop("secret").is_signed("POST", "/restart", headers, body) is good


def test_errors_follow_the_switch() -> None:
    made = shop.Shop("secret")
    made.serve_customers(10)
    assert 'shop_errors_total{service="checkout"} 2.0' in made.metrics()
    made.state = "broken"
    made.serve_customers(10)
    assert 'shop_errors_total{service="checkout"} 82.0' in made.metrics()
