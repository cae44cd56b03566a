"""How the digest looks. Names and reasons are others' words: plain text here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from bot.plugin import Actions, Header, Markup, Message, Note, Section, Text, join, md
from ml.churn.runs import Run, Scored
from ml.churn.shelf import Promotion
from plugins.churn_digest import card, model_messages, words
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.state import Case, Part, Row

PAGE = 15
"""Three blocks an account at most, and Slack shows 50."""
_LISTED = 40


def pages(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows[start : start + PAGE] for start in range(0, len(rows), PAGE)] or [()]


def first_page(
    part: Part,
    week: str,
    rows: Sequence[Row],
    cases: Mapping[str, Case],
    config: ChurnDigestConfig,
    slash: str,
) -> Message:
    """The message in the channel: what it is worth, how earlier warnings turned out, and the accounts."""
    title = f"Customers at risk, week {int(week[-2:])}" + (f", part {part.number}" if part.number > 1 else "")
    head = _headline(part)
    return Message(
        text=f"{title}: {head}",
        blocks=(
            Header(text=title),
            Section(text=join("\n", [md("*{}*", head), *part.results])),
            *_accounts(part, rows, cases, config),
            Note(parts=(_footnote(part, slash),)),
        ),
        priority="low",
    )


def further_page(
    part: Part, rows: Sequence[Row], cases: Mapping[str, Case], config: ChurnDigestConfig, lead: Text
) -> Message:
    return Message(
        text=words.count(len(rows), "account"),
        blocks=(Section(text=lead), *_accounts(part, rows, cases, config)),
        priority="low",
    )


def owner_lead(owner: str, rows: Sequence[Row], part: Part, config: ChurnDigestConfig) -> Markup:
    worth = words.money(sum(row.value_at_risk for row in rows if row.change != "better"), part.currency)
    return md("{}: {}, {} at risk", words.owner(owner, config), words.count(len(rows), "account"), worth)


def owner_list(owner: str, rows: Sequence[Row], part: Part, config: ChurnDigestConfig) -> Message:
    """An owner's accounts by name, in the thread: the controls stand above."""
    lead = owner_lead(owner, rows, part, config)
    lines: list[Text] = [lead, *(_line(row, part.currency) for row in rows)]
    text = f"{words.short(owner)}: {words.count(len(rows), 'account')}"
    return Message(text=text, blocks=(Section(text=join("\n", lines)),), priority="low")


def _line(row: Row, currency: str) -> Markup:
    return md(
        "• *{}* · {} · {}",
        words.short(row.name or row.customer_id),
        words.money(row.value_at_risk, currency),
        words.percent(row.probability),
    )


def _accounts(
    part: Part, rows: Sequence[Row], cases: Mapping[str, Case], config: ChurnDigestConfig
) -> tuple[Section | Actions, ...]:
    found = (card.blocks(row, cases.get(row.customer_id), part.currency, part.as_of, config) for row in rows)
    return tuple(block for blocks in found for block in blocks)


def _headline(part: Part) -> str:
    if not part.rows:
        return "Nothing new this week: nobody is newly at risk, worse or better."
    tally = {name: sum(row.change == name for row in part.rows) for name in ("new", "worse", "better")}
    shown = sum(row.value_at_risk for row in part.rows if row.change != "better")
    changes = ", ".join(f"{number} {name}" for name, number in tally.items() if number)
    accounts = words.count(len(part.rows), "account")
    return f"{accounts}{f' ({changes})' if changes else ''}, {words.money(shown, part.currency)} at risk."


def _footnote(part: Part, slash: str) -> Markup:
    more = f"{words.count(part.left_out, 'more account')} are due and come next; " if part.left_out else ""
    return md(
        "{}{} customers are at risk in all, worth {}. `{} churn all` lists them. "
        "Data until {} · run {} · model {}",
        more,
        part.at_risk,
        words.money(part.value_at_risk, part.currency),
        slash,
        words.day(part.as_of),
        part.run_id,
        part.model_version,
    )


def unclaimed(rows: Sequence[Row], part: Part, config: ChurnDigestConfig) -> Message:
    """The call that nobody took these accounts."""
    who: list[Text] = [words.called(config.escalate_to)] if config.escalate_to else []
    head = md(
        "{} nobody has taken {} for {} hours:",
        join(" ", who),
        words.count(len(rows), "account"),
        f"{config.escalate_hours:g}",
    )
    lines: list[Text] = [
        head,
        *(join(" · ", [_line(row, part.currency), _owner(row, config)]) for row in rows),
    ]
    return Message(
        text=f"Nobody took {words.count(len(rows), 'account')}.", blocks=(Section(text=join("\n", lines)),)
    )


def _owner(row: Row, config: ChurnDigestConfig) -> Text:
    return words.owner(row.owner, config) if row.owner else "no owner"


def listing(title: str, rows: Sequence[Row], cases: Mapping[str, Case], currency: str) -> Message:
    """Many accounts, one line each; the rest is counted."""
    lines: list[Text] = [md("*{}*", title)]
    lines += [_state(row, cases.get(row.customer_id), currency) for row in rows[:_LISTED]]
    if len(rows) > _LISTED:
        lines.append(f"and {len(rows) - _LISTED:,} more")
    return Message(text=title, blocks=(Section(text=join("\n", lines)),))


def _state(row: Row, case: Case | None, currency: str) -> Markup:
    line = join(" · ", [_line(row, currency), words.short(row.customer_id, 40)])
    done = next(iter(card.done(case)), None) if case else None
    return join(" · ", [line, done]) if done else line


def one(row: Row, case: Case | None, currency: str, as_of: date, config: ChurnDigestConfig) -> Message:
    title = f"{words.short(row.name)}: {words.percent(row.probability)} likely to leave"
    return Message(text=title, blocks=card.blocks(row, case, currency, as_of, config))


def facts(row: Row, part: Part) -> tuple[str, ...]:
    """What a reader of the task needs, as plain lines."""
    renewal = f"Renews {words.day(row.renewal)}." if row.renewal else "No renewal date."
    worth = words.money(row.value_at_risk, part.currency)
    return (
        f"{words.percent(row.probability)} likely to leave; {worth} at risk.",
        renewal,
        f"At risk since {words.day(row.since)}. Owner: {words.short(row.owner) or 'none'}.",
        *(f"- {words.short(reason, 300)}" for reason in row.reasons),
    )


def more(score: Scored, run: Run, case: Case | None, promotion: Promotion | None = None) -> Message:
    """All that is known about one account, and where it comes from: data, model, and who approved it."""
    lines: list[Text] = [md("*{}* · {}", words.short(score.name), words.short(score.customer_id, 60))]
    lines.append(_worth(score, run))
    lines += [md("• {}", words.short(reason.text, 300)) for reason in score.reasons]
    if not score.reasons:
        lines.append("Reasons are worked out for the accounts with the most value at risk only.")
    lines += list(card.done(case)) if case else []
    source = md(
        "Data until {} ({}) · run {} · model {} ({})",
        words.day(run.as_of),
        run.data_hash[:12],
        run.run_id,
        run.model_version,
        run.model_digest[:12],
    )
    source = md("{}\nModel {}", source, model_messages.provenance(promotion)) if promotion else source
    section = Section(text=join("\n", lines))
    return Message(text=f"More about {words.short(score.name)}", blocks=(section, Note(parts=(source,))))


def _worth(score: Scored, run: Run) -> Markup:
    return md(
        "{} likely to leave (threshold {}, average {}) · {} a month for {} more months · {} at risk",
        words.percent(score.probability),
        words.percent(run.threshold),
        words.percent(run.base_rate),
        words.money(score.monthly_value, run.currency),
        f"{score.remaining_months:.0f}",
        words.money(score.value_at_risk, run.currency),
    )


def lines(title: str, texts: Sequence[Text]) -> Message:
    return Message(text=title, blocks=(Section(text=join("\n", [md("*{}*", title), *texts])),))
