"""`views.*`."""

from typing import Any

from integrations.sandbox.slack import limits
from integrations.sandbox.slack.call import Call, SlackError, missing
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.drafts import view_body
from integrations.sandbox.slack.model import View
from integrations.sandbox.slack.shapes import view_json

Answer = dict[str, Any]


def open_view(desk: Desk, call: Call) -> Answer:
    body = _new_body(desk, call)
    user = desk.triggers.exchange(call.require("trigger_id"))
    return _answer(desk.workspace.open_view(user, body, push=False))


def push(desk: Desk, call: Call) -> Answer:
    body = _new_body(desk, call)
    user = desk.triggers.exchange(call.require("trigger_id"))
    return _answer(push_view(desk, user, body))


def push_view(desk: Desk, user: str, body: dict[str, Any]) -> View:
    depth = len(desk.workspace.stack(user))
    if depth == 0:
        raise SlackError("not_found")
    if depth >= limits.VIEW_STACK:
        raise SlackError("push_limit_reached")
    return desk.workspace.open_view(user, body, push=True)


def update(desk: Desk, call: Call) -> Answer:
    body = view_body(call)
    view = _wanted(desk, call)
    expected = call.text("hash")
    if expected is not None and expected != view.hash:
        raise SlackError("hash_conflict")
    return _answer(desk.workspace.update_view(view, body))


def publish(desk: Desk, call: Call) -> Answer:
    body = view_body(call)
    if body["type"] != "home":
        raise SlackError("invalid_arguments", ["must be `home` [json-pointer:/view/type]"])
    user = desk.workspace.user(call.require("user_id"))
    known = desk.workspace.state.homes.get(user.id)
    expected = call.text("hash")
    if expected is not None and known is not None and expected != known.hash:
        raise SlackError("hash_conflict")
    return _answer(desk.workspace.publish_home(user.id, body))


def _new_body(desk: Desk, call: Call) -> dict[str, Any]:
    body = view_body(call)
    if body["type"] != "modal":
        raise SlackError("invalid_arguments", ["must be `modal` [json-pointer:/view/type]"])
    external_id = body.get("external_id")
    if external_id and any(v.body.get("external_id") == external_id for v in desk.workspace.all_views()):
        raise SlackError("duplicate_external_id")
    return body


def _wanted(desk: Desk, call: Call) -> View:
    view_id, external_id = call.text("view_id"), call.text("external_id")
    if view_id is None and external_id is None:
        raise missing("view_id or external_id")
    for view in desk.workspace.all_views():
        if view.id == view_id or (external_id and view.body.get("external_id") == external_id):
            return view
    raise SlackError("not_found")


def _answer(view: View) -> Answer:
    return {"view": view_json(view)}
