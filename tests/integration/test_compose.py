"""docker-compose.yml without a Docker engine: its schema, and every command of ours as a local process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.conftest import free_port, wait_until

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
WORKFLOWS = sorted(map(str, (ROOT / ".github/workflows").glob("*.yml")))
SECRETS = {
    "POSTGRES_PASSWORD": "unused",
    "REDIS_PASSWORD": "unused",
    "SIGNALBOX_SECRET_KEY": "k" * 40,
    "GRAFANA_PASSWORD": "unused",
}
OURS = ("web", "nlp", "churn", "worker-interactive", "worker-io", "worker-model", "worker-spark", "scheduler")


def _services() -> dict[str, Any]:
    """The file as Compose reads it, with the values of .env filled in."""
    text = re.sub(r"\$\{(\w+)(?::[?-][^}]*)?\}", lambda m: SECRETS.get(m[1], "latest"), FILE.read_text())
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


@pytest.mark.parametrize(
    "argv",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)],
        ["hadolint", "--failure-threshold", "warning", str(ROOT / "deploy/image/Dockerfile")],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS],
        ["zizmor", "--offline", "--min-severity", "medium", *WORKFLOWS],
    ],
    ids=["compose", "Dockerfile", "workflows", "workflows' security"],
)
def test_the_field_s_linter_has_nothing_to_say(argv: list[str]) -> None:
    ran = subprocess.run([_tool(argv[0]), *argv[1:]], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_what_compose_asks_for_stands_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", FILE.read_text()))
    example = re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert asked <= set(example)


def test_every_service_is_watched_limited_and_pinned() -> None:
    for name, service in _services().items():
        assert service["healthcheck"]["test"], name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert service["image"].startswith("signalbox-") or re.search(r":v?\d+\.\d+", service["image"]), name


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights_to_lose(name: str) -> None:
    service = _services()[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.keys() & {"privileged", "cap_add", "pid", "network_mode", "devices"}


def test_what_images_install_is_pinned_by_checksum() -> None:
    dockerfile = (ROOT / "deploy/image/Dockerfile").read_text()
    locks = set(re.findall(r"--requirement (requirements/\S+)", dockerfile))
    assert {f"requirements/{name}.txt" for name in ("web", "run", "torch", "train")} <= locks
    for lock in locks:
        for pinned in re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip()):
            assert pinned.startswith("#") or re.match(
                r"\S+==\S+.*--hash=sha256:[0-9a-f]{64}", pinned, re.DOTALL
            ), pinned


def test_only_loopback_is_published() -> None:
    published = [port for service in _services().values() for port in service.get("ports", ())]
    assert published
    assert all(str(port).startswith("127.0.0.1:") for port in published)


def test_mounted_files_are_in_the_repository() -> None:
    mounts = [str(v) for s in _services().values() for v in s.get("volumes", ()) if str(v).startswith("./")]
    assert mounts
    for mount in mounts:
        assert (ROOT / mount.split(":")[0]).is_dir(), mount


@pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool comes with the prometheus-alertmanager package"
)
def test_amtool_accepts_alertmanager_s_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    config = (ROOT / "deploy/alertmanager/alertmanager.yml").read_text()
    file = tmp_path / "alertmanager.yml"
    file.write_text(config.replace("/run/secrets/alertmanager_token", str(token)))
    ran = subprocess.run(["amtool", "check-config", str(file)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def stores(postgres_server: str, redis_url: str) -> Iterator[dict[str, str]]:
    name = f"compose_{os.getpid()}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield {"DATABASE_URL": f"{postgres_server}/{name}", "REDIS_URL": redis_url}
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.parametrize("name", OURS)
def test_the_very_command_starts_and_is_healthy(name: str, stores: dict[str, str], tmp_path: Path) -> None:
    service = _services()[name]
    ports = {inside: str(free_port()) for inside in ("8000", "8002", "8003", "9100")}
    env = _environment(service, stores, ports, tmp_path)
    argv = [part.replace("/data", str(tmp_path)) for part in service["command"]]
    argv[0] = _tool(argv[0])
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(argv, env=env, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path)
    try:
        wait_until(lambda: _is_healthy(service, ports, tmp_path, process), 60, f"{name}'s health check")
    except BaseException:
        log.seek(0)
        sys.stderr.write(log.read()[-3000:])
        raise
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _environment(
    service: dict[str, Any], stores: dict[str, str], ports: dict[str, str], data: Path
) -> dict[str, str]:
    """The file's own environment; what names another container or a port points at this machine."""
    env = {key: ports.get(str(value), str(value)) for key, value in service["environment"].items()}
    here = {"PATH": os.environ["PATH"], "SIGNALBOX_DATA_DIR": str(data)}  # noqa: TID251  # about the test run
    hosts = {key: "127.0.0.1" for key in env if key.endswith("__HOST")}
    return env | stores | here | hosts


def _is_healthy(
    service: dict[str, Any], ports: dict[str, str], data: Path, process: subprocess.Popen[bytes]
) -> bool:
    assert process.poll() is None, "the process ended early"
    kind, *argv = service["healthcheck"]["test"]
    argv = [part.replace("$$", "$").replace("/data", str(data)) for part in argv]
    for inside, outside in ports.items():
        argv = [part.replace(f":{inside}/", f":{outside}/") for part in argv]
    command = ["sh", "-c", argv[0]] if kind == "CMD-SHELL" else [_tool(argv[0]), *argv[1:]]
    return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
