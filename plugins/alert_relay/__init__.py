"""One living message per alert group, with a button that silences it."""

from plugins.alert_relay.plugin import AlertRelay

__all__ = ["AlertRelay"]
