"""Times as Go prints them: what Alertmanager puts on the wire differs between API and webhook."""

from datetime import UTC, datetime

NEVER = "0001-01-01T00:00:00Z"


def now() -> datetime:
    return datetime.now(UTC)


def parse(text: str) -> datetime:
    """A time without zone is UTC, as Alertmanager reads it."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def milliseconds(moment: datetime) -> str:
    """As the API prints it."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def shortest(moment: datetime | None) -> str:
    """As the webhook prints it: no trailing zeros, and year 1 for "not ended"."""
    if moment is None:
        return NEVER
    moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"
