"""Blue-green release on AWS: start the idle colour, wait for health, move traffic in steps, or go back.

    python deploy/aws/release.py release 1.4.0     # the tag of images web-1.4.0, worker-1.4.0, ml-1.4.0
    python deploy/aws/release.py rollback          # the colour before takes traffic again
    python deploy/aws/release.py status

Needs boto3, typer and the policy that Terraform puts out as `release_policy`. Workers of both colours run
side by side meanwhile; the database's migrations allow it (docs/production.md). Killed in the middle,
`status` tells where it stopped, and `rollback` or another `release` goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import boto3
import botocore.exceptions
import typer

COLOURS = ("blue", "green")
ROLES = ("workers", "web")
"""Workers first: what the new web nodes enqueue finds somebody who knows it."""
STEPS = (10, 50, 100)
"""Percent of the traffic that the new colour gets, one after the other."""
app = typer.Typer(no_args_is_help=True, help="Blue-green release on AWS: release, rollback, status.")
Name = Annotated[str, typer.Option(help="`name` of the Terraform variables.")]
Region = Annotated[str | None, typer.Option(help="Region; that of the AWS profile when left out.")]


class ReleaseError(Exception):
    """The release can't go on; says what stands and what to do."""


def other(colour: str) -> str:
    return COLOURS[1 - COLOURS.index(colour)]


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds: for health, at each step of the traffic, between two looks."""

    health: float = 900.0
    step: float = 120.0
    look: float = 5.0
    sleep: Callable[[float], None] = time.sleep


class Stack:
    """What Terraform made under one name."""

    def __init__(self, name: str, region: str | None = None) -> None:
        session = boto3.Session(region_name=region)
        self.name = name
        self._groups: Any = session.client("autoscaling")
        self._balancer: Any = session.client("elbv2")
        self._alarms: Any = session.client("cloudwatch")
        self._parameters: Any = session.client("ssm")
        self._database: Any = session.client("rds")

    def weights(self) -> dict[str, int]:
        """Colour to its share of the traffic, in percent."""
        arns = self._targets()
        shares = {group["TargetGroupArn"]: group["Weight"] for group in self._forward()["TargetGroups"]}
        return {colour: int(shares.get(arn, 0)) for colour, arn in arns.items()}

    def live(self) -> str:
        """The colour with most of the traffic."""
        weights = self.weights()
        return max(COLOURS, key=lambda colour: weights[colour])

    def shift(self, weights: Mapping[str, int]) -> None:
        arns = self._targets()
        groups = [{"TargetGroupArn": arns[colour], "Weight": weights[colour]} for colour in COLOURS]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        self._balancer.modify_listener(ListenerArn=self._listener()["ListenerArn"], DefaultActions=[action])

    def tag(self, colour: str) -> str:
        """Tag of the images that the colour's nodes start with."""
        found = self._parameters.get_parameter(Name=self._parameter(colour))
        return str(found["Parameter"]["Value"])

    def set_tag(self, colour: str, tag: str) -> None:
        self._parameters.put_parameter(Name=self._parameter(colour), Value=tag, Type="String", Overwrite=True)

    def size(self, role: str, colour: str) -> int:
        return int(self._group(role, colour)["DesiredCapacity"])

    def resize(self, role: str, colour: str, nodes: int) -> None:
        self._groups.update_auto_scaling_group(
            AutoScalingGroupName=f"{self.name}-{role}-{colour}", MinSize=nodes, DesiredCapacity=nodes
        )

    def nodes(self, role: str, colour: str) -> int:
        """Nodes that are there, whatever their state."""
        return len(self._group(role, colour)["Instances"])

    def in_service(self, role: str, colour: str) -> int:
        """Nodes that run and, of the web, answer the balancer's health check."""
        nodes = [
            node for node in self._group(role, colour)["Instances"] if node["LifecycleState"] == "InService"
        ]
        if role != "web":
            return len(nodes)
        told = self._balancer.describe_target_health(TargetGroupArn=self._targets()[colour])
        states = [target["TargetHealth"]["State"] for target in told["TargetHealthDescriptions"]]
        return states.count("healthy")

    def alarmed(self, colour: str) -> bool:
        """Whether the colour answers with errors."""
        names = [f"{self.name}-{colour}-5xx"]
        found = self._alarms.describe_alarms(AlarmNames=names)["MetricAlarms"]
        if not found:
            raise ReleaseError(f"The alarm {names[0]} is missing: nobody would see errors. Apply Terraform.")
        return bool(found[0]["StateValue"] == "ALARM")

    def snapshot(self, tag: str) -> str:
        """Begin a snapshot of the database, for the case that a migration has to be taken back."""
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        made = self._database.create_db_snapshot(
            DBInstanceIdentifier=self.name,
            DBSnapshotIdentifier=f"{self.name}-before-{tag.replace('.', '-')}-{stamp}",
        )
        name = str(made["DBSnapshot"]["DBSnapshotIdentifier"])
        self._database.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier=name)
        return name

    def _parameter(self, colour: str) -> str:
        return f"/{self.name}/{colour}/image-tag"

    def _group(self, role: str, colour: str) -> dict[str, Any]:
        name = f"{self.name}-{role}-{colour}"
        found = self._groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        if not found:
            raise ReleaseError(f"There is no group {name}. Check --name and --region, or apply Terraform.")
        group: dict[str, Any] = found[0]
        return group

    def _targets(self) -> dict[str, str]:
        names = {f"{self.name}-{colour}": colour for colour in COLOURS}
        found = self._balancer.describe_target_groups(Names=list(names))["TargetGroups"]
        return {names[group["TargetGroupName"]]: group["TargetGroupArn"] for group in found}

    def _listener(self) -> dict[str, Any]:
        balancer = self._balancer.describe_load_balancers(Names=[self.name])["LoadBalancers"][0]
        found = self._balancer.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        listener: dict[str, Any] = next(each for each in found if each["Port"] == 443)
        return listener

    def _forward(self) -> dict[str, Any]:
        forward: dict[str, Any] = self._listener()["DefaultActions"][0]["ForwardConfig"]
        return forward


def release(stack: Stack, tag: str, patience: Patience, *, snapshot: bool = True) -> str:
    """Bring the tag to all traffic and return its colour; on any trouble the old colour has it all again."""
    old = stack.live()
    new = other(old)
    if snapshot:
        say(f"The database is kept as {stack.snapshot(tag)}.")
    stop(stack, new)
    gone(stack, new, patience)
    stack.set_tag(new, tag)
    try:
        start(stack, new, like=old, patience=patience)
        for share in STEPS:
            stack.shift({new: share, old: 100 - share})
            say(f"{new} ({tag}) has {share} % of the traffic; watching for {patience.step:.0f} s.")
            watch(stack, new, patience)
    except BaseException:
        say(f"Going back: {old} takes all traffic, {new} is stopped.")
        stack.shift({old: 100, new: 0})
        stop(stack, new)
        raise
    stop_workers(stack, old)
    say(f"{new} ({tag}) has all traffic. {old} keeps its web nodes for a rollback until the next release.")
    return new


def rollback(stack: Stack, patience: Patience) -> str:
    """Give all traffic to the colour that had it before and return it; nodes that are gone are started."""
    bad = stack.live()
    good = other(bad)
    start(stack, good, like=bad, patience=patience)
    stack.shift({good: 100, bad: 0})
    stop(stack, bad)
    say(f"{good} ({stack.tag(good)}) has all traffic again; {bad} is stopped.")
    return good


def start(stack: Stack, colour: str, *, like: str, patience: Patience) -> None:
    """As many fresh nodes as the other colour has; returns when all of them are healthy."""
    for role in ROLES:
        wanted = max(stack.size(role, like), 1)
        stack.resize(role, colour, wanted)
        limit = time.monotonic() + patience.health
        while (ready := stack.in_service(role, colour)) < wanted:
            if time.monotonic() > limit:
                raise ReleaseError(
                    f"{colour}: only {ready} of {wanted} {role} nodes are healthy. {_logs(stack)}"
                )
            patience.sleep(patience.look)
        say(f"{colour}: {wanted} {role} node(s) healthy.")


def watch(stack: Stack, colour: str, patience: Patience) -> None:
    limit = time.monotonic() + patience.step
    while True:
        if stack.alarmed(colour):
            raise ReleaseError(f"{colour} answers with errors. {_logs(stack)}")
        if stack.in_service("web", colour) < stack.size("web", colour):
            raise ReleaseError(
                f"A web node of {colour} became unhealthy. Read the log group /{stack.name}/nodes."
            )
        if time.monotonic() > limit:
            return
        patience.sleep(patience.look)


def stop(stack: Stack, colour: str) -> None:
    for role in ROLES:
        stack.resize(role, colour, 0)


def gone(stack: Stack, colour: str, patience: Patience) -> None:
    """Wait until no node is left: one that stays would take traffic with the old image."""
    limit = time.monotonic() + patience.health
    while left := sum(stack.nodes(role, colour) for role in ROLES):
        if time.monotonic() > limit:
            raise ReleaseError(f"{left} nodes of {colour} do not end. End them by hand, then release again.")
        patience.sleep(patience.look)


def stop_workers(stack: Stack, colour: str) -> None:
    """They end what they have begun; the balancer's nodes stay, for an instant way back."""
    stack.resize("workers", colour, 0)


def _logs(stack: Stack) -> str:
    return f"Read the log group /{stack.name}/nodes."


def say(text: str) -> None:
    typer.echo(f"{datetime.now(UTC):%H:%M:%S} {text}")


@app.command("release")
def release_command(  # the help says it
    tag: Annotated[str, typer.Argument(help="Tag of the images, without `web-`.")],
    name: Name = "signalbox",
    region: Region = None,
    snapshot: Annotated[bool, typer.Option(help="Keep the database's state before.")] = True,  # noqa: FBT002
    watch_seconds: Annotated[float, typer.Option(min=60, help="How long to watch each step.")] = 120.0,
) -> None:
    """Start the idle colour with TAG, move the traffic to it in steps, go back on any trouble."""
    release(Stack(name, region), tag, Patience(step=watch_seconds), snapshot=snapshot)


@app.command("rollback")
def rollback_command(name: Name = "signalbox", region: Region = None) -> None:
    """Give the traffic back to the colour before."""
    rollback(Stack(name, region), Patience())


@app.command()
def status(name: Name = "signalbox", region: Region = None) -> None:
    """Say which colour has which tag, nodes and traffic."""
    stack = Stack(name, region)
    for colour, share in stack.weights().items():
        nodes = ", ".join(
            f"{stack.in_service(role, colour)}/{stack.size(role, colour)} {role}" for role in ROLES
        )
        typer.echo(f"{colour:6} {stack.tag(colour):12} {share:3} % of the traffic, {nodes}")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        try:
            app()
        except (ReleaseError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as exc:
            typer.echo(f"The release stopped: {exc}", err=True)
            raise SystemExit(1) from exc
