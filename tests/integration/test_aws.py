"""deploy/aws: Terraform's own checks, and the release against moto's AWS."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

pytestmark = pytest.mark.integration
FOLDER = Path(__file__).parents[2] / "deploy" / "aws"
REGION = "eu-central-1"
VPC = {"CidrBlock": "10.0.0.0/16"}


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("aws_release", FOLDER / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["aws_release"] = module
    spec.loader.exec_module(module)
    return module


aws = _module()
AT_ONCE = aws.Patience(health=0.0, step=0.0, look=0.0, sleep=lambda _: None)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What Terraform would have made: blue has two web nodes, one worker and all traffic; green is off."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        _made()
        yield aws.Stack("signalbox", REGION)


def _made() -> None:
    ec2, elb = boto3.client("ec2", REGION), boto3.client("elbv2", REGION)
    vpc = ec2.create_vpc(**VPC)["Vpc"]["VpcId"]
    zones = [f"{REGION}a", f"{REGION}b"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(zones)
    ]
    targets = {
        colour: elb.create_target_group(Name=f"signalbox-{colour}", Protocol="HTTP", Port=8000, VpcId=vpc)[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        for colour in aws.COLOURS
    }
    balancer = elb.create_load_balancer(Name="signalbox", Subnets=subnets)["LoadBalancers"][0][
        "LoadBalancerArn"
    ]
    shares = [
        {"TargetGroupArn": targets["blue"], "Weight": 100},
        {"TargetGroupArn": targets["green"], "Weight": 0},
    ]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}
    certificate = boto3.client("acm", REGION).request_certificate(DomainName="bot.example.com")[
        "CertificateArn"
    ]
    elb.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTPS", Port=443, DefaultActions=[forward],
        Certificates=[{"CertificateArn": certificate}],
    )  # fmt: skip
    _groups(ec2, subnets, targets)
    for colour in aws.COLOURS:
        boto3.client("ssm", REGION).put_parameter(
            Name=f"/signalbox/{colour}/image-tag", Value="1.0", Type="String"
        )
        _alarm(colour, "OK")
    boto3.client("rds", REGION).create_db_instance(
        DBInstanceIdentifier="signalbox", DBInstanceClass="db.t4g.medium", Engine="postgres",
        MasterUsername="signalbox", MasterUserPassword="p" * 32, AllocatedStorage=50,
    )  # fmt: skip


def _groups(ec2: Any, subnets: list[str], targets: dict[str, str]) -> None:
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.create_launch_template(
        LaunchTemplateName="node", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.small"}
    )
    template = {"LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"]}
    for role, nodes in (("web", 2), ("workers", 1)):
        for colour in aws.COLOURS:
            size = nodes if colour == "blue" else 0
            boto3.client("autoscaling", REGION).create_auto_scaling_group(
                AutoScalingGroupName=f"signalbox-{role}-{colour}", LaunchTemplate=template, MinSize=size, MaxSize=6,
                DesiredCapacity=size, VPCZoneIdentifier=",".join(subnets),
                TargetGroupARNs=[targets[colour]] if role == "web" else [],
            )  # fmt: skip


def _alarm(colour: str, state: str) -> None:
    cloudwatch = boto3.client("cloudwatch", REGION)
    name = f"signalbox-{colour}-5xx"
    cloudwatch.put_metric_alarm(
        AlarmName=name, MetricName="HTTPCode_Target_5XX_Count", Namespace="AWS/ApplicationELB", Statistic="Sum",
        Period=60, EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")


def _sizes(stack: Any, colour: str) -> tuple[int, int]:
    return stack.size("web", colour), stack.size("workers", colour)


def _nodes(stack: Any, colour: str) -> set[str]:
    return {node["InstanceId"] for node in stack._group("web", colour)["Instances"]}


def test_a_release_moves_all_traffic_and_keeps_the_way_back(stack: Any) -> None:
    assert aws.release(stack, "1.1", AT_ONCE) == "green"
    assert stack.weights() == {"blue": 0, "green": 100}
    assert (stack.tag("green"), stack.tag("blue")) == ("1.1", "1.0")
    assert _sizes(stack, "green") == (2, 1)
    assert _sizes(stack, "blue") == (2, 0), "the web nodes wait for a rollback"
    kept = boto3.client("rds", REGION).describe_db_snapshots()["DBSnapshots"]
    assert any(each["DBSnapshotIdentifier"].startswith("signalbox-before-1-1-") for each in kept)


def test_the_next_release_starts_fresh_nodes_and_none_with_the_old_image(stack: Any) -> None:
    aws.release(stack, "1.1", AT_ONCE, snapshot=False)
    before = _nodes(stack, "blue")
    assert len(before) == 2
    assert aws.release(stack, "1.2", AT_ONCE, snapshot=False) == "blue"
    assert stack.weights() == {"blue": 100, "green": 0}
    assert _nodes(stack, "blue").isdisjoint(before)


def test_errors_of_the_new_colour_take_the_traffic_back(
    stack: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _alarm("green", "ALARM")
    with pytest.raises(aws.ReleaseError, match="green answers with errors"):
        aws.release(stack, "1.1", AT_ONCE)
    assert stack.weights() == {"blue": 100, "green": 0}
    assert (_sizes(stack, "blue"), _sizes(stack, "green")) == ((2, 1), (0, 0))
    assert "green (1.1) has 10 % of the traffic" in capsys.readouterr().out, "a tenth saw it, not all"


def test_nodes_that_never_become_healthy_get_no_traffic(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = []
    monkeypatch.setattr(
        stack, "in_service", lambda role, colour: 0 if (role, colour) == ("web", "green") else 9
    )
    shift = stack.shift
    monkeypatch.setattr(stack, "shift", lambda weights: (shares.append(dict(weights)), shift(weights)))
    with pytest.raises(aws.ReleaseError, match="green: only 0 of 2 web nodes are healthy"):
        aws.release(stack, "1.1", AT_ONCE)
    assert shares == [{"blue": 100, "green": 0}]
    assert _sizes(stack, "green") == (0, 0)


def test_ctrl_c_goes_back_too(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(aws, "watch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        aws.release(stack, "1.1", AT_ONCE)
    assert stack.weights() == {"blue": 100, "green": 0}


def test_a_rollback_starts_what_was_stopped_and_moves_back(stack: Any) -> None:
    aws.release(stack, "1.1", AT_ONCE)
    assert aws.rollback(stack, AT_ONCE) == "blue"
    assert stack.weights() == {"blue": 100, "green": 0}
    assert (_sizes(stack, "blue"), _sizes(stack, "green")) == ((2, 1), (0, 0))


def test_another_name_is_refused_with_what_to_check(stack: Any) -> None:  # the account is what counts
    with pytest.raises(aws.ReleaseError, match="Check --name and --region"):
        aws.Stack("sygnalbox", REGION).size("web", "blue")


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised copy; the provider comes from Terraform's registry or a mirror that its settings name."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed: developer.hashicorp.com/terraform/install")
    folder = tmp_path_factory.mktemp("terraform") / "aws"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".terraform*"))
    ran = _terraform(folder, "init", "-backend=false", "-input=false")
    if ran.returncode:
        pytest.skip(f"terraform can't get the AWS provider here: {ran.stdout[-300:]}")
    return folder


def _terraform(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", f"-chdir={folder}", *argv],
        capture_output=True, text=True, check=False, timeout=110, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    "argv", [("fmt", "-check", "-recursive"), ("validate",), ("test",)], ids=lambda argv: argv[0]
)
def test_terraform_has_nothing_to_say(terraform: Path, argv: tuple[str, ...]) -> None:
    ran = _terraform(terraform, *argv, "-no-color" if argv[0] != "fmt" else "-diff")
    assert ran.returncode == 0, ran.stdout + ran.stderr
