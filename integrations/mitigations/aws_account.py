"""An AWS account through boto3: what is asked of it, and what became of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from bot.core.errors import Permanent, Refused, SignalboxError, Transient
from bot.core.executors import Outcome, Progress
from bot.core.settings import AwsExecutor

TAG = "signalbox:run"
_BEGUN, _SENT = "begun", "sent"
_REFRESH: dict[str, Progress] = {
    "Successful": "done",
    "Failed": "failed",
    "Cancelled": "failed",
    "RollbackFailed": "failed",
    "RollbackSuccessful": "failed",
}
_COMMAND: dict[str, Progress] = {
    "Success": "done",
    "Cancelled": "failed",
    "Failed": "failed",
    "TimedOut": "failed",
}
_OURS = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"}
_DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthFailure"}


class Group(NamedTuple):
    """An Auto Scaling group."""

    desired: int
    least: int
    most: int
    in_service: int
    run: str


def connected(settings: AwsExecutor, timeout: float) -> Account:
    try:
        import boto3  # noqa: PLC0415  # heavy, and not installed everywhere
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError as exc:
        raise Permanent("The executor 'aws' needs boto3. Install it: pip install 'signalbox[aws]'.") from exc
    # One attempt: what was cut off is looked for, not repeated behind our back.
    config = Config(connect_timeout=timeout, read_timeout=timeout, retries={"total_max_attempts": 1})
    try:
        session = boto3.Session(region_name=settings.region or None)
        return Account(*(session.client(name, config=config) for name in ("ec2", "autoscaling", "ssm")))
    except BotoCoreError as exc:
        raise Permanent(f"AWS can't be used as it is set up: {exc} Set executors.aws.region.") from exc


class Account:
    def __init__(self, ec2: Any, autoscaling: Any, ssm: Any) -> None:
        self._ec2 = ec2
        self._groups = autoscaling
        self._ssm = ssm

    # -- instances ---------------------------------------------------------------------------------

    def instance_state(self, instance: str) -> str:
        return str(self._instance(instance)["State"]["Name"])

    def rehearse_reboot(self, instance: str) -> None:
        """AWS answers a rehearsal that would go well with an error of its own."""
        try:
            with _translated(f"rehearse a reboot of {instance}"):
                self._ec2.reboot_instances(InstanceIds=[instance], DryRun=True)
        except Permanent as exc:
            if _code(exc.__cause__) != "DryRunOperation":
                raise

    def reboot(self, instance: str, key: str) -> None:
        with _translated(f"reboot {instance}"):
            self._tag(instance, f"{_BEGUN} {key}")
            self._ec2.reboot_instances(InstanceIds=[instance])
            self._tag(instance, f"{_SENT} {key}")

    def reboot_state(self, instance: str, key: str) -> Outcome:
        mark, _, of = _tags(self._instance(instance)).get(TAG, "").partition(" ")
        if of != key:
            return Outcome(progress="absent")
        if mark == _BEGUN:
            return Outcome(progress="unknown", detail="It was begun; whether AWS got it, AWS can't tell.")
        with _translated(f"read the status of {instance}"):
            answer = self._ec2.describe_instance_status(InstanceIds=[instance])
        found = answer["InstanceStatuses"]
        status = found[0]["InstanceStatus"]["Status"] if found else "initializing"
        progress: Progress = "done" if status == "ok" else "failed" if status == "impaired" else "running"
        return Outcome(progress=progress, detail=f"Its status checks say {status}.")

    def _instance(self, instance: str) -> dict[str, Any]:
        with _translated(f"read {instance}"):
            found = self._ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        if not found:
            raise Permanent(f"There is no instance {instance} in this region.")
        return dict(found[0]["Instances"][0])

    def _tag(self, instance: str, value: str) -> None:
        self._ec2.create_tags(Resources=[instance], Tags=[{"Key": TAG, "Value": value}])

    # -- groups ------------------------------------------------------------------------------------

    def group(self, name: str) -> Group:
        with _translated(f"read the group {name}"):
            found = self._groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        if not found["AutoScalingGroups"]:
            raise Permanent(f"There is no Auto Scaling group {name} in this region.")
        group = found["AutoScalingGroups"][0]
        serving = sum(instance["LifecycleState"] == "InService" for instance in group["Instances"])
        run = _tags(group).get(TAG, "")
        return Group(group["DesiredCapacity"], group["MinSize"], group["MaxSize"], serving, run)

    def refresh(self, name: str, healthy_percent: int, key: str) -> None:
        preferences = {"MinHealthyPercentage": healthy_percent}
        with _translated(f"refresh the group {name}"):
            self._tag_group(name, f"{_BEGUN} {key}")
            made = self._groups.start_instance_refresh(AutoScalingGroupName=name, Preferences=preferences)
            self._tag_group(name, f"{made['InstanceRefreshId']} {key}")

    def refresh_state(self, name: str, key: str) -> Outcome:
        refresh, _, of = self.group(name).run.partition(" ")
        if of != key:
            return Outcome(progress="absent")
        if refresh == _BEGUN:
            return Outcome(progress="unknown", detail="It was begun; whether AWS got it, AWS can't tell.")
        with _translated(f"read the refresh of {name}"):
            found = self._groups.describe_instance_refreshes(
                AutoScalingGroupName=name, InstanceRefreshIds=[refresh]
            )["InstanceRefreshes"]
        status = found[0]["Status"] if found else "unknown"
        done = found[0].get("PercentageComplete", 0) if found else 0
        return Outcome(progress=_REFRESH.get(status, "running"), detail=f"{status}, {done} % replaced.")

    def resize(self, name: str, desired: int) -> None:
        """Setting the same capacity again changes nothing."""
        with _translated(f"resize the group {name}"):
            self._groups.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=desired)

    def size_state(self, name: str, desired: int) -> Outcome:
        group = self.group(name)
        if group.desired != desired:
            return Outcome(progress="absent")
        detail = f"{group.in_service} of {desired} instances are in service."
        return Outcome(progress="done" if group.in_service == desired else "running", detail=detail)

    def _tag_group(self, name: str, value: str) -> None:
        kept = {"ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
        tag = {"ResourceId": name, "Key": TAG, "Value": value, **kept}
        self._groups.create_or_update_tags(Tags=[tag])

    # -- documents ---------------------------------------------------------------------------------

    def send(self, document: str, instance: str, arguments: Mapping[str, list[str]], key: str) -> None:
        with _translated(f"run {document} on {instance}"):
            self._ssm.send_command(
                DocumentName=document,
                InstanceIds=[instance],
                Parameters=dict(arguments),
                Comment=_comment(key),
            )

    def command_state(self, instance: str, key: str) -> Outcome:
        with _translated(f"list the commands of {instance}"):
            found = self._ssm.list_commands(InstanceId=instance)["Commands"]
        ours = next((command for command in found if command["Comment"] == _comment(key)), None)
        if ours is None:
            return Outcome(progress="absent")
        progress = _COMMAND.get(ours["Status"], "running")
        return Outcome(progress=progress, detail=f"SSM says {ours['Status']}.")


def _comment(key: str) -> str:
    """At most 100 characters."""
    return f"signalbox {key}"[:100]


def _tags(resource: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", ())}


@contextmanager
def _translated(what: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415

    try:
        yield
    except ClientError as exc:
        raise _error(what, exc) from exc
    except NoCredentialsError as exc:
        raise Permanent(f"No AWS credentials were found to {what}: give the worker a role or a key.") from exc
    except BotoCoreError as exc:
        raise Transient(f"AWS did not answer when asked to {what}: {type(exc).__name__}.") from exc


def _code(exc: BaseException | None) -> str:
    response: Mapping[str, Any] = getattr(exc, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _error(what: str, exc: Any) -> SignalboxError:
    code, status = _code(exc), exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _OURS or status >= 500:
        return Transient(f"AWS answered {code} when asked to {what}.")
    if code in _DENIED:
        return Permanent(f"AWS does not let us {what} ({code}): check the role's policy.")
    if code == "InstanceRefreshInProgress":
        return Refused(
            f"AWS is refreshing this group already; asked to {what}, it did nothing.", check="once"
        )
    return Permanent(f"AWS refused to {what} ({code}): {exc.response['Error'].get('Message', '')[:300]}")
