"""The JSON shapes in which Slack shows users, channels, messages and views."""

from typing import Any

from integrations.sandbox.slack import seed
from integrations.sandbox.slack.model import Channel, File, Message, User, UserGroup, View


def user_json(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "team_id": user.team,
        "name": user.name,
        "real_name": user.real_name,
        "deleted": False,
        "is_admin": user.is_admin,
        "is_owner": user.is_admin,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "tz": "Etc/UTC",
        "profile": {
            "real_name": user.real_name,
            "display_name": user.name,
            "email": user.email,
            "title": user.title,
        },
    }


def user_group_json(group: UserGroup, *, include_users: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": group.id,
        "team_id": group.team,
        "is_usergroup": True,
        "handle": group.handle,
        "name": group.name,
        "description": "",
        "date_delete": 0,
        "user_count": len(group.users),
    }
    return {**shown, "users": group.users} if include_users else shown


def channel_json(channel: Channel) -> dict[str, Any]:
    if channel.im_user is not None:
        return {"id": channel.id, "is_im": True, "user": channel.im_user, "is_archived": False}
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": True,
        "is_im": False,
        "is_private": False,
        "is_archived": False,
        "is_general": channel.name == "general",
        "is_member": seed.TEAMS[channel.team].bot_user in channel.members,
        "num_members": len(channel.members),
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": channel.purpose, "creator": "", "last_set": 0},
    }


def file_json(file: File, public_url: str) -> dict[str, Any]:
    url = f"{public_url.rstrip('/')}/slack/files/{file.id}"
    return {
        **file.model_dump(),
        "title": file.title or file.name,
        "url_private": url,
        "url_private_download": url,
        "permalink": url,
    }


def message_json(message: Message, public_url: str, *, metadata: bool = True) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": "message",
        "user": message.user,
        "ts": message.ts,
        "text": message.text,
        "team": message.team,
        **{name: value for name in _OPTIONAL if (value := getattr(message, name))},
    }
    if message.files:
        shown["files"] = [file_json(file, public_url) for file in message.files]
    if message.reactions:
        shown["reactions"] = [{**r.model_dump(), "count": len(r.users)} for r in message.reactions]
    if metadata and message.metadata:
        shown["metadata"] = message.metadata
    if message.broadcast:
        shown["subtype"] = "thread_broadcast"
    return shown


_OPTIONAL = ("blocks", "attachments", "thread_ts", "edited", "bot_id", "app_id")


def thread_json(replies: list[Message]) -> dict[str, Any]:
    """What a parent message says of its thread."""
    if not replies:
        return {}
    return {
        "thread_ts": replies[0].thread_ts,
        "reply_count": len(replies),
        "reply_users": list(dict.fromkeys(reply.user for reply in replies)),
        "reply_users_count": len({reply.user for reply in replies}),
        "latest_reply": replies[-1].ts,
    }


def view_json(view: View) -> dict[str, Any]:
    return {
        "private_metadata": "",
        "callback_id": "",
        "external_id": "",
        "clear_on_close": False,
        "notify_on_close": False,
        "title": None,
        "submit": None,
        "close": None,
        **view.body,
        "id": view.id,
        "team_id": view.team,
        "app_installed_team_id": view.team,
        "app_id": seed.APP_ID,
        "bot_id": seed.TEAMS[view.team].bot_id,
        "hash": view.hash,
        "root_view_id": view.root_view_id,
        "previous_view_id": view.previous_view_id,
        "state": {"values": view.state},
    }
