"""What people are told about the champion: it got worse, its numbers do not add up, customers changed."""

from __future__ import annotations

from bot.plugin import Message, Note, Section, Text, join, md
from ml.churn.seen import Finding, Look
from plugins.churn_digest import words

_TITLES = {
    "degradation": "The churn model ranks customers worse than when it was promoted.",
    "calibration": "The churn model's probabilities do not add up any more.",
    "outdone": "The churn model that served before would have told better who leaves.",
    "drift": "Customers look different from those the churn model has learned from.",
}
_TODO = {
    "degradation": "Until a better one serves, trust the order of the list less; "
    "`/signalbox churn rollback` brings the one before.",
    "calibration": "Until a new one serves, take percentages and money as an order, not as amounts.",
    "outdone": "`/signalbox churn rollback` lets it serve again, at once.",
    "drift": "Nothing is trained for that alone. See whether a source changed its meaning or its unit.",
}
_LISTED = 8


def told(look: Look) -> list[Finding]:
    """Those worth a word; that a week is over is none."""
    return [finding for finding in look.findings if finding.kind in _TITLES]


def count(look: Look) -> dict[str, int]:
    """How many there are of each kind, none included."""
    found = [finding.kind for finding in look.findings]
    return {kind: found.count(kind) for kind in _TITLES}


def key(look: Look) -> str:
    """The same kinds of the same model are told once."""
    return f"{look.model[:12]}:{'+'.join(sorted({finding.kind for finding in told(look)}))}"


def retrains(look: Look) -> bool:
    return any(finding.retrains for finding in told(look))


def message(look: Look, *, trains: bool) -> Message:
    """`trains`: whether a training was started for it."""
    found = told(look)
    kinds = [kind for kind in _TITLES if any(finding.kind == kind for finding in found)]
    lines: list[Text] = []
    for kind in kinds:
        lines.append(md(":warning: *{}*", _TITLES[kind]))
        lines += [md("• {}", words.short(f.words, 300)) for f in found if f.kind == kind][:_LISTED]
        lines.append(_TODO[kind])
    if retrains(look):
        lines.append(
            "A training has begun; Slack asks once its model has passed the gate and scored beside this one."
            if trains
            else "Train a new one: `signalbox churn train`."
        )
    judged = f"Judged by {look.outcomes:,} outcomes. " if look.outcomes else ""
    note = f"{judged}Data until {words.day(look.as_of)} · model {look.model[:12]}"
    return Message(
        text=_TITLES[kinds[0]],
        blocks=(Section(text=join("\n", lines)), Note(parts=(note,))),
        severity="warning",
    )
