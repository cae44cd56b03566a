"""`users.*` and `usergroups.*`."""

from typing import Any

from integrations.sandbox.slack.call import Call, SlackError
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.methods.conversations import paged
from integrations.sandbox.slack.shapes import user_group_json, user_json

Answer = dict[str, Any]


def list_users(desk: Desk, call: Call) -> Answer:
    shown = [user_json(user) for user in desk.workspace.state.users.values()]
    page, cursor = paged(shown, call, default=1000)
    return {
        "members": page,
        "cache_ts": int(desk.workspace.clock()),
        "response_metadata": {"next_cursor": cursor},
    }


def user_info(desk: Desk, call: Call) -> Answer:
    return {"user": user_json(desk.workspace.user(call.require("user")))}


def lookup_by_email(desk: Desk, call: Call) -> Answer:
    email = call.require("email").lower()
    for user in desk.workspace.state.users.values():
        if user.email.lower() == email:
            return {"user": user_json(user)}
    raise SlackError("users_not_found")


def list_groups(desk: Desk, call: Call) -> Answer:
    include = call.flag("include_users")
    groups = desk.workspace.state.groups.values()
    return {"usergroups": [user_group_json(group, include_users=include) for group in groups]}


def group_users(desk: Desk, call: Call) -> Answer:
    group = desk.workspace.state.groups.get(call.require("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": group.users}
