"""Everything the methods work on, gathered by the stand-in's composition root."""

from dataclasses import dataclass

from integrations.sandbox.options import SandboxOptions
from integrations.sandbox.slack.app_manifest import Installed
from integrations.sandbox.slack.callbacks import ResponseUrls, Triggers
from integrations.sandbox.slack.files import Files
from integrations.sandbox.slack.oauth import OAuth
from integrations.sandbox.slack.openid import OpenId
from integrations.sandbox.slack.sockets import Sockets
from integrations.sandbox.slack.workspace import Workspace


@dataclass(frozen=True)
class Desk:
    options: SandboxOptions
    workspace: Workspace
    triggers: Triggers
    response_urls: ResponseUrls
    files: Files
    sockets: Sockets
    app: Installed
    openid: OpenId
    oauth: OAuth
