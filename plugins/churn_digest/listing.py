"""Answers of `/signalbox churn`: everybody at risk, an owner's accounts, one account, the state of it all."""

from __future__ import annotations

from collections.abc import Iterable

from bot.plugin import Context, Message
from ml.churn.runs import Run, Scored
from plugins.churn_digest import memory, messages, policy, results, scored, words
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.state import Case, Row


def answer(text: str, user: str, config: ChurnDigestConfig, ctx: Context) -> Message | str:
    run = scored.latest(ctx)
    if run is None:
        return scored.NEXT_STEP
    match text.lower():
        case "" | "all":
            return _everybody(run, config, ctx, whole=text != "")
        case "mine":
            names = {owner for owner, slack in config.owners.items() if slack == user}
            return _of_owners(run, names, "you", config, ctx)
        case "status":
            return status(run, ctx)
        case _:
            return _looked_up(text, run, config, ctx)


def _everybody(run: Run, config: ChurnDigestConfig, ctx: Context, *, whole: bool) -> Message:
    cases = memory.cases(ctx)
    rows = [_row(score, cases, run) for score in _at_risk(run, cases, config)]
    worth = words.money(sum(row.value_at_risk for row in rows), run.currency)
    count, day = words.count(len(rows), "customer"), words.day(run.as_of)
    title = f"{count} at risk, {worth} in all, data until {day}"
    return messages.listing(title, rows if whole else rows[: config.most], cases, run.currency)


def _of_owners(run: Run, names: set[str], who: str, config: ChurnDigestConfig, ctx: Context) -> Message | str:
    cases = memory.cases(ctx)
    rows = [_row(score, cases, run) for score in _at_risk(run, cases, config) if score.owner in names]
    if not rows:
        return f"No customer of {who} is at risk. The setting owners says which owner is which Slack user."
    return messages.listing(
        f"{words.count(len(rows), 'customer')} of {who} at risk", rows, cases, run.currency
    )


def _looked_up(text: str, run: Run, config: ChurnDigestConfig, ctx: Context) -> Message | str:
    user = text.removeprefix("<@").partition("|")[0].removesuffix(">")
    names = {owner for owner, slack in config.owners.items() if slack == user} | {text}
    cases = memory.cases(ctx)
    if any(score.owner in names for score in _at_risk(run, cases, config)):
        return _of_owners(run, names, words.short(text), config, ctx)
    score = scored.of_customer(run, text)
    if score is None:
        return (
            f"Neither a customer nor an owner is called {words.short(text)!r} in the scores of "
            f"{words.day(run.as_of)}. Say a customer's id, the beginning of a name, or an owner."
        )
    case = cases.get(score.customer_id)
    if case is not None and case.control:
        return (
            f"{words.short(score.name)} is held out, so that it can be told whether acting helps: "
            "it is scored and shown to nobody."
        )
    since = scored.at_risk_since(ctx, run, [score.customer_id])[score.customer_id]
    row = _row(score, cases, run)
    row = row if case else row.model_copy(update={"since": since})
    return messages.one(row, case, run.currency, run.as_of, config)


def _at_risk(run: Run, cases: dict[str, Case], config: ChurnDigestConfig) -> Iterable[Scored]:
    """Held-out customers are shown to nobody."""
    for score in scored.scores(run):
        if score.probability < run.threshold or policy.in_control(score.customer_id, config.control_share):
            continue
        case = cases.get(score.customer_id)
        if case is None or not case.control:
            yield score


def _row(score: Scored, cases: dict[str, Case], run: Run) -> Row:
    return policy.row_of(score, cases.get(score.customer_id), "new", run)


def status(run: Run, ctx: Context) -> Message:
    digest = memory.newest_digest(ctx)
    part = digest.parts[-1] if digest and digest.parts else None
    last = (
        f"Digest {digest.week}: {words.count(len(part.rows), 'account')}"
        if digest and part
        else "No digest yet"
    )
    return messages.lines(
        f"Churn: data until {words.day(run.as_of)}",
        [
            f"Run {run.run_id} ({run.engine}): {run.customers:,} customers, quality {run.quality}.",
            f"Model {run.model_version} ({run.model_digest[:12]}), data {run.data_hash[:12]}.",
            f"{last}.",
            *results.sentences(memory.cases(ctx).values()),
        ],
    )
