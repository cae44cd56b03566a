"""Turns what a person entered on the page into the state values that Slack sends."""

from typing import Any

from integrations.sandbox.slack.blockkit import elements_of

Values = dict[str, dict[str, Any]]

_SELECTED = {
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "users_select": "selected_user",
    "channels_select": "selected_channel",
    "conversations_select": "selected_conversation",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "checkboxes": "selected_options",
    "multi_users_select": "selected_users",
    "multi_channels_select": "selected_channels",
    "multi_conversations_select": "selected_conversations",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}


def is_stateful(element: dict[str, Any]) -> bool:
    return element["type"] not in ("button", "overflow", "image")


def entered(element: dict[str, Any], given: Any) -> dict[str, Any]:
    """`given` is Slack's own shape, or the plain value, or the value(s) of options."""
    kind = str(element["type"])
    field = _SELECTED.get(kind, "value")
    value = given.get(field, given.get("value")) if isinstance(given, dict) and "text" not in given else given
    if field == "selected_option":
        value = _option(element, value)
    elif field == "selected_options":
        value = [_option(element, one) for one in value or []]
    return {"type": kind, field: value}


def carried_state(blocks: list[dict[str, Any]], before: Values) -> Values:
    """A value survives an update when block id and action id stay; other inputs show their initial value."""
    state: Values = {}
    for block, element in elements_of(blocks):
        if is_stateful(element):
            block_id, action_id = block["block_id"], element["action_id"]
            kept = before.get(block_id, {}).get(action_id)
            state.setdefault(block_id, {})[action_id] = kept or entered(element, _initial(element))
    return state


def unanswered(blocks: list[dict[str, Any]], values: Values) -> dict[str, str]:
    """Required inputs without a value; Slack's client keeps such a form from being sent."""
    errors: dict[str, str] = {}
    for block, element in elements_of(blocks):
        if block["type"] != "input" or block.get("optional"):
            continue
        value = values.get(block["block_id"], {}).get(element["action_id"], {})
        if value.get(_SELECTED.get(element["type"], "value")) in (None, "", []):
            errors[block["block_id"]] = "Please complete this required field."
    return errors


def _initial(element: dict[str, Any]) -> Any:
    field = _SELECTED.get(str(element["type"]), "value")
    return element.get("initial_value" if field == "value" else field.replace("selected", "initial"))


def _option(element: dict[str, Any], given: Any) -> Any:
    """The full option for its value; external selects have none to look in."""
    if not isinstance(given, str):
        return given
    groups = element.get("option_groups") or []
    options = [*(element.get("options") or []), *(o for group in groups for o in group["options"])]
    found = next((option for option in options if option["value"] == given), None)
    return found or {"text": {"type": "plain_text", "text": given}, "value": given}
