"""Mitigation in a Kubernetes cluster: restart, scale or roll back a workload, take a node out of service.

What is changed is marked with the run's key, so that a repetition changes nothing and a run is found again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bot.core.errors import Refused
from bot.core.executors import Outcome, Parameters, Plan, Progress
from bot.core.integration import Services
from bot.core.settings import KubernetesExecutor
from integrations.mitigations.fields import DnsName
from integrations.mitigations.kubernetes_cluster import Cluster, Kind, Node, Revision, Workload, connected

_NODE_ACTIONS = {"cordon", "drain", "uncordon"}


class KubernetesParameters(Parameters):
    """`restart`, `scale` and `rollback` name a workload, `cordon`, `drain` and `uncordon` a node."""

    action: Literal["restart", "scale", "rollback", "cordon", "drain", "uncordon"]
    kind: Kind = "deployment"
    namespace: DnsName | None = None
    name: DnsName | None = None
    node: DnsName | None = None
    replicas: int | None = Field(None, ge=0, description="Scale to this many.")
    add: int | None = Field(None, ge=-100, le=100, description="Or by so many.")
    minutes: float = Field(
        60, gt=0, description="Roll back only what was rolled out within this time; older is not the cause."
    )
    revision: int | None = Field(None, ge=1, description="Roll back to this one, whatever its age.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.action in _NODE_ACTIONS:
            if self.node is None:
                raise ValueError(f"{self.action} needs node")
        elif self.namespace is None or self.name is None:
            raise ValueError(f"{self.action} needs namespace and name")
        if self.action == "scale" and (self.replicas is None) == (self.add is None):
            raise ValueError("scale needs either replicas or add")
        if self.action == "scale" and self.kind == "daemonset":
            raise ValueError("a daemonset can't be scaled")
        if self.action == "rollback" and self.kind != "deployment":
            raise ValueError("only a deployment can be rolled back")
        return self

    @property
    def target(self) -> str:
        return f"node/{self.node}" if self.node else f"{self.kind}/{self.namespace}/{self.name}"


class KubernetesLevers:
    name: ClassVar[str] = "kubernetes"
    Parameters: ClassVar[type[Parameters]] = KubernetesParameters
    target_kind: ClassVar[str] = "workload"
    repeatable: ClassVar[bool] = True

    def __init__(self, settings: KubernetesExecutor, connect: Callable[[], Cluster]) -> None:
        self._settings = settings
        self._connect = connect

    def plan(self, parameters: KubernetesParameters, *, timeout: float) -> Plan:
        """The server is asked to rehearse each change, so that missing permissions show."""
        self._check(parameters)
        cluster = self._connect().within(timeout)
        if parameters.node is not None:
            return self._plan_node(cluster, parameters)
        return self._plan_workload(cluster, parameters)

    def run(self, parameters: KubernetesParameters, *, key: str, timeout: float) -> Outcome:
        self._check(parameters)
        cluster = self._connect().within(timeout)
        if parameters.node is not None:
            return self._run_node(cluster, parameters, key)
        workload = cluster.workload(parameters.kind, str(parameters.namespace), str(parameters.name))
        if workload.run == key:
            return _rollout(workload)
        if parameters.action == "restart":
            cluster.restart(workload, key)
            return Outcome(progress="running", detail="The rollout began.")
        if parameters.action == "rollback":
            _, wanted_one = _change(cluster, parameters, workload)
            cluster.roll_back(workload, wanted_one, key)
            return Outcome(progress="running", detail=f"Rolling back to revision {wanted_one.number}.")
        wanted = self._wanted(parameters, workload)
        cluster.scale(workload, wanted, key)
        return Outcome(progress="running", detail=f"Scaled from {workload.replicas} to {wanted}.")

    def state(self, parameters: KubernetesParameters, *, key: str, timeout: float) -> Outcome:
        cluster = self._connect().within(timeout)
        if parameters.node is not None:
            return _node_state(cluster, cluster.node(parameters.node), parameters, key)
        found = cluster.workload(parameters.kind, str(parameters.namespace), str(parameters.name))
        return _rollout(found) if found.run == key else Outcome(progress="absent")

    def inverse(self, parameters: KubernetesParameters, plan: Plan) -> KubernetesParameters | None:
        match parameters.action:
            case "restart":
                return None
            case "scale":
                back = {"replicas": plan.before["replicas"], "add": None}
                return parameters.model_copy(update=back)
            case "rollback":
                return parameters.model_copy(update={"revision": plan.before["revision"]})
            case "cordon" | "drain":
                return parameters.model_copy(update={"action": "uncordon"})
            case "uncordon":
                return parameters.model_copy(update={"action": "cordon"})

    def _plan_workload(self, cluster: Cluster, parameters: KubernetesParameters) -> Plan:
        found = cluster.workload(parameters.kind, str(parameters.namespace), str(parameters.name))
        if parameters.action == "restart":
            cluster.restart(found, "dry-run", dry=True)
            effect = f"The {found.replicas} pods of {parameters.target} will be replaced one after another."
        elif parameters.action == "rollback":
            return self._plan_rollback(cluster, parameters, found)
        else:
            wanted = self._wanted(parameters, found)
            cluster.scale(found, wanted, "dry-run", dry=True)
            effect = f"{parameters.target} will be scaled from {found.replicas} to {wanted} pods."
        before = {"replicas": found.replicas}
        return Plan(targets=(parameters.target,), effect=effect, healthy=found.available, before=before)

    def _plan_rollback(self, cluster: Cluster, parameters: KubernetesParameters, found: Workload) -> Plan:
        now, wanted = _change(cluster, parameters, found)
        cluster.roll_back(found, wanted, "dry-run", dry=True)
        effect = (
            f"{parameters.target} will go from revision {now.number} ({_images(now)}) "
            f"back to {wanted.number} ({_images(wanted)})."
        )
        before = {"revision": now.number}
        return Plan(targets=(parameters.target,), effect=effect, healthy=found.available, before=before)

    def _plan_node(self, cluster: Cluster, parameters: KubernetesParameters) -> Plan:
        node = cluster.node(str(parameters.node))
        out = parameters.action != "uncordon"
        cluster.mark(node, "dry-run", unschedulable=out, dry=True)
        effect = f"New pods will {'no longer' if out else 'again'} be placed on {node.name}."
        if parameters.action == "drain":
            pods = cluster.movable_pods(node.name)
            if lost := [pod.name for pod in pods if not pod.is_controlled]:
                raise Refused(
                    f"Nothing would start {', '.join(lost[:3])} anew, of the pods on {node.name}; "
                    "nothing was drained. Move them first.",
                    check="dry-run",
                )
            effect += f" Its {len(pods)} pods will be moved elsewhere, as far as disruption budgets let them."
        before = {"unschedulable": node.unschedulable}
        return Plan(targets=(parameters.target,), effect=effect, healthy=cluster.ready_nodes(), before=before)

    def _run_node(self, cluster: Cluster, parameters: KubernetesParameters, key: str) -> Outcome:
        node = cluster.node(str(parameters.node))
        cluster.mark(node, key, unschedulable=parameters.action != "uncordon")
        if parameters.action == "drain":
            cluster.evict(node.name)
        return _node_state(cluster, cluster.node(node.name), parameters, key)

    def _wanted(self, parameters: KubernetesParameters, workload: Workload) -> int:
        wanted = parameters.replicas
        if wanted is None:
            wanted = max(0, workload.replicas + (parameters.add or 0))
        if wanted > self._settings.max_replicas:
            raise Refused(
                f"{parameters.target} would be scaled to {wanted}; executors.kubernetes.max_replicas allows "
                f"{self._settings.max_replicas}. Nothing was changed.",
                check="registered",
            )
        return wanted

    def _check(self, parameters: KubernetesParameters) -> None:
        if parameters.action in _NODE_ACTIONS:
            if not self._settings.nodes:
                raise Refused("executors.kubernetes.nodes is off; no node was touched.", check="registered")
        elif parameters.namespace not in self._settings.namespaces:
            raise Refused(
                f"The namespace {parameters.namespace!r} is not among executors.kubernetes.namespaces; "
                "nothing was changed.",
                check="registered",
            )


def _change(
    cluster: Cluster, parameters: KubernetesParameters, workload: Workload
) -> tuple[Revision, Revision]:
    """The present version, and the one to go back to; Refused when the present one is not lately changed."""
    known = cluster.revisions(workload)
    if not known:
        raise Refused(_no_revision(parameters, "no revision of it is kept"), check="dry-run")
    if parameters.revision is not None:
        wanted = next((one for one in known if one.number == parameters.revision), None)
        if wanted is None:
            raise Refused(_no_revision(parameters, f"{parameters.revision} is not kept"), check="dry-run")
        return known[0], wanted
    same = list(takewhile(known[0].is_like, known))
    if len(same) == len(known):
        raise Refused(_no_revision(parameters, "no other version of it is kept"), check="dry-run")
    since = min(one.made_at for one in same)
    if since < datetime.now(UTC) - timedelta(minutes=parameters.minutes):
        raise Refused(
            f"{parameters.target} is as it was rolled out at {since:%Y-%m-%d %H:%M} UTC; only what is "
            f"younger than {parameters.minutes:g} minutes is rolled back. Nothing was changed.",
            check="dry-run",
        )
    return known[0], known[len(same)]


def _no_revision(parameters: KubernetesParameters, why: str) -> str:
    return f"{parameters.target} can't be rolled back: {why}. Nothing was changed."


def _images(revision: Revision) -> str:
    containers = (revision.template.get("spec") or {}).get("containers") or ()
    return ", ".join(str(one.get("image", "?")) for one in containers)[:200] or "no image"


def _rollout(workload: Workload) -> Outcome:
    progress: Progress = "done" if workload.is_rolled_out else "running"
    if workload.is_stuck:
        progress = "failed"
    return Outcome(progress=progress, detail=f"{workload.available} of {workload.replicas} pods are ready.")


def _node_state(cluster: Cluster, node: Node, parameters: KubernetesParameters, key: str) -> Outcome:
    if node.run != key:
        return Outcome(progress="absent")
    left = len(cluster.movable_pods(node.name)) if parameters.action == "drain" else 0
    if left:
        return Outcome(progress="running", detail=f"{left} pods are still on {node.name}.")
    return Outcome(detail=f"{node.name} is {'out of' if node.unschedulable else 'in'} service.")


def connect(services: Services) -> KubernetesLevers:
    settings = services.settings.executors.kubernetes
    known: list[Any] = []

    def client() -> Cluster:
        if not known:
            known.append(connected(settings))
        return Cluster(known[0])

    return KubernetesLevers(settings, client)
