"""The alerts that were posted: taking them in, merging, and resolving them when their time is over."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from integrations.sandbox.alertmanager import clock
from integrations.sandbox.alertmanager.labels import LABEL_NAME, Labels, fingerprint

KEPT_RESOLVED = timedelta(minutes=30)


class Alert(BaseModel):
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    generator_url: str = ""
    timed_out: bool = False
    """The end is a guess (resolve_timeout), as the sender gave none."""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.labels)

    def resolved(self, moment: datetime) -> bool:
        return self.ends_at <= moment


class Invalid(ValueError):
    """The text is Alertmanager's answer."""


class Alerts:
    def __init__(self, resolve_timeout: timedelta) -> None:
        self._resolve_timeout = resolve_timeout
        self._held: dict[str, Alert] = {}

    def restore(self, alerts: list[Alert]) -> None:
        self._held = {alert.fingerprint: alert for alert in alerts}

    def all(self) -> list[Alert]:
        """In the order of their fingerprints, as the API lists them."""
        return [self._held[key] for key in sorted(self._held)]

    def firing(self, moment: datetime) -> list[Alert]:
        return [alert for alert in self.all() if not alert.resolved(moment)]

    def put(self, posted: list[dict[str, Any]], moment: datetime) -> list[Alert]:
        """The valid ones are kept even when others are refused; the refusal comes last."""
        taken, problems = [], []
        for one in posted:
            try:
                taken.append(self._put(self._read(one, moment), moment))
            except Invalid as problem:
                problems.append(str(problem))
        if problems:
            raise PartlyRefused("; ".join(problems), taken)
        return taken

    def forget_old(self, moment: datetime) -> None:
        self._held = {k: a for k, a in self._held.items() if a.ends_at + KEPT_RESOLVED > moment}

    def _read(self, posted: dict[str, Any], moment: datetime) -> Alert:
        labels = {name: value for name, value in posted["labels"].items() if value}
        starts, ends = posted.get("startsAt"), posted.get("endsAt")
        starts_at = clock.parse(starts) if starts else clock.parse(ends) if ends else moment
        ends_at = clock.parse(ends) if ends else moment + self._resolve_timeout
        check(labels, starts_at, ends_at)
        return Alert(
            labels=labels,
            annotations=posted.get("annotations") or {},
            starts_at=starts_at,
            ends_at=ends_at,
            updated_at=moment,
            generator_url=posted.get("generatorURL") or "",
            timed_out=not ends,
        )

    def _put(self, alert: Alert, moment: datetime) -> Alert:
        old = self._held.get(alert.fingerprint)
        if old is not None and overlap(old, alert):
            alert = merged(old, alert, moment)
        self._held[alert.fingerprint] = alert
        return alert


class PartlyRefused(Invalid):
    def __init__(self, problem: str, taken: list[Alert]) -> None:
        super().__init__(problem)
        self.taken = taken


def check(labels: Labels, starts_at: datetime, ends_at: datetime) -> None:
    if not labels:
        raise Invalid("at least one label pair required")
    for name in labels:
        if LABEL_NAME.fullmatch(name) is None:
            raise Invalid(f'invalid label set: invalid name "{name}"')
    if ends_at < starts_at:
        raise Invalid("start time must be before end time")


def overlap(old: Alert, new: Alert) -> bool:
    return old.starts_at < new.ends_at < old.ends_at or old.starts_at <= new.starts_at < old.ends_at


def merged(old: Alert, new: Alert, moment: datetime) -> Alert:
    """One alert over both intervals. An end that the sender gave outlasts a guessed one."""
    ends_at = new.ends_at
    if not new.resolved(moment) and not old.timed_out:
        ends_at = max(ends_at, old.ends_at)
    return new.model_copy(update={"starts_at": min(old.starts_at, new.starts_at), "ends_at": ends_at})
