"""Alertmanager's webhook as a source.

Any answer but 2xx or 5xx makes Alertmanager drop the notification after repeating it for ever, so what
is authentic but unreadable is kept as a dead letter and answered 2xx.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from bot.core.errors import Permanent
from bot.core.events import DedupeKey, Delivery, NewEvent, Payload
from bot.core.settings import AlertmanagerSettings
from bot.webhooks import signatures
from integrations.alertmanager.models import Notification

KIND = "alertmanager.group"


class AlertmanagerSource:
    name = "alertmanager"
    overload_status = 503  # Alertmanager drops a notification for good that is answered 429
    max_body = 16_000_000  # a group of 1,000 alerts is 0.4 MB

    def __init__(self, settings: AlertmanagerSettings) -> None:
        self._settings = settings

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # it sends no timestamp
        basic = delivery.headers.get("authorization", "").lower().startswith("basic ")
        if basic and self._settings.username:
            password = signatures.secret_of(self._settings.password, "SIGNALBOX_ALERTMANAGER__PASSWORD")
            signatures.basic(delivery, self._settings.username, password)
            return
        token = signatures.secret_of(self._settings.token, "SIGNALBOX_ALERTMANAGER__TOKEN")
        signatures.bearer(delivery, token)

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002
        try:
            notification = Notification.model_validate_json(delivery.body)
        except ValidationError as exc:
            return NewEvent(
                self.name,
                KIND,
                "unreadable",
                delivery.body,
                dead=f"Not an Alertmanager v4 payload: {_words(exc)}",
            )
        key = DedupeKey(f"alertmanager:{notification.fingerprint()}", self._settings.duplicate_window)
        group = notification.key
        serial = f"alertmanager:{group}"
        return NewEvent(self.name, KIND, group, delivery.body, (key,), serial, actor="alertmanager")

    def parse(self, kind: str, body: bytes) -> Payload:  # noqa: ARG002  # there is one kind
        try:
            return Notification.model_validate_json(body).value()
        except ValidationError as exc:
            raise Permanent(f"Not an Alertmanager v4 payload: {_words(exc)}") from exc


def _words(exc: ValidationError) -> str:
    faults = exc.errors(include_input=False, include_url=False)[:3]
    return "; ".join(f"{'.'.join(map(str, f['loc'])) or 'body'}: {f['msg']}" for f in faults)
