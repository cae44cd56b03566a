"""As much of a Kubernetes API server as the executor and the vendor's client need: objects, merges, evictions."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

APPS, CORE = "/apis/apps/v1/namespaces/{namespace}/{plural}", "/api/v1"
KINDS = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
TOKEN = "a-token"
REVISION = "deployment.kubernetes.io/revision"


class KubernetesServer:
    """Rollouts happen when a test says so (`roll_out`)."""

    def __init__(self) -> None:
        self.workloads: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.replica_sets: list[dict[str, Any]] = []
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
        meta = {"namespace": namespace, "name": name, "generation": 1, "resourceVersion": "1",
                "uid": f"uid-{name}"}  # fmt: skip
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": []}}}  # fmt: skip
        made = {"apiVersion": "apps/v1", "kind": KINDS[plural], "metadata": meta, "spec": spec, "status": {}}
        self.workloads[plural, namespace, name] = made
        self.roll_out(plural, namespace, name)

    def deploy(self, namespace: str, name: str, image: str, *, minutes_ago: float = 0) -> None:
        """A new version of a deployment's pods, with the replica set that the controller makes for it."""
        found = self.workloads["deployments", namespace, name]
        found["spec"]["template"]["spec"]["containers"] = [{"name": "main", "image": image}]
        self.keep_revision(namespace, name, minutes_ago=minutes_ago)

    def keep_revision(self, namespace: str, name: str, *, minutes_ago: float = 0) -> None:
        """What the deployment's controller does with a changed template: the old set with it, or a new one."""
        found = self.workloads["deployments", namespace, name]
        template = found["spec"]["template"]
        known = [one for one in self.revisions(name) if _bare(one["spec"]["template"]) == template]
        number = str(1 + max((int(_annotated(one)) for one in self.revisions(name)), default=0))
        made = known[0] if known else self._replica_set(namespace, name, template, minutes_ago)
        made["metadata"]["annotations"] = {REVISION: number}
        found["metadata"].setdefault("annotations", {})[REVISION] = number

    def revisions(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.replica_sets if one["metadata"]["ownerReferences"][0]["name"] == name]

    def _replica_set(
        self, namespace: str, name: str, template: dict[str, Any], minutes_ago: float
    ) -> dict[str, Any]:
        hashed = deepcopy(template)
        hashed["metadata"]["labels"]["pod-template-hash"] = f"h{len(self.replica_sets)}"
        at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": f"uid-{name}",
                 "controller": True}  # fmt: skip
        made = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"namespace": namespace, "name": f"{name}-{len(self.replica_sets)}",
                         "labels": {"app": name}, "ownerReferences": [owner],
                         "creationTimestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": hashed},
        }  # fmt: skip
        self.replica_sets.append(made)
        return made

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

        @app.get(f"{APPS}")
        async def list_replica_sets(namespace: str, plural: str, labelSelector: str):  # noqa: N803
            wanted = dict(part.split("=") for part in labelSelector.split(","))
            items = [
                one
                for one in self.replica_sets
                if one["metadata"]["namespace"] == namespace
                and wanted.items() <= one["metadata"]["labels"].items()
            ]
            kind = {"apiVersion": "apps/v1", "kind": "ReplicaSetList", "metadata": {}, "items": items}
            return JSONResponse(kind) if plural == "replicasets" else _status(404, "NotFound")

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
        operations = isinstance(body, list)
        if operations:
            if request.headers["content-type"] != "application/json-patch+json":
                return _status(415, "UnsupportedMediaType")
            body = _of_operations(found, body)
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != found["metadata"].get("resourceVersion"):
            return _status(409, "Conflict")
        changed = body if operations else _merged(found, body)
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


def _annotated(found: dict[str, Any]) -> str:
    return found["metadata"]["annotations"][REVISION]


def _bare(template: dict[str, Any]) -> dict[str, Any]:
    made = deepcopy(template)
    made["metadata"]["labels"].pop("pod-template-hash", None)
    return made


def _of_operations(found: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """The object that a JSON patch makes."""
    made = deepcopy(found)
    for operation in operations:
        *path, last = (part.replace("~1", "/") for part in operation["path"].split("/")[1:])
        place = made
        for part in path:
            place = place[part]
        if operation["op"] == "replace" and last not in place:
            raise KeyError(operation["path"])
        place[last] = operation["value"]
    return made


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}


def _status(code: int, reason: str) -> JSONResponse:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
    return JSONResponse(body, code)
