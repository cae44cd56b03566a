"""Which accounts a digest mentions, and why. Pure: values in, values out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ml.churn.runs import Run, Scored
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.state import Case, Change, Digest, Part, Row

BETTER_AT_MOST = 3
"""Good news may take so many places of a digest and no more."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`rows` are to be shown; `held_out` are due but belong to the control group."""

    rows: tuple[Row, ...]
    held_out: tuple[Scored, ...]
    left_out: int
    at_risk: int
    value_at_risk: float


def week_of(at: date) -> str:
    """The ISO week, such as 2026-W48."""
    year, week, _ = at.isocalendar()
    return f"{year}-W{week:02}"


def in_control(customer_id: str, share: float) -> bool:
    """Whether a customer is held out: drawn once by a hash, so the same in every run and on every node."""
    drawn = int.from_bytes(hashlib.sha256(f"churn-control:{customer_id}".encode()).digest()[:8], "big")
    return drawn < share * 2**64


def select(
    run: Run,
    scores: Iterable[Scored],
    cases: Mapping[str, Case],
    digest: Digest,
    config: ChurnDigestConfig,
    now: datetime,
) -> Selection:
    """What is due and was not in this week's digest, most value at risk first."""
    due: list[tuple[Row, Scored]] = []
    better: list[Row] = []
    at_risk, value = 0, 0.0
    for score in scores:
        risky = score.probability >= run.threshold
        at_risk, value = at_risk + risky, value + (score.value_at_risk if risky else 0.0)
        case = _of(cases.get(score.customer_id), config)
        change = change_of(score, case, run, config, now) if case or risky else None
        if change is None or score.customer_id in digest.shown or not _wanted(score, config):
            continue
        row = row_of(score, case, change, run)
        if change == "better":
            better.append(row)
        else:
            due.append((row, score))
    rows, held, left = _chosen(due, better, _places(digest, config), config.control_share, cases)
    return Selection(tuple(rows), tuple(held), left, at_risk, value)


def _places(digest: Digest, config: ChurnDigestConfig) -> int:
    return max(0, config.most - sum(len(part.rows) for part in digest.parts))


def _chosen(
    due: list[tuple[Row, Scored]], better: list[Row], places: int, share: float, cases: Mapping[str, Case]
) -> tuple[list[Row], list[Scored], int]:
    """The rows, the held-out, and how many are left for later.

    Customers are held out on the way down the same list, so both groups are worth alike.
    """
    due.sort(key=lambda pair: -pair[0].value_at_risk)
    better.sort(key=lambda row: -((row.before or 0.0) - row.probability) * row.monthly_value)
    good = better[: min(BETTER_AT_MOST, max(places - len(due), places // 5))]
    rows: list[Row] = []
    held: list[Scored] = []
    for row, score in due:
        if len(rows) == places - len(good):
            break
        if row.customer_id not in cases and in_control(row.customer_id, share):
            held.append(score)
        else:
            rows.append(row)
    return rows + good, held, len(due) + len(better) - len(rows) - len(held) - len(good)


def _of(case: Case | None, config: ChurnDigestConfig) -> Case | None:
    """The case, unless it was held out and the control group is smaller now: then it is a new one."""
    released = case is not None and case.control and not in_control(case.customer_id, config.control_share)
    return None if released else case


def change_of(
    score: Scored, case: Case | None, run: Run, config: ChurnDigestConfig, now: datetime
) -> Change | None:
    """What is new about a customer since people last saw it; None keeps it out of the digest."""
    risky = score.probability >= run.threshold
    if case is None:
        return "new" if risky else None
    if case.control or (case.outcome and case.outcome.kind == "churned"):
        return None
    if case.snooze is not None:
        return "snooze-over" if risky and case.snooze.until <= now else None
    if risky and score.probability - case.probability >= config.change:
        return "worse"
    if case.outcome is not None:
        return None
    return _quieter_change(score, case, risky, run, config)


def _quieter_change(
    score: Scored,
    case: Case,
    risky: bool,  # noqa: FBT001  # a fact
    run: Run,
    config: ChurnDigestConfig,
) -> Change | None:
    if case.at_risk and (not risky or case.probability - score.probability >= config.change):
        return "better"
    if risky and not case.at_risk:
        return "new"
    if risky and renews_soon(score.renewal, run.as_of, config) and case.renewal != score.renewal:
        return "renewal"
    return None


def renews_soon(renewal: date | None, as_of: date, config: ChurnDigestConfig) -> bool:
    return renewal is not None and as_of <= renewal <= as_of + timedelta(days=config.renewal_days)


def _wanted(score: Scored, config: ChurnDigestConfig) -> bool:
    fits = not config.segments or score.segment in config.segments
    return fits and score.value_at_risk >= config.least_value


def row_of(score: Scored, case: Case | None, change: Change, run: Run) -> Row:
    return Row(
        customer_id=score.customer_id,
        name=score.name,
        segment=score.segment,
        owner=score.owner,
        change=change,
        probability=score.probability,
        before=case.probability if case else None,
        monthly_value=score.monthly_value,
        remaining_months=score.remaining_months,
        value_at_risk=score.value_at_risk,
        renewal=score.renewal,
        reasons=tuple(reason.text for reason in score.reasons[:3]),
        since=(case.risky_since or case.since) if case else run.as_of,
    )


def held_out(score: Scored, run: Run, now: datetime) -> Case:
    """A customer of the control group: flagged, and shown to nobody."""
    return Case(
        customer_id=score.customer_id,
        name=score.name,
        owner=score.owner,
        since=run.as_of,
        flagged_at=now,
        run_id=run.run_id,
        control=True,
        drawn=True,
        probability=score.probability,
    )


def shown(case: Case | None, row: Row, part: Part, week: str, config: ChurnDigestConfig) -> Case:
    """The case once its row stands in a digest; a warning after an outcome opens a new episode."""
    if case is not None and (case.week, case.part) == (week, part.number):
        return case
    soon = row.renewal if renews_soon(row.renewal, part.as_of, config) else None
    seen = {
        "name": row.name,
        "owner": row.owner,
        "week": week,
        "part": part.number,
        "shown_at": part.posted_at,
        "run_id": part.run_id,
        "probability": row.probability,
        "at_risk": row.probability >= part.threshold,
        "renewal": soon or (case.renewal if case else None),
        "escalated": "",
        "risky_since": row.since,
    }
    if case is not None and case.outcome is None and not case.control:
        return case.model_copy(update={**seen, "snooze": None})
    past = (*case.past, case.model_copy(update={"past": ()})) if case else ()
    return Case.model_validate(
        {
            "customer_id": row.customer_id,
            "episode": len(past) + 1,
            "since": part.as_of,
            "flagged_at": part.posted_at,
            "past": past,
            "drawn": config.control_share > 0 and not past,
            **seen,
        }
    )


def opened(score: Scored, run: Run, now: datetime) -> Case:
    """The case of a customer whom a person looked up before any digest showed them."""
    return Case(
        customer_id=score.customer_id,
        name=score.name,
        owner=score.owner,
        since=run.as_of,
        flagged_at=now,
        run_id=run.run_id,
        probability=score.probability,
        at_risk=score.probability >= run.threshold,
    )


def is_due(case: Case, run: Run, outcome_days: int) -> bool:
    """Whether the data can tell by now what became of a warning."""
    return case.left is None and run.as_of >= case.since + timedelta(days=outcome_days)


def observed(case: Case | None, left: bool) -> Case | None:  # noqa: FBT001  # a fact
    """The case with what the data says: whoever is scored still, stayed."""
    return case.model_copy(update={"left": left}) if case and case.left is None else case


def is_unclaimed(case: Case, now: datetime, after: timedelta) -> bool:
    """Whether nobody did anything about a shown warning for too long."""
    waiting = case.shown_at is not None and case.at_risk and not case.control
    late = case.shown_at is not None and now - case.shown_at >= after
    return waiting and late and not case.is_claimed and not case.escalated
