"""What the Slack app may do and is told of: the manifest asks for it, the health check looks for it."""

from __future__ import annotations

SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:write",
    "links:read",
    "links:write",
    "reactions:read",
    "usergroups:read",
    "users:read",
)
EVENTS = (
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "link_shared",
    "message.channels",
    "reaction_added",
    "reaction_removed",
    "tokens_revoked",
)
