"""What people read about models: a challenger beside the champion, a rollback, and who serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.plugin import (
    Actions,
    Button,
    Confirm,
    Header,
    Markup,
    Message,
    Note,
    Section,
    Text,
    join,
    md,
    mention,
)
from ml.churn.shelf import Interval, Model, Promotion, Shelf
from plugins.churn_digest import words
from plugins.churn_digest.candidates import Offer
from plugins.churn_digest.state import Candidate

METRICS = {
    "auc": "AUC",
    "average_precision": "average precision",
    "log_loss": "log-loss (lower is better)",
    "brier": "Brier score (lower is better)",
    "ece": "calibration error (lower is better)",
}
SLACK_USER = "slack:"
_HINT = "New scores come with the next scoring; POST /api/churn/score uses it at once."


def figure(metrics: dict[str, float], intervals: dict[str, Interval], name: str) -> str:
    """One metric with its interval.

    >>> figure({"auc": 0.861}, {"auc": (0.84, 0.88)}, "auc"), figure({}, {}, "auc")
    ('0.861 (0.840 to 0.880)', '-')
    """
    if name not in metrics:
        return "-"
    interval = intervals.get(name)
    return f"{metrics[name]:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def side_by_side(offer: Offer) -> tuple[str, ...]:
    """Both models on the same rows of the newest cut, then how they agreed while both scored."""
    verdict, beside = offer.verdict, offer.beside
    figures = [
        f"{label}: {figure(verdict.challenger, verdict.challenger_intervals, name)}, "
        f"champion {figure(verdict.champion, verdict.champion_intervals, name)}"
        for name, label in METRICS.items()
        if name in verdict.challenger
    ]
    shadow = (
        f"Beside the champion on {words.count(beside.customers, 'customer')} of {words.day(beside.as_of)}: "
        f"{beside.flagged:,} at risk, champion {beside.flagged_by_champion:,}, "
        f"both {beside.flagged_by_both:,}; rank correlation {beside.agreement:.2f}."
    )
    return (*figures, verdict.words, shadow)


def offered(candidate: Candidate) -> Message:
    title = f"Churn: {candidate.name} may replace {candidate.against}"
    lines: list[Text] = [md("*{}* beside the champion *{}*", candidate.name, candidate.against)]
    lines += [md("• {}", line) for line in candidate.lines]
    lines += [became(candidate)] if candidate.state != "ready" else []
    return Message(
        text=title,
        blocks=(
            Header(
                text="A churn model is ready" if candidate.state == "ready" else "A churn model was ready"
            ),
            Section(text=join("\n", lines)),
            *controls(candidate),
            Note(parts=(_source(candidate),)),
        ),
    )


def became(candidate: Candidate) -> Markup:
    """What was decided, by whom, and when."""
    who, at = person(candidate.by), f"{candidate.at:%d %b %Y %H:%M} UTC" if candidate.at else ""
    match candidate.state:
        case "promoted":
            return md(":white_check_mark: Promoted by {}, {}. {}", who, at, _HINT)
        case "kept":
            return md(":no_entry_sign: {} kept the champion, {}.", who, at)
        case "gone":
            return md(":wastebasket: Not to be decided any more: {}", candidate.by)
        case _:
            return md("Nobody has decided yet.")


def person(by: str) -> Markup | str:
    """A mention where the actor is a person of the chat; else as it was written down."""
    return (
        mention(by.removeprefix(SLACK_USER)) if by.startswith(SLACK_USER) else (words.short(by) or "nobody")
    )


def controls(candidate: Candidate) -> Iterator[Actions]:
    """What may be pressed about it as it stands."""
    args = {"model": candidate.name}
    if candidate.state == "ready":
        sure = Confirm(
            title="Promote this model?",
            text=f"{candidate.name} scores all customers from then on. Rolling back is one command.",
            ok="Promote",
        )
        group = f"churn-model:{candidate.name}"
        yield Actions(
            elements=(
                Button(
                    text="Promote", action="promote", args=args, group=group, style="primary", confirm=sure
                ),
                Button(text="Keep", action="keep", args=args, group=group),
            )
        )
    elif candidate.state == "promoted" and not candidate.reviewed:
        yield _review(candidate.change_id, f"churn-model-review:{candidate.name}", candidate.name)


def _review(change_id: str, group: str, model: str = "") -> Actions:
    """The review that a change is owed once it was carried out."""
    args = {"change": change_id, "model": model}
    return Actions(
        elements=(
            Button(text="It went well", action="went-well", args=args, group=group),
            Button(text="It did not", action="went-badly", args=args, group=group),
        )
    )


def _source(candidate: Candidate) -> Markup:
    return md(
        "Model {} · data {} · change {}",
        candidate.digest[:12],
        candidate.data_sha256[:12],
        candidate.change_id,
    )


def question(serving: Model, before: Model, promotion: Promotion | None) -> Message:
    """What a rollback would do, with the button that does it."""
    since = f", promoted {promotion.at[:10]}" if promotion else ""
    title = f"Roll churn back from {serving.name} to {before.name}?"
    lines: list[Text] = [
        md("*{}*", title),
        md("{} serves now{}: {}.", serving.name, since, _in_short(serving)),
        md("{} served before: {}.", before.name, _in_short(before)),
        f"It is an emergency change: it happens at once and is reviewed afterwards. {_HINT}",
    ]
    strip = Actions(elements=(roll_back(serving, before),))
    return Message(text=title, blocks=(Section(text=join("\n", lines)), strip))


def roll_back(serving: Model, before: Model, *, once: bool = True) -> Button:
    sure = Confirm(title="Roll back?", text=f"{before.name} serves again at once.", ok="Roll back")
    args = {"from": serving.name, "to": before.name}
    return Button(text="Roll back", action="rollback", args=args, style="danger", confirm=sure, once=once)


def _in_short(model: Model) -> str:
    return f"AUC {figure(model.metrics, model.intervals, 'auc')} when it was trained on {model.created[:10]}"


def rolled_back(serving: str, before: str, by: str, change_id: str) -> Message:
    title = f"Churn is scored by {before} again, not by {serving}."
    lines: list[Text] = [
        md(":leftwards_arrow_with_hook: *{}*", title),
        md("Rolled back by {}. {}", mention(by), _HINT),
    ]
    return Message(
        text=title,
        severity="warning",
        blocks=(
            Section(text=join("\n", lines)),
            _review(change_id, f"churn-rollback-review:{change_id}"),
            Note(parts=(f"Emergency change {change_id}: say here how it went.",)),
        ),
    )


def listing(shelf: Shelf, waits_for: str, extra: Sequence[Text] = ()) -> Message:
    """Who serves, who waits and why, who served before."""
    if not shelf.models:
        text = "No churn model was trained yet. Run `signalbox churn demo`, or `signalbox churn train`."
        return Message(text=text, blocks=(Section(text=text),))
    lines: list[Text] = [md("*Churn models*")]
    roles = {"serves": shelf.champion, "waits": shelf.challenger, "served before": shelf.before}
    seen: set[str] = set()
    for role, model in roles.items():
        if model is not None and model.name not in seen:
            seen.add(model.name)
            lines.append(_line(role, model, shelf.promotion(model.digest)))
    lines += [waits_for] if waits_for else []
    lines.append(f"{words.count(len(shelf.models), 'model')} in all.")
    return Message(text="Churn models", blocks=(Section(text=join("\n", [*lines, *extra])),))


def _line(role: str, model: Model, promotion: Promotion | None) -> Markup:
    told = md("• *{}* {}: {}, model {}", model.name, role, _in_short(model), model.digest[:12])
    return join("", [told, md(", {}", provenance(promotion))]) if promotion else told


def provenance(promotion: Promotion) -> Markup:
    """When and by whom a model was let serve, and why: the line names the change record."""
    return md(
        "promoted {} by {}: {}", promotion.at[:10], person(promotion.by), words.short(promotion.why, 200)
    )
