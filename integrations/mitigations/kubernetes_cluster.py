"""A cluster through the official client: what it looks like, and the few changes that are made to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal, NamedTuple, Self

from bot.core.errors import Permanent, SignalboxError, Transient
from bot.core.settings import KubernetesExecutor

MARK = "signalbox/run"
"""Annotation with the key of the run that changed an object last."""
PAUSE_SECONDS = 1.0
_RESERVED = 0.3
"""Part of the time that is kept for saying how far it came."""
_MIRROR = "kubernetes.io/config.mirror"
_REVISION = "deployment.kubernetes.io/revision"
_POD_HASH = "pod-template-hash"
_RESTARTS = {MARK, "kubectl.kubernetes.io/restartedAt"}
"""Annotations by which pods are restarted: a revision that differs in these alone is no other version."""
Kind = Literal["deployment", "statefulset", "daemonset"]
_METHOD = {"deployment": "deployment", "statefulset": "stateful_set", "daemonset": "daemon_set"}


class Workload(NamedTuple):
    kind: Kind
    namespace: str
    name: str
    version: str
    replicas: int
    available: int
    is_rolled_out: bool
    is_stuck: bool
    run: str
    uid: str = ""
    selector: str = ""


class Revision(NamedTuple):
    """One version of a deployment's pods."""

    number: int
    made_at: datetime
    template: dict[str, Any]

    def is_like(self, other: Revision) -> bool:
        return _without_restarts(self.template) == _without_restarts(other.template)


class Node(NamedTuple):
    name: str
    unschedulable: bool
    run: str


class Pod(NamedTuple):
    namespace: str
    name: str
    is_controlled: bool


def connected(settings: KubernetesExecutor) -> Any:
    """The vendor's API client with the settings' credentials."""
    try:
        from kubernetes import client, config  # noqa: PLC0415  # heavy, and not installed everywhere
    except ImportError as exc:
        raise Permanent(
            "The executor 'kubernetes' needs the Kubernetes client. Install it: pip install "
            "'signalbox[kubernetes]'."
        ) from exc
    loader: Any = config  # its functions are untyped
    made = client.Configuration()
    made.retries = False  # a run that was cut off is looked for, not repeated behind our back
    try:
        if settings.kubeconfig is None:
            loader.load_incluster_config(client_configuration=made)
        else:
            loader.load_kube_config(
                str(settings.kubeconfig), context=settings.context or None, client_configuration=made
            )
    except config.ConfigException as exc:
        raise Permanent(
            f"The cluster's credentials can't be read: {exc}. Set executors.kubernetes.kubeconfig to a file "
            "such as ~/.kube/config, or run inside of the cluster."
        ) from exc
    return client.ApiClient(made)


class Cluster:
    """Calls that together take no longer than `within` says."""

    def __init__(self, api: Any) -> None:
        from kubernetes import client  # noqa: PLC0415  # see `connected`

        self._apps: Any = client.AppsV1Api(api)
        self._core: Any = client.CoreV1Api(api)
        self._client: Any = client
        self._deadline = self._wait_until = float("inf")

    def within(self, timeout: float) -> Self:
        self._deadline = time.monotonic() + timeout
        self._wait_until = self._deadline - timeout * _RESERVED
        return self

    # -- workloads ---------------------------------------------------------------------------------

    def workload(self, kind: Kind, namespace: str, name: str) -> Workload:
        with _translated(f"read {kind}/{namespace}/{name}"):
            read = getattr(self._apps, f"read_namespaced_{_METHOD[kind]}")
            return _workload(kind, read(name, namespace, **self._limit()))

    def restart(self, workload: Workload, key: str, *, dry: bool = False) -> None:
        """Mark the pods' template: what differs there is rolled out, as by `kubectl rollout restart`."""
        template = {"metadata": {"annotations": {MARK: key}}}
        self._patch(workload, {"template": template}, key, dry=dry)

    def scale(self, workload: Workload, replicas: int, key: str, *, dry: bool = False) -> None:
        self._patch(workload, {"replicas": replicas}, key, dry=dry)

    def revisions(self, workload: Workload) -> list[Revision]:
        """Those that the cluster keeps of a deployment, the present one first."""
        with _translated(f"list the revisions of {workload.kind}/{workload.namespace}/{workload.name}"):
            found = self._apps.list_namespaced_replica_set(
                workload.namespace, label_selector=workload.selector, **self._limit()
            )
        own = [item for item in found.items if _is_owned(item, workload.uid)]
        return sorted((self._revision(item) for item in own), key=lambda one: one.number, reverse=True)

    def _revision(self, found: Any) -> Revision:
        template = self._apps.api_client.sanitize_for_serialization(found.spec.template)
        labels = template.get("metadata", {}).get("labels", {})
        labels.pop(_POD_HASH, None)
        number = int((found.metadata.annotations or {}).get(_REVISION, "0"))
        return Revision(number, found.metadata.creation_timestamp, template)

    def roll_back(self, workload: Workload, revision: Revision, key: str, *, dry: bool = False) -> None:
        """Put an earlier version of the pods in the place of the present one, as `kubectl rollout undo`.

        A patch of operations, since merged into the present template it would leave what was added there.
        """
        body = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": workload.version},
            {"op": "add", "path": f"/metadata/annotations/{_escaped(MARK)}", "value": key},
            {"op": "replace", "path": "/spec/template", "value": revision.template},
        ]
        with _translated(f"roll back {workload.kind}/{workload.namespace}/{workload.name}"):
            self._apps.patch_namespaced_deployment(
                workload.name, workload.namespace, body, **_dry(dry), **self._limit()
            )

    def _patch(self, workload: Workload, spec: dict[str, Any], key: str, *, dry: bool) -> None:
        """The version makes it fail when somebody else was faster."""
        meta = {"annotations": {MARK: key}, "resourceVersion": workload.version}
        method = getattr(self._apps, f"patch_namespaced_{_METHOD[workload.kind]}")
        with _translated(f"change {workload.kind}/{workload.namespace}/{workload.name}"):
            body = {"metadata": meta, "spec": spec}
            method(workload.name, workload.namespace, body, **_dry(dry), **self._limit())

    # -- nodes -------------------------------------------------------------------------------------

    def node(self, name: str) -> Node:
        with _translated(f"read node/{name}"):
            found = self._core.read_node(name, **self._limit())
        return Node(name, bool(found.spec.unschedulable), (found.metadata.annotations or {}).get(MARK, ""))

    def ready_nodes(self) -> int:
        """Nodes that are well and take pods."""
        with _translated("list the nodes"):
            nodes = self._core.list_node(**self._limit()).items
        return sum(not node.spec.unschedulable and _holds(node.status, "Ready") for node in nodes)

    def mark(self, node: Node, key: str, *, unschedulable: bool, dry: bool = False) -> None:
        body = {"metadata": {"annotations": {MARK: key}}, "spec": {"unschedulable": unschedulable}}
        with _translated(f"change node/{node.name}"):
            self._core.patch_node(node.name, body, **_dry(dry), **self._limit())

    def movable_pods(self, node: str) -> list[Pod]:
        """Without those that every node has, and those that are finished."""
        with _translated(f"list the pods of node/{node}"):
            found = self._core.list_pod_for_all_namespaces(
                field_selector=f"spec.nodeName={node}", **self._limit()
            )
        return [_pod(pod) for pod in found.items if _is_movable(pod)]

    def evict(self, node: str) -> None:
        """Ask all pods to leave, again and again for those that a disruption budget holds back."""
        asked: set[Pod] = set()
        while waiting := [pod for pod in self.movable_pods(node) if pod not in asked]:
            gone = {pod for pod in waiting if self._evict(pod)}
            asked |= gone
            if time.monotonic() + PAUSE_SECONDS > self._wait_until:
                return
            if len(gone) < len(waiting):
                time.sleep(PAUSE_SECONDS)

    def _evict(self, pod: Pod) -> bool:
        meta = self._client.V1ObjectMeta(name=pod.name, namespace=pod.namespace)
        eviction = self._client.V1Eviction(metadata=meta)
        with _translated(f"move pod {pod.namespace}/{pod.name}"):
            try:
                self._core.create_namespaced_pod_eviction(pod.name, pod.namespace, eviction, **self._limit())
            except self._client.ApiException as exc:
                if exc.status == 429:  # its budget
                    return False
                if exc.status != 404:  # not gone meanwhile
                    raise
        return True

    def _limit(self) -> dict[str, Any]:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Transient("The cluster took longer than the run may take.")
        return {"_request_timeout": min(left, 30.0)}


def _workload(kind: Kind, found: Any) -> Workload:
    meta, spec, status = found.metadata, found.spec, found.status
    if kind == "daemonset":
        wanted, total = status.desired_number_scheduled or 0, status.desired_number_scheduled or 0
        updated, available = status.updated_number_scheduled or 0, status.number_available or 0
    else:
        wanted, total = spec.replicas or 0, status.replicas or 0
        updated, available = status.updated_replicas or 0, status.available_replicas or 0
    is_seen = (status.observed_generation or 0) >= (meta.generation or 0)
    return Workload(
        kind,
        meta.namespace,
        meta.name,
        meta.resource_version,
        wanted,
        available,
        is_rolled_out=is_seen and wanted == total == updated == available,
        is_stuck=is_seen and _has_reason(status, "ProgressDeadlineExceeded"),
        run=(meta.annotations or {}).get(MARK, ""),
        uid=meta.uid or "",
        selector=_selector(spec.selector),
    )


def _selector(found: Any) -> str:
    """As a query's parameter."""
    equal = [f"{name}={value}" for name, value in (found.match_labels or {}).items()]
    return ",".join([*equal, *(_expression(one) for one in found.match_expressions or ())])


def _expression(found: Any) -> str:
    match found.operator:
        case "In":
            return f"{found.key} in ({','.join(found.values)})"
        case "NotIn":
            return f"{found.key} notin ({','.join(found.values)})"
        case "Exists":
            return str(found.key)
        case _:
            return f"!{found.key}"


def _is_owned(found: Any, uid: str) -> bool:
    return any(owner.controller and owner.uid == uid for owner in found.metadata.owner_references or ())


def _without_restarts(template: dict[str, Any]) -> dict[str, Any]:
    meta = template.get("metadata") or {}
    left = {name: value for name, value in (meta.get("annotations") or {}).items() if name not in _RESTARTS}
    return {**template, "metadata": {**meta, "annotations": left}}


def _escaped(name: str) -> str:
    """A name within a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _holds(status: Any, condition: str) -> bool:
    return any(c.type == condition and c.status == "True" for c in status.conditions or ())


def _has_reason(status: Any, reason: str) -> bool:
    return any(condition.reason == reason for condition in status.conditions or ())


def _pod(pod: Any) -> Pod:
    return Pod(pod.metadata.namespace, pod.metadata.name, bool(pod.metadata.owner_references))


def _is_movable(pod: Any) -> bool:
    owners = {owner.kind for owner in pod.metadata.owner_references or ()}
    is_everywhere = "DaemonSet" in owners or _MIRROR in (pod.metadata.annotations or {})
    return not is_everywhere and pod.status.phase not in {"Succeeded", "Failed"}


def _dry(dry: bool) -> dict[str, Any]:  # noqa: FBT001  # private
    return {"dry_run": "All"} if dry else {}


@contextmanager
def _translated(what: str) -> Iterator[None]:
    from kubernetes.client import ApiException  # noqa: PLC0415  # see `connected`
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  # comes with the client

    try:
        yield
    except ApiException as exc:
        raise _error(what, exc) from exc
    except HTTPError as exc:
        raise Transient(f"The cluster did not answer when asked to {what}: {type(exc).__name__}.") from exc


def _error(what: str, exc: Any) -> SignalboxError:
    if exc.status in {409, 429} or exc.status >= 500 or exc.status == 0:
        return Transient(f"The cluster answered {exc.status} ({exc.reason}) when asked to {what}.")
    if exc.status in {401, 403}:
        return Permanent(f"The cluster does not let us {what} ({exc.status}): check the account's role.")
    if exc.status == 404:
        return Permanent(f"The cluster could not {what}: there is no such object.")
    return Permanent(f"The cluster refused to {what} ({exc.status}): {str(exc.body or '')[:300]}")
