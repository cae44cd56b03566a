"""`signalbox demo seed`: a history that every page shows, marked as made up, and never beside what is real."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from bot import demo
from bot.core.errors import ConfigError
from bot.core.events import utc_now
from bot.core.kernel import build_kernel
from bot.core.settings import Settings
from integrations.sandbox import demo as command
from plugins.alert_relay import AlertRelay
from plugins.anomaly_watch import AnomalyWatch
from plugins.autotag import AutoTag
from plugins.churn_digest import ChurnDigest
from plugins.core import Core
from plugins.daily_digest import DailyDigest
from tests.integration.web_kit import Web, jira_body, jira_headers, web

pytestmark = pytest.mark.integration
PLUGINS = (Core, AutoTag, AlertRelay, ChurnDigest, AnomalyWatch, DailyDigest)
SANDBOX = "http://127.0.0.1:8001"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    data = tmp_path_factory.mktemp("demo")
    plugins = [plugin(plugin.Config()) for plugin in PLUGINS]
    with web(f"sqlite:///{data / 'demo.db'}", *plugins, data_dir=data) as running:
        demo.mark(running.kernel.db, utc_now())
        demo.fill(running.kernel.db, utc_now(), data, demo.load())
        code = running.http.get("/sign-in", params={"code": _link(running)})
        assert code.status_code == 200
        yield running


def _link(running: Web) -> str:
    from bot.console.sign_in import Links  # noqa: PLC0415

    return Links(running.kernel.db).make()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "autotag.consider/label"),
        ("/inbox?status=dead", "Add it to the project"),
        ("/pages/autotag", "DEMO-"),
        ("/pages/alert-relay", "demo-restart"),
        ("/pages/alert-relay/of/INC-1", "fires ("),
        ("/pages/churn-digest", "logins fell"),
        ("/pages/anomaly-watch", "demo-latency"),
        ("/pages/daily-digest", "slack.command"),
        ("/audit", "tags.apply"),
    ],
)
def test_every_page_shows_something_and_says_that_it_is_made_up(site: Web, path: str, shown: str) -> None:
    answer = site.http.get(path)
    assert answer.status_code == 200
    assert shown in answer.text
    assert "made up" in answer.text
    assert "Nothing yet" not in answer.text


def test_an_event_of_it_has_a_trace(site: Web) -> None:
    [decided, *_] = site.kernel.inbox.runs(search="ticket.created", limit=1)
    assert decided.handler == "autotag.consider"
    assert "Effects" in site.http.get(f"/events/{decided.event_id}").text


def test_the_audit_chain_holds_and_is_in_order(site: Web) -> None:
    assert site.kernel.audit.verify().ok
    times = [row.at for row in site.kernel.audit.rows() if row.action.startswith(("tags.", "churn."))]
    assert times == sorted(times)


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    now = utc_now()
    found = []
    for name in ("one", "two"):
        kernel = _kernel(tmp_path / name)
        demo.fill(kernel.db, now, tmp_path / name, demo.load())
        found.append([(row.at, row.action, row.subject) for row in kernel.audit.rows()])
        kernel.close()
    assert found[0] == found[1]


def test_each_fill_is_an_entry_point_of_a_plugin_s() -> None:
    assert {entry.name for entry in entry_points(group=demo.GROUP)} == set(demo.load())


# -- where it is refused ---------------------------------------------------------------------------------------


def _kernel(data: Path, **changed: Any) -> Any:
    data.mkdir(exist_ok=True)
    kernel = build_kernel(Settings.model_validate({"data_dir": data, "secret_key": "k" * 32} | changed))
    kernel.db.migrate()
    return kernel


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"environment": "production"}, "production"),
        ({"slack": {"bot_token": "xoxb-1"}}, "Slack"),
        ({"jira": {"url": "https://acme.atlassian.net"}}, "Jira"),
        ({"alertmanager": {"url": "http://am:9093"}, "web": {"sandbox_url": SANDBOX}}, "Alertmanager"),
        ({"churn": {"source": "/srv/exports"}}, "customers' tables"),
        ({"generic": {"deploys": {"secret": "s"}}}, "webhooks"),
    ],
)
def test_what_is_real_is_not_mixed_with_it(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    kernel = _kernel(tmp_path / "d", **changed)
    with pytest.raises(ConfigError, match=words):
        demo.require_empty(kernel.settings, kernel.db)
    kernel.close()


def test_the_sandbox_is_not_real(tmp_path: Path) -> None:
    kernel = _kernel(
        tmp_path / "d",
        web={"sandbox_url": SANDBOX},
        slack={"bot_token": "xoxb-sandbox", "api_url": f"{SANDBOX}/slack/api/"},
        jira={"url": f"{SANDBOX}/jira"},
        alertmanager={"url": f"{SANDBOX}/alertmanager"},
    )
    demo.require_empty(kernel.settings, kernel.db)
    kernel.close()


def test_what_came_in_without_the_sandbox_is_real(tmp_path: Path) -> None:
    with web(f"sqlite:///{tmp_path / 'd.db'}", data_dir=tmp_path, slack={}, generic={}) as running:
        body = jira_body("SUP-1")
        running.http.post("/webhooks/jira", content=body, headers=jira_headers(body))
        with pytest.raises(ConfigError, match="from outside already"):
            demo.require_empty(running.kernel.settings, running.kernel.db)


def test_customers_that_were_scored_are_real(tmp_path: Path) -> None:
    (tmp_path / "d" / "churn" / "runs").mkdir(parents=True)
    kernel = _kernel(tmp_path / "d")
    with pytest.raises(ConfigError, match="scored here already"):
        demo.require_empty(kernel.settings, kernel.db)
    kernel.close()


# -- the command -----------------------------------------------------------------------------------------------


def test_the_command_fills_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGNALBOX_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    command.seed()
    assert "signalbox console" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="already"):
        command.seed()
