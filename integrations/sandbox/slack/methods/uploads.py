"""`files.*ExternalUpload`: reserve, send, complete."""

from typing import Any

from integrations.sandbox.slack.call import Call, missing
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.methods.chat import bot_message
from integrations.sandbox.slack.model import File
from integrations.sandbox.slack.shapes import file_json

Answer = dict[str, Any]


def get_upload_url(desk: Desk, call: Call) -> Answer:
    now = int(desk.workspace.clock())
    name, length = call.require("filename"), call.number("length", 0)
    ticket, file_id = desk.files.reserve(name, length, desk.workspace.team.bot_user, now)
    base = desk.options.public_url.rstrip("/")
    return {"upload_url": f"{base}/slack/upload/{ticket}", "file_id": file_id}


def complete_upload(desk: Desk, call: Call) -> Answer:
    wanted = call.objects("files")
    if not wanted or not all(isinstance(one, dict) for one in wanted):
        raise missing("files")
    channel_id = call.text("channel_id") or call.text("channels")
    channel = desk.workspace.channel(channel_id) if channel_id else None
    done = [desk.files.complete(str(w.get("id")), str(w.get("title") or "")) for w in wanted]
    if channel is not None:
        _share(desk, call, channel.id, done)
    desk.workspace.on_change()
    return {"files": [file_json(file, desk.options.public_url) for file in done]}


def _share(desk: Desk, call: Call, channel_id: str, files: list[File]) -> None:
    fields: dict[str, Any] = {"text": call.text("initial_comment") or "", "files": files}
    desk.workspace.post(bot_message(desk, channel_id, fields, thread_ts=call.text("thread_ts")))
