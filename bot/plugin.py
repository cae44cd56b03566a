"""The plugin SDK: everything that a plugin may use, and nothing else.

    class Hello(Plugin):
        name = "hello"

        @command("hello", help="Say hello.")
        def hello(self, command: Command, ctx: Context) -> None:
            ctx.reply(md("Hello {}!", mention(command.user.id)))

Register it in the package's metadata: `[project.entry-points."signalbox.plugins"] hello = "pkg:Hello"`.
"""

from bot.core.context import Context
from bot.core.declare import API_VERSION, Plugin, PluginConfig, action, command, on, schedule, view
from bot.core.errors import Permanent, Refused, Throttled, Transient
from bot.core.events import (
    Alert,
    AlertGroup,
    ChatMessage,
    Click,
    Command,
    Event,
    Hook,
    ReplyTo,
    Submission,
    Tick,
    Ticket,
    TicketEvent,
    User,
)
from bot.core.executors import Executor, Outcome, Parameters, Plan
from bot.core.messages import (
    Actions,
    Button,
    Code,
    Confirm,
    Divider,
    Header,
    Image,
    Input,
    LinkButton,
    Markup,
    Message,
    MessageRef,
    Modal,
    Note,
    Option,
    Section,
    Select,
    Text,
    join,
    link,
    md,
    mention,
)
from bot.core.ports import Alerts, Chat, Health, Matcher, Metrics, Rule, Sample, Series, Silence, Tickets

__all__ = [
    "API_VERSION",
    "Actions",
    "Alert",
    "AlertGroup",
    "Alerts",
    "Button",
    "Chat",
    "ChatMessage",
    "Click",
    "Code",
    "Command",
    "Confirm",
    "Context",
    "Divider",
    "Event",
    "Executor",
    "Header",
    "Health",
    "Hook",
    "Image",
    "Input",
    "LinkButton",
    "Markup",
    "Matcher",
    "Message",
    "MessageRef",
    "Metrics",
    "Modal",
    "Note",
    "Option",
    "Outcome",
    "Parameters",
    "Permanent",
    "Plan",
    "Plugin",
    "PluginConfig",
    "Refused",
    "ReplyTo",
    "Rule",
    "Sample",
    "Section",
    "Select",
    "Series",
    "Silence",
    "Submission",
    "Text",
    "Throttled",
    "Tick",
    "Ticket",
    "TicketEvent",
    "Tickets",
    "Transient",
    "User",
    "action",
    "command",
    "join",
    "link",
    "md",
    "mention",
    "on",
    "schedule",
    "view",
]
