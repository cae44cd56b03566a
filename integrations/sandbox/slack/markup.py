"""What a person types, as Slack hands it on: escaped, with mentions resolved to ids."""

import re

from integrations.sandbox.slack.links import linked
from integrations.sandbox.slack.workspace import State

_MENTION = re.compile(r"(?<![\w<])([@#])([\w.-]*\w)")
_BRACKETED = re.compile(r"(<[^<>]*>)")
_GIVEN_ID = re.compile(r"&lt;@(\w+)&gt;")


def encode(text: str, state: State, *, labels: bool) -> str:
    """`labels` writes `<@U1|alice>`, as slash commands with escaping do; messages have ids, and links."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = _GIVEN_ID.sub(lambda m: f"<@{m[1]}>" if m[1] in state.users else m[0], escaped)

    def resolve(match: re.Match[str]) -> str:
        found = _channel(match[2], state) if match[1] == "#" else _mention(match[2], state)
        if found is None:
            return match[0]
        prefix, label = found
        return f"<{prefix}|{label}>" if labels and label else f"<{prefix}>"

    parts = _BRACKETED.split(escaped if labels else linked(escaped))
    return "".join(part if at % 2 else _MENTION.sub(resolve, part) for at, part in enumerate(parts))


def _channel(name: str, state: State) -> tuple[str, str] | None:
    for channel in state.channels.values():
        if channel.im_user is None and channel.name == name:
            return f"#{channel.id}", channel.name
    return None


def _mention(name: str, state: State) -> tuple[str, str] | None:
    if name in ("here", "channel", "everyone"):
        return f"!{name}", ""
    for user in state.users.values():
        if user.name == name:
            return f"@{user.id}", user.name
    for group in state.groups.values():
        if group.handle == name:
            return f"!subteam^{group.id}", f"@{group.handle}"
    return None
