"""Uploads in Slack's three steps, and what they left behind for download."""

import mimetypes
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrations.sandbox.slack.call import SlackError
from integrations.sandbox.slack.model import File

MAX_BYTES = 50 * 1024 * 1024


@dataclass
class _Ticket:
    file: File
    content: bytes | None = None


class Files:
    """Contents live beside the snapshot, or in memory when nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._tickets: dict[str, _Ticket] = {}
        self._memory: dict[str, bytes] = {}
        self._known: dict[str, File] = {}

    def reserve(self, name: str, length: int, user: str, now: int) -> tuple[str, str]:
        """The upload ticket and the file's id."""
        if not 0 < length <= MAX_BYTES:
            raise SlackError("invalid_arguments", [f"length must be between 1 and {MAX_BYTES}"])
        file_id = "F" + secrets.token_hex(5).upper()
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = File(id=file_id, name=name, size=length, user=user, created=now, mimetype=kind)
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = _Ticket(file)
        return ticket, file_id

    def receive(self, ticket: str, content: bytes) -> File:
        reserved = self._tickets.get(ticket)
        if reserved is None:
            raise SlackError("file_not_found")
        if len(content) != reserved.file.size:
            raise SlackError("file_upload_size_mismatch")
        reserved.content = content
        return reserved.file

    def complete(self, file_id: str, title: str) -> File:
        ticket = next((key for key, held in self._tickets.items() if held.file.id == file_id), None)
        if ticket is None or self._tickets[ticket].content is None:
            raise SlackError("file_not_found")
        held = self._tickets.pop(ticket)
        file = held.file.model_copy(update={"title": title or held.file.name})
        self._known[file.id] = file
        self._store(file_id, held.content or b"")
        return file

    def content(self, file_id: str) -> tuple[File, bytes]:
        file = self._known.get(file_id)
        if file is None:
            raise SlackError("file_not_found")
        if self._folder is None:
            return file, self._memory[file_id]
        return file, (self._folder / file_id).read_bytes()

    def dump(self) -> dict[str, Any]:
        return {file_id: file.model_dump() for file_id, file in self._known.items()}

    def load(self, dumped: dict[str, Any]) -> None:
        known = {file_id: File.model_validate(value) for file_id, value in dumped.items()}
        folder = self._folder
        self._known = {k: v for k, v in known.items() if folder is not None and (folder / k).is_file()}

    def _store(self, file_id: str, content: bytes) -> None:
        if self._folder is None:
            self._memory[file_id] = content
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / file_id).write_bytes(content)
