"""Silences: creating, changing and expiring them by Alertmanager's rules."""

from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel

from integrations.sandbox.alertmanager import clock
from integrations.sandbox.alertmanager.labels import (
    LABEL_NAME,
    BadMatcher,
    Labels,
    Matcher,
    check_regex,
    matches_all,
)

SilenceState = Literal["expired", "active", "pending"]
ORDER: dict[SilenceState, int] = {"active": 0, "pending": 1, "expired": 2}


class Silence(BaseModel):
    id: str
    matchers: list[Matcher]
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    created_by: str
    comment: str

    def state(self, moment: datetime) -> SilenceState:
        if moment < self.starts_at:
            return "pending"
        return "active" if moment < self.ends_at else "expired"

    def silences(self, labels: Labels, moment: datetime) -> bool:
        return self.state(moment) == "active" and matches_all(self.matchers, labels)

    def as_json(self, moment: datetime) -> dict[str, Any]:
        return {
            "id": self.id,
            "status": {"state": self.state(moment)},
            "updatedAt": clock.milliseconds(self.updated_at),
            "comment": self.comment,
            "createdBy": self.created_by,
            "endsAt": clock.milliseconds(self.ends_at),
            "matchers": [matcher.model_dump() for matcher in self.matchers],
            "startsAt": clock.milliseconds(self.starts_at),
        }


class BadSilence(ValueError):
    """The text is Alertmanager's answer."""


class UnknownSilence(LookupError):
    pass


class Silences:
    def __init__(self) -> None:
        self._held: dict[str, Silence] = {}

    def restore(self, silences: list[Silence]) -> None:
        self._held = {silence.id: silence for silence in silences}

    def all(self) -> list[Silence]:
        return list(self._held.values())

    def listed(self, matchers: list[Matcher], moment: datetime) -> list[Silence]:
        """Active ones first, the earliest end on top. A filter compares with the silence's own matchers."""
        found = [silence for silence in self._held.values() if _fits(silence, matchers)]
        return sorted(found, key=lambda s: (ORDER[s.state(moment)], s.ends_at, s.id))

    def get(self, silence_id: str) -> Silence:
        if silence_id not in self._held:
            raise UnknownSilence(silence_id)
        return self._held[silence_id]

    def silencing(self, labels: Labels, moment: datetime) -> list[str]:
        return sorted(s.id for s in self._held.values() if s.silences(labels, moment))

    def put(self, body: dict[str, Any], moment: datetime) -> str:
        """Create, or update when `id` is given; the id of what now holds."""
        old = self.get(body["id"]) if body.get("id") else None
        wanted = _read(body, moment)
        if old is None:
            return self._create(wanted, moment)
        if _same_silence(old, wanted, moment):
            starts_at = wanted.starts_at if old.state(moment) == "pending" else old.starts_at
            return self._keep(wanted.model_copy(update={"id": old.id, "starts_at": starts_at}))
        if old.state(moment) != "expired":
            self.expire(old.id, moment)
        return self._create(wanted, moment)

    def expire(self, silence_id: str, moment: datetime) -> None:
        """Expiring twice is no error, as the result is the same."""
        silence = self.get(silence_id)
        if silence.state(moment) == "expired":
            return
        starts_at = min(silence.starts_at, moment)
        self._keep(
            silence.model_copy(update={"starts_at": starts_at, "ends_at": moment, "updated_at": moment})
        )

    def _create(self, wanted: Silence, moment: datetime) -> str:
        starts_at = max(wanted.starts_at, moment)
        return self._keep(wanted.model_copy(update={"id": str(uuid4()), "starts_at": starts_at}))

    def _keep(self, silence: Silence) -> str:
        self._held[silence.id] = silence
        return silence.id


def _read(body: dict[str, Any], moment: datetime) -> Silence:
    starts_at, ends_at = clock.parse(body["startsAt"]), clock.parse(body["endsAt"])
    if ends_at <= starts_at:
        raise BadSilence("Failed to create silence: start time must be before end time")
    if ends_at <= moment:
        raise BadSilence("Failed to create silence: end time can't be in the past")
    matchers = [Matcher.model_validate(matcher) for matcher in body["matchers"]]
    _check(matchers)
    return Silence(
        id="", matchers=matchers, starts_at=starts_at, ends_at=ends_at, updated_at=moment,
        created_by=body["createdBy"], comment=body["comment"],
    )  # fmt: skip


def _check(matchers: list[Matcher]) -> None:
    for position, matcher in enumerate(matchers):
        if LABEL_NAME.fullmatch(matcher.name) is None:
            problem = f'invalid label name "{matcher.name}"'
            raise BadSilence(f"silence invalid: invalid label matcher {position}: {problem}")
        try:
            check_regex(matcher)
        except BadMatcher as exc:
            problem = f'invalid regular expression "{matcher.value}": {exc}'
            raise BadSilence(f"silence invalid: invalid label matcher {position}: {problem}") from exc
    if all(matcher.matches({}) for matcher in matchers):
        raise BadSilence("silence invalid: at least one matcher must not match the empty string")


def _same_silence(old: Silence, wanted: Silence, moment: datetime) -> bool:
    """End, comment and author may change under the same id; the start only while it is to come."""
    if old.matchers != wanted.matchers or old.state(moment) == "expired":
        return False
    if old.state(moment) == "pending":
        return wanted.starts_at >= moment
    return old.starts_at.replace(microsecond=0) == wanted.starts_at.replace(microsecond=0)


def _fits(silence: Silence, matchers: list[Matcher]) -> bool:
    held = {matcher.name: matcher.value for matcher in silence.matchers}
    return all(_filter_fits(matcher, held) for matcher in matchers)


def _filter_fits(matcher: Matcher, held: dict[str, str]) -> bool:
    return matcher.name in held and matcher.matches(held)
