"""The web process loads declarations, never a model, a cluster or a vendor's heavy client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
HEAVY = {
    "torch", "transformers", "pyspark", "mlflow", "pandas", "numpy", "scipy", "sklearn",
    "onnxruntime", "onnx", "tokenizers", "safetensors", "jira", "requests", "plotly",
}  # fmt: skip
BUILD = """
import json, sys
from bot.core.kernel import build_kernel
from bot.core.settings import Settings
from bot.queue import CeleryQueue
from bot.web import server
from fastapi.testclient import TestClient
settings = Settings.model_validate(json.loads(sys.argv[1]))
queue = CeleryQueue("memory://")
kernel = build_kernel(settings, enqueue=queue.enqueue)
kernel.db.migrate()
app = server.build_web(kernel, queue)
with TestClient(app) as http:
    paths = ["/sign-in", "/api/health", "/api/system/health", "/metrics", "/openapi.json"]
    statuses = {path: http.get(path).status_code for path in paths}
loaded = {m.partition(".")[0] for m in sys.modules}
print(json.dumps({"statuses": statuses, "loaded": sorted(loaded), "plugins": sorted(kernel.registry.plugins)}))
"""


def test_the_built_and_asked_web_process_has_loaded_nothing_heavy(tmp_path: Path) -> None:
    settings = {
        "data_dir": str(tmp_path),
        "secret_key": "k" * 32,
        "jira": {"url": "https://acme.example", "api_token": "t", "webhook_secret": "s"},
        "alertmanager": {"url": "http://am:9093", "token": "t"},
        "slack": {"bot_token": "xoxb-1", "signing_secret": "s"},
    }
    argv = [sys.executable, "-c", BUILD, json.dumps(settings)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["statuses"].pop("/sign-in") == 401, "the page that tells how to sign in"
    assert set(told["statuses"].values()) == {200}
    assert "core" in told["plugins"]
    assert HEAVY.isdisjoint(told["loaded"])
