"""What is shipped for Prometheus and Grafana: valid by their own tools, and in step with our metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot.core import metrics
from plugins.anomaly_watch import figures
from plugins.autotag import metrics as tagged
from plugins.churn_digest import metrics as churned

pytestmark = pytest.mark.unit
DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
PROMTOOL = shutil.which("promtool")
# The part of Grafana's dashboard schema (kind Dashboard v39) that ours make use of; unknown keys are refused.
TARGET = {
    "type": "object",
    "required": ["datasource", "expr", "refId"],
    "additionalProperties": False,
    "properties": {
        "datasource": {"$ref": "#/$defs/datasource"},
        "expr": {"type": "string", "minLength": 1},
        "legendFormat": {"type": "string"},
        "refId": {"type": "string", "pattern": "^[A-Z]$"},
        "format": {"enum": ["time_series", "table", "heatmap"]},
        "instant": {"type": "boolean"},
    },
}
PANEL = {
    "type": "object",
    "required": ["id", "type", "title", "gridPos", "targets", "datasource", "fieldConfig"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "type": {"enum": ["timeseries", "table", "stat"]},
        "datasource": {"$ref": "#/$defs/datasource"},
        "targets": {"type": "array", "minItems": 1, "items": TARGET},
        "gridPos": {
            "type": "object",
            "required": ["x", "y", "w", "h"],
            "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 23}, "w": {"maximum": 24}},
        },
        "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]},
    },
}
DASHBOARD = {
    "$defs": {
        "datasource": {
            "type": "object",
            "required": ["type", "uid"],
            "properties": {"type": {"const": "prometheus"}, "uid": {"const": "prometheus"}},
        }
    },
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "templating", "time"],
    "properties": {
        "uid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "panels": {"type": "array", "minItems": 1, "items": PANEL},
    },
}


def dashboards() -> Iterator[dict[str, Any]]:
    for file in DASHBOARDS:
        yield json.loads(file.read_text(encoding="utf-8"))


def expressions() -> Iterator[str]:
    for dashboard in dashboards():
        yield from (t["expr"] for panel in dashboard["panels"] for t in panel["targets"])
    yield (DEPLOY / "prometheus" / "rules" / "anomalies.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_is_one_by_grafanas_schema(file: Path) -> None:
    dashboard = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(dashboard, DASHBOARD)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in dashboard["panels"])


def test_dashboards_have_ids_of_their_own() -> None:
    ids = [dashboard["uid"] for dashboard in dashboards()]
    assert len(set(ids)) == len(ids) == 3


def test_only_metrics_that_exist_are_asked_for() -> None:
    known = {
        sample
        for module in (metrics, figures, tagged, churned)
        for metric in [*vars(module).values(), *getattr(module, "_GAUGES", {}).values()]
        for sample in ([metric._name] if hasattr(metric, "_name") else [])
    }
    asked = {name for text in expressions() for name in re.findall(r"signalbox_[a-z_]+[a-z]", text)}
    asked -= {"signalbox_anomaly"}  # the label
    assert {re.sub(r"_(total|bucket)$", "", name) for name in asked} <= known


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus).")
@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules/anomalies.yml"),
     ("test", "rules", "rules/anomalies.test.yml"), ("check", "rules", "rules/signalbox.yml"),
     ("test", "rules", "rules/signalbox.test.yml")],
    ids=" ".join,
)  # fmt: skip
def test_promtool_finds_no_fault(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [str(PROMTOOL), *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_of_ours_has_a_runbook() -> None:
    files = [DEPLOY / "prometheus" / "rules" / name for name in ("signalbox.yml", "anomalies.yml")]
    rules = "".join(file.read_text() for file in files)
    pages = (DEPLOY.parent / "docs" / "runbooks.md").read_text()
    asked = re.findall(r"runbook_url: docs/runbooks.md#(\w+)", rules)
    assert len(asked) == rules.count("- alert: ") - rules.count("- alert: Watchdog")
    assert {f"## {name}".lower() for name in asked} <= {line.lower() for line in pages.splitlines()}


# -- Grafana, which no package here brings: what it is given ---------------------------------------------------------

FILLED_IN = {"$__rate_interval": "5m", "$__range": "1h", "$__interval": "1m"}


def _filled_in(expression: str) -> str:
    """As Grafana asks it: with values for its variables."""
    for name, value in FILLED_IN.items():
        expression = expression.replace(name, value)
    return re.sub(r"\$\{?\w+(:\w+)?\}?", "x", expression)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus).")
def test_every_query_of_a_dashboard_is_one_for_prometheus(tmp_path: Path) -> None:
    asked = [t["expr"] for d in dashboards() for panel in d["panels"] for t in panel["targets"]]
    rules = [{"record": f"asked:{n}", "expr": _filled_in(each)} for n, each in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))  # JSON is YAML
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_query_uses_only_variables_that_its_dashboard_has() -> None:
    for dashboard in dashboards():
        own = {variable["name"] for variable in dashboard["templating"]["list"]}
        asked = {
            name
            for panel in dashboard["panels"]
            for target in panel["targets"]
            for name in re.findall(r"\$\{?(\w+)", target["expr"])
        }
        assert asked <= own | {name.removeprefix("$") for name in FILLED_IN}, dashboard["title"]


def test_grafana_finds_the_dashboards_and_the_database_that_compose_gives_it() -> None:
    services = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    mounts = dict(volume.split(":")[:2][::-1] for volume in services["grafana"]["volumes"])
    provisioning = DEPLOY / "grafana" / "provisioning"
    assert mounts["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    [file] = (provisioning / "dashboards").glob("*.y*ml")
    [provider] = yaml.safe_load(file.read_text())["providers"]
    assert mounts[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    [file] = (provisioning / "datasources").glob("*.y*ml")
    [source] = yaml.safe_load(file.read_text())["datasources"]
    assert (source["type"], source["uid"], source["url"]) == (
        "prometheus",
        "prometheus",
        "http://prometheus:9090",
    )
    assert ":9090/" in " ".join(services["prometheus"]["healthcheck"]["test"])


def test_prometheus_reaches_every_process_that_compose_gives_figures() -> None:
    services = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    [found] = jobs["signalbox-workers"]["dns_sd_configs"]
    workers = {name for name, service in services.items() if "worker" in service.get("command", ())}
    assert set(found["names"]) == workers
    for name in workers:
        environment = services[name]["environment"]
        assert environment["SIGNALBOX_WORKERS__METRICS_PORT"] == str(found["port"])
        reached = environment["SIGNALBOX_WEB__HOST"] == "0.0.0.0"  # noqa: S104  # the container's
        assert reached, "else nobody but the container itself reads them"
    [web] = jobs["signalbox"]["static_configs"]
    assert web["targets"] == ["web:8000"]
