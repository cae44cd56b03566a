"""As much of a Kubernetes API server as the executor and the vendor's client need: objects, merges, evictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

APPS, CORE = "/apis/apps/v1/namespaces/{namespace}/{plural}", "/api/v1"
KINDS = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
TOKEN = "a-token"


class KubernetesServer:
    """Rollouts happen when a test says so (`roll_out`)."""

    def __init__(self) -> None:
        self.workloads: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.nodes: dict[str, dict[str, Any]] = {}
        self.pods: dict[tuple[str, str], dict[str, Any]] = {}
        self.held_back: dict[str, int] = {}
        """Pod to how often its disruption budget still says no."""
        self.changes: list[tuple[str, dict[str, Any]]] = []
        self.forbidden: set[str] = set()
        """HTTP methods that the account's role does not allow."""
        self.app = FastAPI()
        self._routes()

    # -- what is there -----------------------------------------------------------------------------

    def add_workload(self, plural: str, namespace: str, name: str, replicas: int) -> None:
        meta = {"namespace": namespace, "name": name, "generation": 1, "resourceVersion": "1"}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": []}}}  # fmt: skip
        made = {"apiVersion": "apps/v1", "kind": KINDS[plural], "metadata": meta, "spec": spec, "status": {}}
        self.workloads[plural, namespace, name] = made
        self.roll_out(plural, namespace, name)

    def roll_out(self, plural: str, namespace: str, name: str, ready: int | None = None) -> None:
        """All pods are new and there, `ready` of them ready."""
        found = self.workloads[plural, namespace, name]
        count = found["spec"]["replicas"]
        available = count if ready is None else ready
        found["status"] = {
            "observedGeneration": found["metadata"]["generation"], "replicas": count,
            "updatedReplicas": count, "availableReplicas": available,
            "desiredNumberScheduled": count, "updatedNumberScheduled": count, "numberAvailable": available,
            "currentNumberScheduled": count, "numberMisscheduled": 0, "numberReady": available,
        }  # fmt: skip

    def give_up(self, plural: str, namespace: str, name: str) -> None:
        """The rollout did not get on within its deadline."""
        self.roll_out(plural, namespace, name, ready=0)
        self.workloads[plural, namespace, name]["status"]["conditions"] = [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        ]

    def add_node(self, name: str) -> None:
        ready = [{"type": "Ready", "status": "True"}]
        self.nodes[name] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {},
                            "status": {"conditions": ready}}  # fmt: skip

    def add_pod(self, name: str, node: str, owner: str = "ReplicaSet", phase: str = "Running") -> None:
        owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "o", "uid": "u"}] if owner else []
        self.pods["shop", name] = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "shop", "name": name, "ownerReferences": owners},
            "spec": {"nodeName": node, "containers": []}, "status": {"phase": phase},
        }  # fmt: skip

    # -- the protocol ------------------------------------------------------------------------------

    def _routes(self) -> None:
        app = self.app

        @app.middleware("http")
        async def authorise(request: Request, call_next):
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return _status(401, "Unauthorized")
            if request.method in self.forbidden:
                return _status(403, "Forbidden")
            return await call_next(request)

        @app.get(f"{APPS}/{{name}}")
        async def read_workload(namespace: str, plural: str, name: str):
            found = self.workloads.get((plural, namespace, name))
            return JSONResponse(found) if found else _status(404, "NotFound")

        @app.patch(f"{APPS}/{{name}}")
        async def patch_workload(namespace: str, plural: str, name: str, request: Request):
            return await self._patch(self.workloads.get((plural, namespace, name)), name, request)

        @app.get(f"{CORE}/nodes")
        async def list_nodes():
            return {
                "apiVersion": "v1",
                "kind": "NodeList",
                "metadata": {},
                "items": list(self.nodes.values()),
            }

        @app.get(f"{CORE}/nodes/{{name}}")
        async def read_node(name: str):
            return JSONResponse(self.nodes[name]) if name in self.nodes else _status(404, "NotFound")

        @app.patch(f"{CORE}/nodes/{{name}}")
        async def patch_node(name: str, request: Request):
            return await self._patch(self.nodes.get(name), name, request)

        @app.get(f"{CORE}/pods")
        async def list_pods(fieldSelector: str):  # noqa: N803
            node = fieldSelector.removeprefix("spec.nodeName=")
            items = [pod for pod in self.pods.values() if pod["spec"]["nodeName"] == node]
            return {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items}

        @app.post(f"{CORE}/namespaces/{{namespace}}/pods/{{name}}/eviction")
        async def evict(namespace: str, name: str):
            if self.held_back.get(name, 0) > 0:
                self.held_back[name] -= 1
                return _status(429, "TooManyRequests")
            self.pods.pop((namespace, name), None)
            return _status(201, "Created")

    async def _patch(self, found: dict[str, Any] | None, name: str, request: Request) -> JSONResponse:
        if found is None:
            return _status(404, "NotFound")
        body = await request.json()
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != found["metadata"].get("resourceVersion"):
            return _status(409, "Conflict")
        changed = _merged(found, body)
        if request.query_params.get("dryRun") == "All":
            return JSONResponse(changed)
        if changed["spec"] != found["spec"]:
            changed["metadata"]["generation"] = changed["metadata"].get("generation", 0) + 1
        version = int(found["metadata"].get("resourceVersion", "1")) + 1
        changed["metadata"]["resourceVersion"] = str(version)
        found.update(changed)
        self.changes.append((name, body))
        return JSONResponse(found)


def kubeconfig(folder: Path, url: str) -> Path:
    file = folder / "kubeconfig"
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "bot", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "bot"}}],
    }  # fmt: skip
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}


def _status(code: int, reason: str) -> JSONResponse:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
    return JSONResponse(body, code)
