"""Which function answers which method name."""

from collections.abc import Callable
from typing import Any

from integrations.sandbox.slack import seed
from integrations.sandbox.slack.call import Call, SlackError
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.methods import chat, conversations, people, unfurling, uploads, views

Method = Callable[[Desk, Call], dict[str, Any]]


def _api_test(_desk: Desk, call: Call) -> dict[str, Any]:
    if (error := call.text("error")) is not None:
        raise SlackError(error, args=call.args)
    return {"args": call.args}


def _auth_test(desk: Desk, _call: Call) -> dict[str, Any]:
    team = desk.workspace.team
    return {
        "url": desk.options.public_url.rstrip("/") + "/",
        "team": team.name,
        "user": seed.BOT_NAME,
        "team_id": team.id,
        "user_id": team.bot_user,
        "bot_id": team.bot_id,
        "app_id": seed.APP_ID,
        "is_enterprise_install": False,
    }


def _open_connection(desk: Desk, _call: Call) -> dict[str, Any]:
    return {"url": desk.sockets.open_url()}


def _openid_token(desk: Desk, call: Call) -> dict[str, Any]:
    return desk.openid.token(call)


def _oauth_access(desk: Desk, call: Call) -> dict[str, Any]:
    return desk.oauth.access(call)


def _openid_user(desk: Desk, call: Call) -> dict[str, Any]:
    return desk.openid.user_info(call.require("token"))


APP_TOKEN_METHODS = {"apps.connections.open"}
CLIENT_METHODS = {"oauth.v2.access", "openid.connect.token"}
PERSON_METHODS = {"openid.connect.userInfo"}
OPEN_METHODS = {"api.test"}

METHODS: dict[str, Method] = {
    "api.test": _api_test,
    "apps.connections.open": _open_connection,
    "auth.test": _auth_test,
    "chat.delete": chat.delete,
    "chat.getPermalink": chat.get_permalink,
    "chat.postEphemeral": chat.post_ephemeral,
    "chat.postMessage": chat.post_message,
    "chat.unfurl": unfurling.unfurl,
    "chat.update": chat.update,
    "conversations.history": conversations.history,
    "conversations.info": conversations.info,
    "conversations.join": conversations.join,
    "conversations.list": conversations.list_channels,
    "conversations.members": conversations.members,
    "conversations.open": conversations.open_direct,
    "conversations.replies": conversations.replies,
    "files.completeUploadExternal": uploads.complete_upload,
    "files.getUploadURLExternal": uploads.get_upload_url,
    "oauth.v2.access": _oauth_access,
    "openid.connect.token": _openid_token,
    "openid.connect.userInfo": _openid_user,
    "reactions.add": chat.add_reaction,
    "usergroups.list": people.list_groups,
    "usergroups.users.list": people.group_users,
    "users.info": people.user_info,
    "users.list": people.list_users,
    "users.lookupByEmail": people.lookup_by_email,
    "views.open": views.open_view,
    "views.publish": views.publish,
    "views.push": views.push,
    "views.update": views.update,
}
