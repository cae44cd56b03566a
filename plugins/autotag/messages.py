"""How tags and suggestions look. A ticket's words are plain text here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.plugin import (
    Actions,
    Button,
    Markup,
    Message,
    Note,
    Option,
    Section,
    Select,
    Ticket,
    join,
    link,
    md,
)
from plugins.autotag.effort import Category, Drift, Effort
from plugins.autotag.policy import Decision
from plugins.autotag.shadow import Shadowed
from plugins.autotag.similar import Similar

_SUMMARY_LENGTH = 150
NONE = "none"
_CATEGORIES = 10
_SHIFT = 0.25


def message_key(ticket: str) -> str:
    return f"tag:{ticket}"


def applied(ticket: Ticket, decision: Decision, label: str, slugs: Sequence[str]) -> Message:
    line = md(
        ":label: {} tagged *{}* {}\n{}",
        _link(ticket),
        label,
        _percent(decision.confidence),
        _short(ticket.summary),
    )
    others = [slug for slug in slugs if slug not in decision.categories or decision.also]
    wrong = Select(
        placeholder="Wrong? Choose the right one",
        action="correct",
        options=(*_options(others), Option(text="None of these", value=NONE)),
        args={"key": ticket.key, "categories": list(decision.categories)},
        group=f"fix:{ticket.key}:{decision.text_hash}",
    )
    return Message(
        text=f"{ticket.key} tagged {label} {_percent(decision.confidence)}",
        blocks=(
            Section(text=line),
            Note(parts=_about(decision, "")),
            Actions(elements=(wrong,)),
        ),
        severity="good",
        priority="low",
    )


def suggestion(
    ticket: Ticket, decision: Decision, number: int, slugs: Sequence[str], alike: Sequence[Similar] = ()
) -> Message:
    group = f"tag:{ticket.key}:{decision.text_hash}"
    best = decision.best(number)
    buttons = [_choice(ticket, slug, score, group, first=not i) for i, (slug, score) in enumerate(best)]
    others = [slug for slug in slugs if slug not in {offered for offered, _ in best}]
    another = Select(
        placeholder="Another category",
        action="choose",
        options=_options(others),
        args={"key": ticket.key},
        group=group,
    )
    none = Button(text="None of these", action="reject", args={"key": ticket.key}, group=group)
    return Message(
        text=f"{ticket.key}: which category is it?",
        blocks=(
            Section(text=md(":grey_question: {} {}", _link(ticket), _short(ticket.summary))),
            *_alike(alike),
            Note(parts=_about(decision, decision.reason)),
            Actions(elements=(*buttons, another, none)),
        ),
        severity="info",
    )


def _about(decision: Decision, reason: str) -> tuple[str, ...]:
    """Why, the words that spoke for it, its language and priority, and which model said so."""
    said = (
        reason,
        f"because of: {', '.join(decision.words)}" if decision.words else "",
        f"language {decision.language}" if decision.language else "",
        f"priority {decision.priority}" if decision.priority else "",
        f"model {decision.model_version}",
    )
    return (" · ".join(part for part in said if part),)


def _alike(found: Sequence[Similar]) -> tuple[Section, ...]:
    if not found:
        return ()
    lines = [
        md(
            "{} {} {}",
            link(past.url, past.key),
            md("*{}*", past.category) if past.category else "",
            past.summary,
        )
        for past in found
    ]
    return (Section(text=join("\n", [md("Similar:"), *lines])),)


def _options(slugs: Iterable[str]) -> tuple[Option, ...]:
    return tuple(Option(text=slug, value=slug) for slug in slugs)


def _choice(ticket: Ticket, slug: str, score: float, group: str, *, first: bool) -> Button:
    return Button(
        text=f"{slug} {_percent(score)}",
        action="accept",
        args={"key": ticket.key, "category": slug},
        group=group,
        style="primary" if first else "",
    )


def effort(
    found: Effort,
    days: int,
    categories: Sequence[Category] = (),
    drift: Drift | None = None,
    shadowed: Shadowed | None = None,
) -> Message:
    lines = [
        md("*{}* tickets decided, *{}* tagged without asking, *{}* suggested, {} left to people",
           found.decided, found.applied, found.suggested, found.left),
        md("*{}* of those tagged without asking were corrected or undone: {} stood",
           found.corrected, _share(found.applied - found.corrected, found.applied)),
        md("*{}* suggestions were answered, {} with the first choice",
           found.answered, _share(found.accepted, found.answered)),
    ]  # fmt: skip
    saved = _share(found.applied - found.corrected, found.decided)
    return Message(
        text=f"Tags of the last {days} days: {saved} needed nobody",
        blocks=(
            Section(text=md("*Tags of the last {} days*: {} of the tickets needed nobody", days, saved)),
            Section(text=join("\n", list(lines))),
            *_details(categories, drift, shadowed),
            Note(parts=("Counted from decisions and from what people changed; nothing is estimated.",)),
        ),
    )


def _details(
    categories: Sequence[Category], drift: Drift | None, shadowed: Shadowed | None
) -> tuple[Section, ...]:
    """Accuracy by category, whether what comes in has changed, and how a challenger would have done."""
    lines: list[str | Markup] = [
        md("*{}*: {} right", c.name, _share(c.right, c.reviewed)) for c in categories[:_CATEGORIES]
    ]
    if drift is not None:
        word = "shifted" if drift.psi >= _SHIFT else "stable"
        lines.append(
            md("What comes in is {} (PSI {}); most grown: {}", word, f"{drift.psi:.2f}", drift.grown)
        )
    if shadowed is not None:
        right = _share(shadowed.right, shadowed.reviewed)
        lines.append(md("Challenger {} beside it: {} right of what people reviewed", shadowed.version, right))
    return (Section(text=join("\n", lines)),) if lines else ()


def _share(part: int, whole: int) -> str:
    return f"{_percent(part / whole)} ({part} of {whole})" if whole else "nothing yet"


def left(ticket: Ticket, why: str) -> Message:
    return Message(
        text=f"{ticket.key} is not tagged: {why}.",
        blocks=(Section(text=md("{} is not tagged: {}.", _link(ticket), why)),),
    )


def _link(ticket: Ticket) -> Markup:
    return link(ticket.url, ticket.key)


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _short(text: str) -> str:
    return text if len(text) <= _SUMMARY_LENGTH else text[: _SUMMARY_LENGTH - 1] + "…"
