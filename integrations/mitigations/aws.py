"""Mitigation in AWS: reboot an instance, refresh or resize a group, run an SSM document.

AWS takes no idempotency token for these, so a tag (for documents, the command's comment) says which run was
begun and which was sent. What was begun only may or may not have taken place: a person has to look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bot.core.errors import Refused
from bot.core.executors import Outcome, Parameters, Plan
from bot.core.integration import Services
from bot.core.settings import AwsExecutor
from integrations.mitigations.aws_account import Account, connected

InstanceId = Annotated[str, Field(pattern=r"^i-([0-9a-f]{8}|[0-9a-f]{17})$")]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$")]
_NEEDS = {"reboot": "instance", "refresh": "group", "capacity": "group", "document": "document"}


class AwsParameters(Parameters):
    """`reboot` an instance, `refresh` a group's instances, set its `capacity`, run a `document`."""

    action: Literal["reboot", "refresh", "capacity", "document"]
    instance: InstanceId | None = None
    group: GroupName | None = None
    desired: int | None = Field(None, ge=0, description="Desired capacity of the group.")
    healthy_percent: int = Field(90, ge=0, le=100, description="Share that stays in service in a refresh.")
    document: str | None = Field(None, pattern=r"^[A-Za-z0-9_.:/-]{3,128}$")
    arguments: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="The document's.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if getattr(self, _NEEDS[self.action]) is None:
            raise ValueError(f"{self.action} needs {_NEEDS[self.action]}")
        if self.action == "capacity" and self.desired is None:
            raise ValueError("capacity needs desired")
        if self.action == "document" and self.instance is None:
            raise ValueError("document needs instance")
        return self

    @property
    def target(self) -> str:
        return f"group/{self.group}" if self.group else f"instance/{self.instance}"


class AwsLevers:
    name: ClassVar[str] = "aws"
    Parameters: ClassVar[type[Parameters]] = AwsParameters
    target_kind: ClassVar[str] = "instance"
    repeatable: ClassVar[bool] = False

    def __init__(self, settings: AwsExecutor, connect: Callable[[float], Account]) -> None:
        self._settings = settings
        self._connect = connect

    def plan(self, parameters: AwsParameters, *, timeout: float) -> Plan:
        self._check(parameters)
        account = self._connect(timeout)
        if parameters.group is not None:
            return self._plan_group(account, parameters, parameters.group)
        state = account.instance_state(str(parameters.instance))
        if parameters.action == "reboot":
            account.rehearse_reboot(str(parameters.instance))
            effect = f"The instance {parameters.instance} ({state}) will be rebooted."
        else:
            effect = f"The document {parameters.document} will be run on {parameters.instance} ({state})."
        return Plan(targets=(parameters.target,), effect=effect)

    def _plan_group(self, account: Account, parameters: AwsParameters, name: str) -> Plan:
        group = account.group(name)
        if parameters.action == "capacity":
            if not group.least <= (parameters.desired or 0) <= group.most:
                raise Refused(
                    f"{name} may have {group.least} to {group.most} instances, not {parameters.desired}; "
                    "nothing was changed.",
                    check="dry-run",
                )
            effect = f"{name} will have {parameters.desired} instances instead of {group.desired}."
        else:
            effect = (
                f"The {group.desired} instances of {name} will be replaced; "
                f"{parameters.healthy_percent} % stay in service."
            )
        before = {"desired": group.desired}
        return Plan(targets=(parameters.target,), effect=effect, healthy=group.in_service, before=before)

    def run(self, parameters: AwsParameters, *, key: str, timeout: float) -> Outcome:
        self._check(parameters)
        account = self._connect(timeout)
        match parameters.action:
            case "reboot":
                account.reboot(str(parameters.instance), key)
            case "refresh":
                account.refresh(str(parameters.group), parameters.healthy_percent, key)
            case "capacity":
                account.resize(str(parameters.group), parameters.desired or 0)
            case "document":
                arguments = {name: list(values) for name, values in parameters.arguments.items()}
                account.send(str(parameters.document), str(parameters.instance), arguments, key)
        return Outcome(progress="running", detail="AWS accepted it.")

    def state(self, parameters: AwsParameters, *, key: str, timeout: float) -> Outcome:
        account = self._connect(timeout)
        match parameters.action:
            case "reboot":
                return account.reboot_state(str(parameters.instance), key)
            case "refresh":
                return account.refresh_state(str(parameters.group), key)
            case "capacity":
                return account.size_state(str(parameters.group), parameters.desired or 0)
            case "document":
                return account.command_state(str(parameters.instance), key)

    def inverse(self, parameters: AwsParameters, plan: Plan) -> AwsParameters | None:
        if parameters.action != "capacity":
            return None
        return parameters.model_copy(update={"desired": plan.before["desired"]})

    def _check(self, parameters: AwsParameters) -> None:
        most = self._settings.max_capacity
        if parameters.action == "document" and parameters.document not in self._settings.documents:
            raise Refused(
                f"{parameters.document!r} is not among executors.aws.documents; nothing was run.",
                check="registered",
            )
        if (parameters.desired or 0) > most:
            raise Refused(
                f"{parameters.desired} instances were wanted; executors.aws.max_capacity allows {most}. "
                "Nothing was changed.",
                check="registered",
            )


def connect(services: Services) -> AwsLevers:
    settings = services.settings.executors.aws
    return AwsLevers(settings, lambda timeout: connected(settings, timeout))
