"""What a sender may put into a message: checked once, for every way to send one."""

import json
from typing import Any

from integrations.sandbox.slack import limits
from integrations.sandbox.slack.blockkit import check_message_blocks, check_view
from integrations.sandbox.slack.call import Call, SlackError, missing


def message_fields(call: Call) -> dict[str, Any]:
    """The content fields that the call names, checked. `no_text` when it names none."""
    fields: dict[str, Any] = {}
    blocks = call.objects("blocks", "invalid_blocks_format")
    attachments = call.objects("attachments", "invalid_attachments")
    if call.args.get("text") is not None:
        fields["text"] = str(call.args["text"])
    if blocks is not None:
        fields["blocks"] = blocks
    if attachments is not None:
        fields["attachments"] = attachments
    if not any(fields.values()):
        raise SlackError("no_text")
    _check(fields)
    return {**fields, **_metadata(call)}


def view_body(call: Call) -> dict[str, Any]:
    view = call.mapping("view")
    if view is None:
        raise missing("view")
    return checked_view(view)


def checked_view(view: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(view)) > limits.VIEW_BYTES:
        raise SlackError("view_too_large")
    problems = check_view(view)
    if problems:
        raise SlackError("invalid_arguments", problems)
    return view


def _check(fields: dict[str, Any]) -> None:
    if len(fields.get("text", "")) > limits.TEXT_HARD_LIMIT:
        raise SlackError("msg_too_long")
    problems = check_message_blocks(fields.get("blocks", []))
    if problems:
        raise SlackError("invalid_blocks", problems, errors=problems)
    if not all(isinstance(attachment, dict) for attachment in fields.get("attachments", [])):
        raise SlackError("invalid_attachments")
    for attachment in fields.get("attachments", []):
        check_attachment_blocks(attachment)


def check_attachment_blocks(attachment: dict[str, Any]) -> None:
    blocks = attachment.get("blocks") or []
    problems = check_message_blocks(blocks) if isinstance(blocks, list) else ["blocks must be an array"]
    if problems:
        raise SlackError("invalid_blocks", problems, errors=problems)


def _metadata(call: Call) -> dict[str, Any]:
    metadata = call.mapping("metadata", "invalid_metadata_format")
    if metadata is None:
        return {"metadata": None} if call.args.get("metadata") in ({}, "{}") else {}
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format", ["metadata needs event_type and event_payload"])
    return {"metadata": metadata}
