"""Half a year of made-up customers: weekly scores, digests by the real rules, what people did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.demo import Effect, Stage
from bot.demo.stage import PEOPLE
from ml.churn import runs
from ml.churn.runs import Reason, Run, Scored
from plugins.churn_digest import outcomes, policy, results, trend
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.state import Case, Digest, Outcome, OutcomeKind, Part, Row, Snooze, TicketLink

PLUGIN, MODEL = "churn-digest", "demo"
_WEEKS, _CUSTOMERS = 26, 48
_THRESHOLD, _CURRENCY = 0.5, "EUR"
_OWNERS = ("alice@example.com", "bob@example.com", "carol@example.com")
_SEGMENTS = ("enterprise", "mid-market", "small business")
_FIRST = (
    "Amber", "Birch", "Brightwater", "Cobalt", "Dune", "Elder", "Fjord", "Granite", "Harbour", "Iris",
    "Juniper", "Kestrel",
)  # fmt: skip
_LAST = ("Foods", "Energy", "Analytics", "& Sons")
_REASONS = (
    ("logins_trend", "logins fell {}% against their 8-week mean", (28, 74)),
    ("open_tickets", "{} open tickets, usually 0", (2, 6)),
    ("seats_used", "{} of 30 seats are used", (5, 14)),
    ("invoice_late_days", "the last invoice is {} days late", (9, 40)),
    ("reports_trend", "reports fell by {}% against last month", (30, 85)),
    ("admin_idle_days", "no admin signed in for {} days", (12, 45)),
)
_ACTS = {"assign": 0.3, "snooze": 0.1, "ticket": 0.15, "nothing": 0.45}
_ENDS: dict[OutcomeKind, float] = {"saved": 0.5, "churned": 0.3, "false_alarm": 0.2}
_TOLD = 0.35
"""How often somebody records an outcome."""
_TICKET = "https://jira.example.com/browse/"


@dataclass
class _Customer:
    number: int
    name: str
    start: float
    slope: float
    monthly: float
    renews_in: int
    """Days after the newest run."""
    reasons: tuple[Reason, ...]

    @property
    def id(self) -> str:
        return f"DEMO-{1000 + self.number}"


@dataclass
class _Told:
    """What is known by then."""

    config: ChurnDigestConfig = field(default_factory=ChurnDigestConfig)
    cases: dict[str, Case] = field(default_factory=dict)
    gone: dict[str, datetime] = field(default_factory=dict)
    """When customers left."""


def make_up(stage: Stage) -> None:
    customers, told = list(_customers(stage)), _Told()
    monday = (stage.now - timedelta(days=stage.now.weekday())).replace(
        hour=9, minute=0, second=0, microsecond=0
    )
    last = monday if monday <= stage.now else monday - timedelta(weeks=1)
    for ago in reversed(range(_WEEKS)):
        at = last - timedelta(weeks=ago)
        here = [customer for customer in customers if told.gone.get(customer.id, at) >= at]
        scores = sorted(
            (_scored(stage, customer, ago, at) for customer in here), key=lambda s: -s.value_at_risk
        )
        run = runs.write(stage.data_dir / "churn", _run(at, ago, len(scores)), scores)
        _post(stage, run, scores, at, told)
    for case in told.cases.values():
        documents = stage.documents(PLUGIN, case.shown_at or stage.now)
        documents.put(f"case:{case.customer_id}", case.model_dump(mode="json"), durable=False)


def _customers(stage: Stage) -> Iterator[_Customer]:
    chance = stage.chance
    for number in range(_CUSTOMERS):
        reasons = tuple(
            Reason(feature=name, text=text.format(chance.randint(*span)), direction="raises", impact=impact)
            for impact, (name, text, span) in zip((0.8, 0.5, 0.3), chance.sample(_REASONS, 3), strict=True)
        )
        yield _Customer(
            number, f"{_FIRST[number % len(_FIRST)]} {_LAST[number // len(_FIRST)]}",
            chance.uniform(0.05, 0.5), chance.gauss(0.05, 0.22), float(chance.randint(3, 48) * 50),
            chance.randint(10, 340), reasons,
        )  # fmt: skip


def _scored(stage: Stage, customer: _Customer, ago: int, at: datetime) -> Scored:
    share = 1 - ago / _WEEKS
    drawn = customer.start + customer.slope * share + stage.chance.gauss(0, 0.03)
    probability = min(0.93, max(0.02, drawn))
    renewal = at.date() + timedelta(weeks=ago, days=customer.renews_in)
    months = max(1.0, (renewal - at.date()).days / 30)
    return Scored(
        customer_id=customer.id, name=customer.name, segment=_SEGMENTS[customer.number % 3],
        owner=_OWNERS[customer.number % 3], probability=probability,
        band="high" if probability >= _THRESHOLD else "low", monthly_value=customer.monthly,
        remaining_months=months, value_at_risk=probability * customer.monthly * months, renewal=renewal,
        reasons=customer.reasons,
    )  # fmt: skip


def _run(at: datetime, ago: int, customers: int) -> Run:
    return Run(
        run_id=f"{at.date()}-{ago:08x}", as_of=at.date(), created_at=at - timedelta(hours=3), engine="local",
        model_version=MODEL, model_digest="0" * 64, data_hash="0" * 64, base_rate=0.14,
        threshold=_THRESHOLD, currency=_CURRENCY, customers=customers, quality="passed",
        notes=("Made up by `signalbox demo seed`.",),
    )  # fmt: skip


def _post(stage: Stage, run: Run, scores: list[Scored], at: datetime, told: _Told) -> None:
    """The digest of a week, as the plugin would have chosen it, and what people did with it."""
    _settle(run, told)
    week = policy.week_of(at.date())
    found = policy.select(run, scores, told.cases, Digest(week=week), told.config, at)
    event = stage.event(
        at, "schedule.tick", f"{PLUGIN}.post", f"{PLUGIN}.post", actor="schedule",
        effects=(Effect("page-1", "SlackChat.upsert"), Effect("trend", "SlackChat.upload")),
    )  # fmt: skip
    part = Part(
        number=1, event_id=event or "", run_id=run.run_id, as_of=run.as_of, threshold=run.threshold,
        model_version=MODEL, currency=run.currency, channel=told.config.channel, posted_at=at,
        rows=found.rows, left_out=found.left_out, at_risk=found.at_risk, value_at_risk=found.value_at_risk,
        results=results.sentences(told.cases.values()),
    )  # fmt: skip
    documents = stage.documents(PLUGIN, at)
    documents.put(f"digest:{week}", Digest(week=week, parts=(part,)).model_dump(mode="json"), durable=False)
    total = trend.Total(
        run_id=run.run_id, as_of=run.as_of, at_risk=found.at_risk, value_at_risk=found.value_at_risk,
        currency=run.currency,
    )  # fmt: skip
    documents.put(f"run:{run.run_id}", total.model_dump(mode="json"), durable=False)
    for row in found.rows:
        known = told.cases.get(row.customer_id)
        seen = policy.shown(known, row, part, week, told.config)
        told.cases[row.customer_id] = _treated(stage, seen, row, at, told)


def _settle(run: Run, told: _Told) -> None:
    """What the data says by now of earlier warnings."""
    for key, case in told.cases.items():
        if policy.is_due(case, run, told.config.outcome_days):
            left = key in told.gone and told.gone[key].date() < run.as_of
            told.cases[key] = case.model_copy(update={"left": left})


def _treated(stage: Stage, case: Case, row: Row, at: datetime, told: _Told) -> Case:
    """What somebody did within days, and how it ended weeks later, as far as that is past."""
    chance, by = stage.chance, stage.chance.choice(PEOPLE)
    done_at = at + timedelta(hours=chance.uniform(1, 60))
    act = chance.choices(tuple(_ACTS), weights=tuple(_ACTS.values()))[0]
    if done_at < stage.now and row.change != "better":
        case = _act(stage, case, act, by, done_at)
    ended_at = at + timedelta(days=chance.uniform(20, 60))
    if ended_at >= stage.now or case.outcome is not None or chance.random() >= _TOLD:
        return case
    kind = chance.choices(tuple(_ENDS), weights=tuple(_ENDS.values()))[0]
    if kind == "churned":
        told.gone[case.customer_id] = ended_at
    data = {"customer_id": case.customer_id, "outcome": kind, "recorded_at": ended_at.isoformat(), "by": by,
            "run_id": case.run_id, "treated": case.is_treated}  # fmt: skip
    _note(stage, ended_at, by, outcomes.KIND, case, data)
    return case.model_copy(update={"outcome": Outcome(kind=kind, by=by, at=ended_at)})


def _act(stage: Stage, case: Case, act: str, by: str, at: datetime) -> Case:
    match act:
        case "assign":
            _note(stage, at, by, act, case, {"to": by})
            return case.model_copy(update={"assignee": by})
        case "snooze":
            _note(stage, at, by, act, case, {"weeks": 4})
            return case.model_copy(update={"snooze": Snooze(until=at + timedelta(weeks=4), by=by)})
        case "ticket":
            key = f"DEMO-{900 + stage.chance.randint(0, 99)}"
            _note(stage, at, by, act, case, {"ticket": key})
            return case.model_copy(update={"ticket": TicketLink(key=key, url=_TICKET + key)})
        case _:
            return case


def _note(stage: Stage, at: datetime, by: str, kind: str, case: Case, data: dict[str, object]) -> None:
    event = stage.event(
        at, "slack.action", f"{PLUGIN}:{kind}", f"{PLUGIN}.{kind}", actor=by,
        effects=(Effect("show", "SlackChat.upsert"),),
    )  # fmt: skip
    stage.records(PLUGIN, at, event).append(kind, case.customer_id, {"by": by, **data}, durable=False)
    stage.audit(at, by, f"churn.{kind}", case.customer_id, after=data, event_id=event)
