"""A real Prometheus for a test, where Debian's package is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.conftest import free_port, wait_until

REAL = shutil.which("prometheus")


@contextmanager
def prometheus(folder: Path, config: dict[str, Any] | None = None) -> Iterator[str]:
    """Start one with this configuration (YAML reads JSON); gives its URL."""
    file, url = folder / "prometheus.yml", f"http://127.0.0.1:{free_port()}"
    file.write_text(json.dumps(config or {}), encoding="utf-8")
    command = [
        str(REAL), f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={url.removeprefix('http://')}", "--web.enable-remote-write-receiver",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _is_ready(url), what="Prometheus")
            yield url
        finally:
            process.terminate()


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/-/ready").status_code == 200
    except httpx2.RequestError:
        return False
