"""What plugins do with service records: propose and authorise changes, note events, open incidents.

Every call may be repeated: what is done already is returned as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal, TypeVar

from bot.core.errors import Permanent, Refused, SignalboxError
from bot.core.service_ledger import Circumstances, ServiceLedger, StoredRecord
from bot.core.service_models import (
    MODELS,
    Authorisation,
    Body,
    Change,
    ChangeStatus,
    ChangeType,
    ConfigurationItem,
    EventClass,
    Incident,
    IncidentStatus,
    Level,
    Review,
    Risk,
    ServiceEvent,
    ServiceRequest,
)

EndStatus = Literal["implemented", "failed", "backed_out"]
R = TypeVar("R", bound=Body)
_AUTHORISED = {"authorised", "scheduled", "implementing", "implemented", "failed", "backed_out", "reviewed"}


class Changes:
    """Changes of one plugin, made by whoever the circumstances name.

    Args:
        templates: names of standard changes that the operator has authorised once and for all.
    """

    def __init__(
        self,
        ledger: ServiceLedger,
        by: Circumstances,
        templates: Sequence[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._by = by
        self._templates = templates
        self._clock = clock

    def propose(
        self,
        change_type: ChangeType,
        title: str,
        *,
        reason: str,
        plan: str,
        backout_plan: str,
        key: str = "",
        template: str = "",
        risk: Risk | None = None,
        items: Sequence[ConfigurationItem] = (),
        affected_services: Sequence[str] = ("signalbox",),
        evidence: Mapping[str, Any] | None = None,
        before: Any = None,
        after: Any = None,
        related: Mapping[str, str] | None = None,
        by: str = "",
    ) -> Change:
        """Record that something is to be changed, before it is. `by`: who wants it, where that is another.

        A standard change is authorised by its `template`, an emergency by the emergency rule; both may begin
        at once. A normal one waits, assessed, until somebody other than its initiator authorises it. With the
        same `key` (by default this event and the title) the change is found again, not made twice.

        Raises:
            Refused: the template of a standard change is not among the setting records.templates.
        """
        change = Change(
            change_type=change_type,
            title=title,
            reason=reason,
            plan=plan,
            backout_plan=backout_plan,
            template=template,
            initiator=by or self._by.actor.id,
            risk=risk or Risk(),
            items=tuple(items),
            affected_services=tuple(affected_services),
            evidence=dict(evidence or {}),
            before=before,
            after=after,
            related=dict(related or {}),
            authorisation=self._granted(change_type, template),
        )
        status = "assessed" if change_type == "normal" else "authorised"
        found = self._ledger.open(
            "change", status, _key("change", key, title, self._by), _dump(change), self._by
        )
        return _load(Change, found)

    def _granted(self, change_type: ChangeType, template: str) -> tuple[Authorisation, ...]:
        if change_type == "normal":
            return ()
        if change_type == "emergency":
            rule = Authorisation(authority="emergency rule", decision="approved", at=self._clock())
            return (rule.model_copy(update={"rationale": "Review is due afterwards."}),)
        if template not in self._templates:
            raise Refused(
                f"{template!r} is no pre-authorised standard change here. Propose a normal change, or add it "
                "to the setting records.templates.",
                check="change-template",
            )
        return (Authorisation(authority=f"template {template}", decision="approved", at=self._clock()),)

    def authorise(self, change_id: str, *, approve: bool = True, rationale: str = "", by: str = "") -> Change:
        """Decide about a normal change; `by` is the deciding person, by default who asked for this run.

        Raises:
            Refused: it was decided by its own initiator, or by nobody in particular.
        """
        change = self.get(change_id)
        who = by or (self._by.actor.id if self._by.actor.type == "user" else "")
        if not who or who == change.initiator:
            raise Refused(
                f"The change {change.title!r} needs the word of a person other than {change.initiator}, "
                "who proposed it.",
                check="four-eyes",
            )
        if (approve and change.status in _AUTHORISED) or (not approve and change.ended_as == "rejected"):
            return change
        decision = Authorisation(
            authority=who,
            decision="approved" if approve else "rejected",
            at=self._clock(),
            rationale=rationale,
        )
        changed = {"authorisation": (*change.authorisation, decision)}
        if approve:
            return self._move(change, "authorised", **changed)
        return self._move(change, "closed", **changed, ended_as="rejected")

    def schedule(self, change_id: str, starts_at: datetime, ends_at: datetime) -> Change:
        """Give an authorised change its window."""
        return self._move(self.get(change_id), "scheduled", starts_at=starts_at, ends_at=ends_at)

    def begin(self, change_id: str) -> Change:
        """Say that it is being carried out. Refused before it is authorised."""
        change = self.get(change_id)
        if change.status == "implementing" or change.ended:
            return change
        if change.status not in {"authorised", "scheduled"}:
            raise Refused(
                f"The change {change.title!r} is {change.status}; it may begin once it is authorised.",
                check="authorisation",
            )
        return self._move(change, "implementing")

    def end(
        self, change_id: str, status: EndStatus = "implemented", *, outcome: str = "", after: Any = None
    ) -> Change:
        """Say what came of it. A standard change that went well needs no further word and is closed."""
        change = self.get(change_id)
        if change.status == status or change.status in {"reviewed", "closed"}:
            return change
        told = {
            "ended_as": status,
            "ended_at": self._clock(),
            "outcome": outcome,
            "after": change.after if after is None else after,
        }
        ended = self._move(change, status, **told)
        if status == "implemented" and change.change_type == "standard":
            return self.review(change_id, successful=True, by=f"template {change.template}")
        return ended

    @contextmanager
    def carrying_out(self, change_id: str, *, after: Any = None) -> Iterator[Change]:
        """The step that changes something: begun before it, ended after it; as failed where it raises."""
        change = self.begin(change_id)
        try:
            yield change
        except SignalboxError as exc:
            self.end(change_id, "failed", outcome=str(exc)[:500])
            raise
        self.end(change_id, after=after)

    def review(self, change_id: str, *, successful: bool, lessons: str = "", by: str = "") -> Change:
        """The post-implementation review; it closes the change."""
        change = self.get(change_id)
        if change.status == "closed":
            return change
        word = Review(by=by or self._by.actor.id, at=self._clock(), successful=successful, lessons=lessons)
        reviewed = change if change.status == "reviewed" else self._move(change, "reviewed", review=word)
        return self._move(reviewed, "closed")

    def get(self, change_id: str) -> Change:
        return _load(Change, _known(self._ledger, change_id, "change"))

    def find(self, *, status: ChangeStatus | None = None, limit: int = 100) -> list[Change]:
        """This plugin's changes, newest first."""
        found = self._ledger.find(record_type="change", status=status, plugin=self._by.plugin, limit=limit)
        return [_load(Change, record) for record in found]

    def _move(self, change: Change, status: ChangeStatus, **changed: Any) -> Change:
        told = _dump(change.model_copy(update=changed), only=changed)
        return _load(Change, self._ledger.move(change.id, status, told, self._by))


class ServiceRecords:
    """Events, incidents and requests of one plugin."""

    def __init__(self, ledger: ServiceLedger, by: Circumstances, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._by = by
        self._clock = clock

    def event(
        self,
        event_class: EventClass,
        signal: str,
        title: str,
        *,
        source: str = "",
        value: float | str | None = None,
        threshold: float | str | None = None,
        detail: Mapping[str, Any] | None = None,
        items: Sequence[ConfigurationItem] = (),
        incident: str = "",
        related: Mapping[str, str] | None = None,
        key: str = "",
    ) -> ServiceEvent:
        """Note that something happened which matters, e.g. "batch.scored" or "drift.found"."""
        body = ServiceEvent(
            title=title,
            event_class=event_class,
            source=source or self._by.plugin,
            signal=signal,
            value=value,
            threshold=threshold,
            detail=dict(detail or {}),
            items=tuple(items),
            correlated_incident=incident,
            related=dict(related or {}),
        )
        return self._open("event", "noted", _key("event", key, signal, self._by), body, ServiceEvent)

    def incident(
        self,
        title: str,
        *,
        category: str,
        impact: Level = "medium",
        urgency: Level = "medium",
        caused_by_change: str = "",
        items: Sequence[ConfigurationItem] = (),
        related: Mapping[str, str] | None = None,
        key: str = "",
    ) -> Incident:
        """Open an incident. With the same `key` it is found again."""
        body = Incident(
            title=title,
            category=category,
            impact=impact,
            urgency=urgency,
            detected_by=self._by.actor.id,
            detected_at=self._clock(),
            caused_by_change=caused_by_change,
            items=tuple(items),
            related=dict(related or {}),
        )
        return self._open("incident", "new", _key("incident", key, title, self._by), body, Incident)

    def move_incident(
        self,
        incident_id: str,
        status: IncidentStatus,
        *,
        assignee: str | None = None,
        workaround: str | None = None,
        resolution: str | None = None,
    ) -> Incident:
        known = _load(Incident, _known(self._ledger, incident_id, "incident"))
        if known.status == status:
            return known
        told = {"assignee": assignee, "workaround": workaround, "resolution": resolution}
        changed: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
        if status in {"resolved", "closed"}:
            changed[f"{status}_at"] = self._clock()
        dumped = _dump(known.model_copy(update=changed), only=changed)
        return _load(Incident, self._ledger.move(incident_id, status, dumped, self._by))

    def request(self, title: str, *, answer: str = "", key: str = "") -> ServiceRequest:
        """Note that somebody asked for something; with an `answer` it is fulfilled."""
        body = ServiceRequest(title=title, requester=self._by.actor.id, answer=answer)
        status = "fulfilled" if answer else "requested"
        whole = _key("service_request", key, title, self._by)
        return self._open("service_request", status, whole, body, ServiceRequest)

    def fulfil(self, request_id: str, answer: str) -> ServiceRequest:
        known = _load(ServiceRequest, _known(self._ledger, request_id, "service_request"))
        if known.status == "fulfilled":
            return known
        moved = self._ledger.move(request_id, "fulfilled", {"answer": answer}, self._by)
        return _load(ServiceRequest, moved)

    def _open(self, record_type: str, status: str, key: str, body: Body, model: type[R]) -> R:
        return _load(model, self._ledger.open(record_type, status, key, _dump(body), self._by))


def _key(record_type: str, key: str, title: str, by: Circumstances) -> str:
    """What makes a record the same one: the plugin's own key, else this event and the title."""
    return f"{record_type}/{key}" if key else f"{record_type}/{by.event_id or ''}/{title}"


def _dump(body: Body, only: Mapping[str, Any] | None = None) -> dict[str, Any]:
    include = None if only is None else set(only)
    return body.model_dump(mode="json", exclude={"id", "status"}, include=include)


def _load(model: type[R], record: StoredRecord) -> R:
    return model.model_validate({**record.body, "id": record.id})


def _known(ledger: ServiceLedger, record_id: str, record_type: str) -> StoredRecord:
    found = ledger.get(record_id)
    if found is None or found.type != record_type:
        raise Permanent(f"There is no {record_type} {record_id!r}. `signalbox records list` shows them.")
    return found


def as_model(record: StoredRecord) -> Body:
    """A stored record as the value that it is."""
    return _load(MODELS[record.type], record)
