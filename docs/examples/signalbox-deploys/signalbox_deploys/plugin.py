from __future__ import annotations

from pydantic import BaseModel, ValidationError

from bot.plugin import (
    Actions,
    Button,
    Click,
    Context,
    Hook,
    Message,
    Permanent,
    Plugin,
    Section,
    action,
    md,
    on,
)
from signalbox_deploys.config import DeploysConfig


class Deployment(BaseModel):
    """What the pipeline sends."""

    service: str
    version: str
    by: str = "the pipeline"


class Deploys(Plugin[DeploysConfig]):
    name = "deploys"
    api = 1
    Config = DeploysConfig

    @on("generic.deploys")
    def post(self, hook: Hook, ctx: Context) -> None:
        try:
            deployed = Deployment.model_validate(hook.data)
        except ValidationError as exc:
            raise Permanent(
                f"A deployment names service and version: {exc.error_count()} faults. Mend the sender."
            ) from exc
        key = f"deploy:{deployed.service}:{deployed.version}"
        ctx.step("post", ctx.chat.upsert, channel=self.config.channel, key=key, message=_message(deployed))

    @action("good", permission="deploys.judge")
    def good(self, click: Click, ctx: Context) -> str:
        ctx.audit("deploys.judged", str(click.args["key"]), after="good")
        return "looks good"

    @action("bad", permission="deploys.judge")
    def bad(self, click: Click, ctx: Context) -> str:
        ctx.audit("deploys.judged", str(click.args["key"]), after="bad")
        return "looks bad"


def _message(deployed: Deployment) -> Message:
    text = md("*{}* {} was deployed by {}.", deployed.service, deployed.version, deployed.by)
    args = {"key": f"{deployed.service} {deployed.version}"}
    buttons = (
        Button(text="Looks good", action="good", args=args, group="verdict"),
        Button(text="Looks bad", action="bad", args=args, group="verdict"),
    )
    return Message(
        text=f"{deployed.service} {deployed.version}", blocks=(Section(text=text), Actions(elements=buttons))
    )
