"""The aws executor: boto3 against moto, and against recorded shapes where moto knows no such call."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws
from pydantic import ValidationError

from bot.core.errors import Permanent, Refused, Transient
from bot.core.executors import Outcome
from bot.core.settings import AwsExecutor
from integrations.mitigations.aws import AwsLevers, AwsParameters
from integrations.mitigations.aws_account import TAG, Account, connected

pytestmark = pytest.mark.integration
REGION = "eu-central-1"
SETTINGS = AwsExecutor(region=REGION, documents=("AWS-RunShellScript",), max_capacity=5)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


@pytest.fixture
def levers() -> AwsLevers:
    return AwsLevers(SETTINGS, lambda timeout: connected(SETTINGS, timeout))


@pytest.fixture
def image() -> str:
    return boto3.client("ec2", REGION).describe_images(Owners=["amazon"])["Images"][0]["ImageId"]


@pytest.fixture
def instance(image: str) -> str:
    made = boto3.client("ec2", REGION).run_instances(ImageId=image, MinCount=1, MaxCount=1)
    return made["Instances"][0]["InstanceId"]


@pytest.fixture
def group(image: str) -> str:
    client = boto3.client("autoscaling", REGION)
    client.create_launch_configuration(LaunchConfigurationName="web", ImageId=image, InstanceType="t3.micro")
    client.create_auto_scaling_group(
        AutoScalingGroupName="web", LaunchConfigurationName="web", MinSize=1, MaxSize=4,
        DesiredCapacity=2, AvailabilityZones=[f"{REGION}a"],
    )  # fmt: skip
    return "web"


def asking(action: str, **fields: Any) -> AwsParameters:
    return AwsParameters.model_validate({"action": action, **fields})


def run(levers: AwsLevers, parameters: AwsParameters, key: str = "run-1") -> Outcome:
    return levers.run(parameters, key=key, timeout=5)


def state(levers: AwsLevers, parameters: AwsParameters, key: str = "run-1") -> str:
    return levers.state(parameters, key=key, timeout=5).progress


# -- reboot ------------------------------------------------------------------------------------------


def test_a_reboot_is_rehearsed_done_and_found_again(levers: AwsLevers, instance: str) -> None:
    asked = asking("reboot", instance=instance)
    plan = levers.plan(asked, timeout=5)
    assert plan.targets == (f"instance/{instance}",)
    assert "running" in plan.effect
    assert state(levers, asked) == "absent"
    assert run(levers, asked).progress == "running"
    assert state(levers, asked) == "done"
    assert state(levers, asked, "another") == "absent"
    assert levers.inverse(asked, plan) is None


def test_a_reboot_that_was_only_begun_is_for_a_person_to_judge(levers: AwsLevers, instance: str) -> None:
    tags = [{"Key": TAG, "Value": "begun run-1"}]
    boto3.client("ec2", REGION).create_tags(Resources=[instance], Tags=tags)
    assert state(levers, asking("reboot", instance=instance)) == "unknown"


def test_an_instance_that_is_not_there_is_told(levers: AwsLevers) -> None:
    with pytest.raises(Permanent, match="InvalidInstanceID"):
        levers.plan(asking("reboot", instance="i-0123456789abcdef0"), timeout=5)


# -- groups ------------------------------------------------------------------------------------------


def test_a_groups_capacity_there_and_back(levers: AwsLevers, group: str) -> None:
    asked = asking("capacity", group=group, desired=3)
    plan = levers.plan(asked, timeout=5)
    assert plan.effect == "web will have 3 instances instead of 2."
    assert plan.healthy == 2
    assert state(levers, asked) == "absent"
    run(levers, asked)
    assert state(levers, asked) == "done"
    back = levers.inverse(asked, plan)
    assert back is not None
    run(levers, back, "run-2")
    assert state(levers, back, "run-2") == "done"
    assert levers.plan(asked, timeout=5).before == {"desired": 2}


def test_more_than_the_group_or_the_settings_allow_is_refused(levers: AwsLevers, group: str) -> None:
    with pytest.raises(Refused, match="1 to 4"):
        levers.plan(asking("capacity", group=group, desired=5), timeout=5)
    with pytest.raises(Refused, match="max_capacity"):
        run(levers, asking("capacity", group=group, desired=6))


def test_a_group_that_is_not_there_is_told(levers: AwsLevers) -> None:
    with pytest.raises(Permanent, match="no Auto Scaling group"):
        levers.plan(asking("capacity", group="none", desired=1), timeout=5)


class Refreshing:
    """A group in the shapes that AWS documents; moto has no instance refreshes."""

    def __init__(self) -> None:
        clients = [boto3.client(name, REGION) for name in ("ec2", "autoscaling", "ssm")]
        self.stub = Stubber(clients[1])
        self.stub.activate()
        account = Account(*clients)
        self.levers = AwsLevers(SETTINGS, lambda _: account)
        self.asked = asking("refresh", group="web", healthy_percent=75)

    def tagged(self, value: str) -> None:
        tag = {"ResourceId": "web", "Key": TAG, "Value": value, "ResourceType": "auto-scaling-group",
               "PropagateAtLaunch": False}  # fmt: skip
        self.stub.add_response("create_or_update_tags", {}, {"Tags": [tag]})

    def described(self, run: str) -> None:
        found = {
            "AutoScalingGroupName": "web", "MinSize": 1, "MaxSize": 4, "DesiredCapacity": 2,
            "DefaultCooldown": 300, "AvailabilityZones": ["a"], "HealthCheckType": "EC2",
            "CreatedTime": 0, "Instances": [], "Tags": [{"Key": TAG, "Value": run}],
        }  # fmt: skip
        self.stub.add_response(
            "describe_auto_scaling_groups",
            {"AutoScalingGroups": [found]},
            {"AutoScalingGroupNames": ["web"]},
        )


def test_a_refresh_is_started_once_and_known_by_its_id() -> None:
    site = Refreshing()
    site.tagged("begun run-1")
    site.stub.add_response(
        "start_instance_refresh",
        {"InstanceRefreshId": "refresh-7"},
        {"AutoScalingGroupName": "web", "Preferences": {"MinHealthyPercentage": 75}},
    )
    site.tagged("refresh-7 run-1")
    assert run(site.levers, site.asked).progress == "running"
    site.stub.assert_no_pending_responses()


@pytest.mark.parametrize(("status", "progress"), [
    ("Pending", "running"), ("InProgress", "running"), ("Successful", "done"), ("Failed", "failed"),
    ("Cancelled", "failed"),
])  # fmt: skip
def test_what_became_of_a_refresh(status: str, progress: str) -> None:
    site = Refreshing()
    site.described("refresh-7 run-1")
    site.stub.add_response(
        "describe_instance_refreshes",
        {"InstanceRefreshes": [{"Status": status, "PercentageComplete": 50}]},
        {"AutoScalingGroupName": "web", "InstanceRefreshIds": ["refresh-7"]},
    )
    assert state(site.levers, site.asked) == progress


@pytest.mark.parametrize(
    ("run_tag", "progress"), [("begun run-1", "unknown"), ("refresh-7 other", "absent"), ("", "absent")]
)
def test_a_refresh_that_was_only_begun_or_never(run_tag: str, progress: str) -> None:
    site = Refreshing()
    site.described(run_tag)
    assert state(site.levers, site.asked) == progress


@pytest.mark.parametrize(("code", "status", "error"), [
    ("InstanceRefreshInProgress", 400, Refused), ("AccessDenied", 403, Permanent),
    ("Throttling", 400, Transient), ("ServiceUnavailable", 503, Transient),
])  # fmt: skip
def test_what_aws_says_no_to(code: str, status: int, error: type[Exception]) -> None:
    site = Refreshing()
    site.tagged("begun run-1")
    site.stub.add_client_error("start_instance_refresh", code, http_status_code=status)
    with pytest.raises(error):
        run(site.levers, site.asked)


# -- documents ---------------------------------------------------------------------------------------


def test_a_document_is_found_again_by_the_runs_key(levers: AwsLevers, instance: str) -> None:
    asked = asking(
        "document",
        instance=instance,
        document="AWS-RunShellScript",
        arguments={"commands": ["systemctl restart web"]},
    )
    assert state(levers, asked) == "absent"
    run(levers, asked)
    assert state(levers, asked) == "done"
    assert state(levers, asked, "another") == "absent"


def test_only_listed_documents_are_run(levers: AwsLevers, instance: str) -> None:
    with pytest.raises(Refused, match="documents"):
        run(levers, asking("document", instance=instance, document="AWS-StopEC2Instance"))


# -- all of them -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [
    {"action": "reboot"}, {"action": "reboot", "instance": "web-1"}, {"action": "capacity", "group": "web"},
    {"action": "document", "document": "AWS-RunShellScript"}, {"action": "terminate", "instance": "i-12345678"},
    {"action": "refresh", "group": "web", "healthy_percent": 101},
])  # fmt: skip
def test_parameters_that_say_too_little_or_something_else(fields: dict) -> None:
    with pytest.raises(ValidationError):
        AwsParameters.model_validate(fields)


def test_a_missing_region_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(Permanent, match=r"executors\.aws\.region"):
        connected(AwsExecutor(), 1)


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Permanent, match=r"signalbox\[aws\]"):
        connected(SETTINGS, 1)
