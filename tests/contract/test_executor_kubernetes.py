"""The kubernetes executor with the vendor's client, against a small API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes_server import KubernetesServer, kubeconfig
from pydantic import ValidationError
from standin_server import address, listening, serving

from bot.core.errors import Permanent, Refused, Transient
from bot.core.executors import Outcome
from bot.core.settings import KubernetesExecutor
from integrations.mitigations import kubernetes_cluster
from integrations.mitigations.kubernetes import KubernetesLevers, KubernetesParameters
from integrations.mitigations.kubernetes_cluster import MARK, Cluster, connected

pytestmark = pytest.mark.contract


class Site:
    def __init__(self, folder: Path, url: str, server: KubernetesServer) -> None:
        self.server = server
        self.settings = KubernetesExecutor(
            kubeconfig=kubeconfig(folder, url), namespaces=("shop",), nodes=True, max_replicas=10
        )
        self.levers = KubernetesLevers(self.settings, lambda: Cluster(connected(self.settings)))

    def run(self, parameters: KubernetesParameters, key: str = "run-1", timeout: float = 10) -> Outcome:
        return self.levers.run(parameters, key=key, timeout=timeout)

    def state(self, parameters: KubernetesParameters, key: str = "run-1") -> Outcome:
        return self.levers.state(parameters, key=key, timeout=10)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(kubernetes_cluster, "PAUSE_SECONDS", 0.05)
    server, sock = KubernetesServer(), listening()
    server.add_workload("deployments", "shop", "checkout", 3)
    server.add_workload("statefulsets", "shop", "queue", 2)
    server.add_workload("daemonsets", "shop", "agent", 2)
    for node in ("node-1", "node-2"):
        server.add_node(node)
    with serving(server.app, sock):
        yield Site(tmp_path, address(sock), server)


def workload(action: str, **fields: object) -> KubernetesParameters:
    return KubernetesParameters.model_validate(
        {"action": action, "namespace": "shop", "name": "checkout", **fields}
    )


def on_node(action: str, node: str = "node-1") -> KubernetesParameters:
    return KubernetesParameters.model_validate({"action": action, "node": node})


# -- workloads ---------------------------------------------------------------------------------------


def test_a_rehearsal_changes_nothing_and_says_what_would_happen(site: Site) -> None:
    plan = site.levers.plan(workload("restart"), timeout=10)
    assert plan.targets == ("deployment/shop/checkout",)
    assert plan.effect == "The 3 pods of deployment/shop/checkout will be replaced one after another."
    assert plan.healthy == 3
    assert site.server.changes == []


@pytest.mark.parametrize(("kind", "plural", "name"), [
    ("deployment", "deployments", "checkout"), ("statefulset", "statefulsets", "queue"),
    ("daemonset", "daemonsets", "agent"),
])  # fmt: skip
def test_a_restart_is_done_when_all_pods_are_new_and_ready(
    site: Site, kind: str, plural: str, name: str
) -> None:
    asked = workload("restart", kind=kind, name=name)
    assert site.state(asked).progress == "absent"
    assert site.run(asked).progress == "running"
    assert site.state(asked).progress == "running"
    site.server.roll_out(plural, "shop", name, ready=1)
    assert site.state(asked).progress == "running"
    site.server.roll_out(plural, "shop", name)
    assert site.state(asked).progress == "done"
    template = site.server.workloads[plural, "shop", name]["spec"]["template"]
    assert template["metadata"]["annotations"] == {MARK: "run-1"}


def test_a_rollout_that_is_stuck_has_failed(site: Site) -> None:
    site.run(workload("restart"))
    site.server.give_up("deployments", "shop", "checkout")
    assert site.state(workload("restart")).progress == "failed"


def test_the_same_run_twice_restarts_once(site: Site) -> None:
    site.run(workload("restart"))
    site.run(workload("restart"))
    assert len(site.server.changes) == 1
    site.run(workload("restart"), key="run-2")
    assert len(site.server.changes) == 2


def test_scaling_and_back(site: Site) -> None:
    asked = workload("scale", add=2)
    plan = site.levers.plan(asked, timeout=10)
    assert "from 3 to 5" in plan.effect
    site.run(asked)
    site.run(asked)  # a repetition does not add again
    found = site.server.workloads["deployments", "shop", "checkout"]
    assert found["spec"]["replicas"] == 5
    back = site.levers.inverse(asked, plan)
    assert back is not None
    site.run(back, key="run-2")
    assert found["spec"]["replicas"] == 3


def test_a_restart_can_not_be_undone(site: Site) -> None:
    plan = site.levers.plan(workload("restart"), timeout=10)
    assert site.levers.inverse(workload("restart"), plan) is None


def test_nothing_is_scaled_beyond_the_settings(site: Site) -> None:
    with pytest.raises(Refused, match="max_replicas"):
        site.run(workload("scale", replicas=11))
    assert site.server.changes == []


# -- rolling back ------------------------------------------------------------------------------------


def present_image(site: Site) -> str:
    template = site.server.workloads["deployments", "shop", "checkout"]["spec"]["template"]
    return template["spec"]["containers"][0]["image"]


@pytest.fixture
def deployed(site: Site) -> Site:
    site.server.deploy("shop", "checkout", "checkout:1", minutes_ago=5000)
    site.server.deploy("shop", "checkout", "checkout:2", minutes_ago=20)
    site.server.roll_out("deployments", "shop", "checkout")
    return site


def test_a_rehearsed_rollback_names_both_versions(deployed: Site) -> None:
    plan = deployed.levers.plan(workload("rollback"), timeout=10)
    assert plan.effect == (
        "deployment/shop/checkout will go from revision 2 (checkout:2) back to 1 (checkout:1)."
    )
    assert plan.targets == ("deployment/shop/checkout",)
    assert deployed.server.changes == []
    assert present_image(deployed) == "checkout:2"


def test_rolling_back_and_forth_again(deployed: Site) -> None:
    asked = workload("rollback")
    plan = deployed.levers.plan(asked, timeout=10)
    assert deployed.run(asked).progress == "running"
    deployed.run(asked)  # a repetition goes no further back
    assert len(deployed.server.changes) == 1
    assert present_image(deployed) == "checkout:1"
    deployed.server.keep_revision("shop", "checkout")
    deployed.server.roll_out("deployments", "shop", "checkout")
    assert deployed.state(asked).progress == "done"
    labels = deployed.server.workloads["deployments", "shop", "checkout"]["spec"]["template"]["metadata"]
    assert "pod-template-hash" not in labels["labels"]
    back = deployed.levers.inverse(asked, plan)
    assert back is not None
    deployed.run(back, key="run-2")
    assert present_image(deployed) == "checkout:2"


def test_what_a_new_version_added_is_gone_after_a_rollback(deployed: Site) -> None:
    found = deployed.server.workloads["deployments", "shop", "checkout"]
    found["spec"]["template"]["spec"]["nodeName"] = "node-1"
    deployed.server.deploy("shop", "checkout", "checkout:3", minutes_ago=1)
    deployed.run(workload("rollback"))
    assert present_image(deployed) == "checkout:2"
    assert "nodeName" not in found["spec"]["template"]["spec"]


def test_an_old_version_is_not_the_cause_and_stays(site: Site) -> None:
    site.server.deploy("shop", "checkout", "checkout:1", minutes_ago=5000)
    site.server.deploy("shop", "checkout", "checkout:2", minutes_ago=90)
    with pytest.raises(Refused, match="only what is younger than 60 minutes is rolled back"):
        site.levers.plan(workload("rollback"), timeout=10)
    assert "checkout:1" in site.levers.plan(workload("rollback", minutes=120), timeout=10).effect


def test_a_restart_is_no_version_of_its_own(deployed: Site) -> None:
    deployed.run(workload("restart"))
    deployed.server.keep_revision("shop", "checkout")
    plan = deployed.levers.plan(workload("rollback"), timeout=10)
    assert "from revision 3 (checkout:2) back to 1 (checkout:1)" in plan.effect


@pytest.mark.parametrize(("fields", "words"), [
    ({}, "no other version of it is kept"), ({"revision": 7}, "7 is not kept"),
])  # fmt: skip
def test_a_version_that_is_not_kept_is_told(site: Site, fields: dict, words: str) -> None:
    site.server.deploy("shop", "checkout", "checkout:1")
    with pytest.raises(Refused, match=words):
        site.levers.plan(workload("rollback", **fields), timeout=10)


def test_replica_sets_of_others_with_the_same_labels_are_not_taken(deployed: Site) -> None:
    for one in deployed.server.replica_sets[:1]:
        one["metadata"]["ownerReferences"][0]["uid"] = "uid-other"
    with pytest.raises(Refused, match="no other version"):
        deployed.levers.plan(workload("rollback"), timeout=10)


def test_somebody_who_deploys_meanwhile_keeps_it_from_being_rolled_back(deployed: Site) -> None:
    cluster = Cluster(connected(deployed.settings)).within(5)
    found = cluster.workload("deployment", "shop", "checkout")
    known = cluster.revisions(found)
    cluster.scale(found, 4, "other")
    with pytest.raises(Transient, match="409"):
        cluster.roll_back(found, known[1], "mine")


@pytest.mark.parametrize("namespace", ["kube-system", "shop-2"])
def test_other_namespaces_are_left_alone(site: Site, namespace: str) -> None:
    for act in (site.levers.plan, site.levers.run):
        with pytest.raises(Refused, match="namespaces"):
            act(
                workload("restart", namespace=namespace),
                **({"key": "k"} if act == site.levers.run else {}),
                timeout=5,
            )


@pytest.mark.parametrize("fields", [
    {"action": "restart"}, {"action": "drain"}, {"action": "scale"},
    {"action": "scale", "replicas": 1, "add": 1}, {"action": "scale", "kind": "daemonset", "add": 1},
    {"action": "rollback", "kind": "statefulset"}, {"action": "rollback", "minutes": 0},
    {"action": "restart", "name": "a b"}, {"action": "restart", "name": "../x"}, {"action": "delete"},
])  # fmt: skip
def test_parameters_that_say_too_little_or_too_much(fields: dict) -> None:
    base = (
        {}
        if fields in ({"action": "restart"}, {"action": "drain"})
        else {"namespace": "shop", "name": "checkout"}
    )
    with pytest.raises(ValidationError):
        KubernetesParameters.model_validate({**base, **fields})


# -- nodes -------------------------------------------------------------------------------------------


def test_cordon_and_back(site: Site) -> None:
    plan = site.levers.plan(on_node("cordon"), timeout=10)
    assert plan.healthy == 2
    assert site.run(on_node("cordon")).progress == "done"
    assert site.server.nodes["node-1"]["spec"]["unschedulable"] is True
    back = site.levers.inverse(on_node("cordon"), plan)
    assert back is not None
    site.run(back, key="run-2")
    assert site.server.nodes["node-1"]["spec"]["unschedulable"] is False
    assert site.state(on_node("cordon")).progress == "absent"


def test_draining_waits_for_budgets_and_leaves_what_every_node_has(site: Site) -> None:
    site.server.add_pod("web-1", "node-1")
    site.server.add_pod("web-2", "node-1")
    site.server.add_pod("agent-1", "node-1", owner="DaemonSet")
    site.server.add_pod("elsewhere", "node-2")
    site.server.add_pod("finished", "node-1", owner="", phase="Succeeded")
    site.server.held_back["web-2"] = 2
    assert "Its 2 pods" in site.levers.plan(on_node("drain"), timeout=10).effect
    assert site.run(on_node("drain")).progress == "done"
    assert {name for _, name in site.server.pods} == {"agent-1", "elsewhere", "finished"}


def test_a_drain_that_a_budget_holds_up_goes_on_running(site: Site) -> None:
    site.server.add_pod("web-1", "node-1")
    site.server.held_back["web-1"] = 10_000
    assert site.run(on_node("drain"), timeout=1).progress == "running"
    assert site.state(on_node("drain")).detail == "1 pods are still on node-1."


def test_pods_that_nothing_would_start_anew_keep_a_node_from_being_drained(site: Site) -> None:
    site.server.add_pod("lonely", "node-1", owner="")
    with pytest.raises(Refused, match="lonely"):
        site.levers.plan(on_node("drain"), timeout=10)


def test_nodes_are_touched_only_where_the_settings_say_so(site: Site) -> None:
    settings = site.settings.model_copy(update={"nodes": False})
    with pytest.raises(Refused, match=r"kubernetes\.nodes"):
        KubernetesLevers(settings, lambda: Cluster(connected(settings))).run(
            on_node("drain"), key="k", timeout=5
        )


# -- what can go wrong -------------------------------------------------------------------------------


def test_what_is_not_there_and_what_is_not_allowed_are_sentences(site: Site) -> None:
    with pytest.raises(Permanent, match="no such object"):
        site.run(workload("restart", name="other"))
    site.server.forbidden.add("PATCH")
    with pytest.raises(Permanent, match="role"):
        site.levers.plan(workload("restart"), timeout=10)


def test_somebody_faster_is_worth_another_try(site: Site) -> None:
    cluster = Cluster(connected(site.settings)).within(5)
    found = cluster.workload("deployment", "shop", "checkout")
    cluster.scale(found, 4, "other")
    with pytest.raises(Transient, match="409"):
        cluster.scale(found, 5, "mine")


def test_a_cluster_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    sock = listening()
    url = address(sock)
    sock.close()
    settings = KubernetesExecutor(kubeconfig=kubeconfig(tmp_path, url), namespaces=("shop",))
    with pytest.raises(Transient, match="did not answer"):
        Cluster(connected(settings)).within(2).workload("deployment", "shop", "checkout")


def test_credentials_that_are_missing_are_told(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="kubeconfig"):
        connected(KubernetesExecutor(kubeconfig=tmp_path / "none"))


def test_without_the_client_the_extra_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kubernetes", None)
    with pytest.raises(Permanent, match=r"signalbox\[kubernetes\]"):
        connected(site.settings)
