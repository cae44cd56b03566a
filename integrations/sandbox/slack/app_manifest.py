"""The app as its manifest describes it: what Slack reads when an app is made from one."""

from pathlib import Path

import structlog
from pydantic import BaseModel, Field, ValidationError

log = structlog.get_logger()


class Shortcut(BaseModel):
    name: str
    type: str
    callback_id: str
    description: str = ""


class Features(BaseModel):
    shortcuts: list[Shortcut] = Field(default_factory=list)
    unfurl_domains: list[str] = Field(default_factory=list)


class AppManifest(BaseModel):
    features: Features = Features()


class Installed:
    """`file` holds what `signalbox manifest` prints; it is read anew whenever it has changed."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known = (0, 0)
        self._manifest = AppManifest()

    @property
    def features(self) -> Features:
        if self._file is not None and self._file.exists():  # it comes while the product starts
            self._follow(self._file)
        return self._manifest.features

    def _follow(self, file: Path) -> None:
        found = file.stat()
        if (seen := (found.st_mtime_ns, found.st_size)) != self._known:
            self._known = seen
            self._read(file)

    def _read(self, file: Path) -> None:
        try:
            self._manifest = AppManifest.model_validate_json(file.read_bytes())
        except ValidationError as exc:
            log.warning("sandbox.manifest_refused", path=str(file), reason=str(exc))

    def message_shortcuts(self) -> list[Shortcut]:
        return [shortcut for shortcut in self.features.shortcuts if shortcut.type == "message"]
