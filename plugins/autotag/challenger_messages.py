"""How a model that learned from reviews is offered, and what became of it."""

from __future__ import annotations

from bot.plugin import Actions, Button, Header, Markup, Message, Note, Section, join, md, mention
from plugins.autotag.challengers import Challenger

_HINT = "To go back: signalbox tags promote FOLDER, with the earlier folder that the Models page names."


def message(made: Challenger) -> Message:
    if made.state == "none":
        return _no_better(made)
    title = "Tagging learned from your reviews"
    lines: list[str | Markup] = [
        md("*{}* beside *{}*, which serves: *{}* right instead of *{}*", made.version, made.against,
           _percent(made.accuracy), _percent(made.before)),
        md("Difference {} to {} points (95 % interval), on tickets that neither had seen",
           _points(made.low), _points(made.high)),
        md("Learned from {} tickets that people reviewed or left as tagged. {}", made.learned, made.why),
        *([] if made.state == "ready" else [became(made)]),
    ]  # fmt: skip
    return Message(
        text=f"{title}: {_percent(made.accuracy)} right instead of {_percent(made.before)}",
        blocks=(Header(text=title), Section(text=join("\n", lines)), *_strip(made), Note(parts=(_HINT,))),
        severity="info",
    )


def became(made: Challenger) -> Markup:
    """What was decided, and by whom."""
    by = mention(made.detail) if made.detail != "policy" else md("the policy")
    match made.state:
        case "serves":
            return md(":white_check_mark: It serves, by the word of {}.", by)
        case "kept":
            return md(":no_entry_sign: {} kept {}.", by, made.against)
        case "gone":
            return md(":wastebasket: Not to be decided any more: {}.", made.detail)
        case _:
            return md("Nobody has decided yet.")


def _no_better(made: Challenger) -> Message:
    title = "Tagging got worse, and learning from reviews did not help"
    next_ = md(
        "Review more tickets, or train anew on your own: `{}`, then `{}`.",
        "signalbox tags collect reviews.jsonl",
        "signalbox tags train",
    )
    return Message(
        text=title,
        blocks=(
            Section(
                text=join(
                    "\n", [md(":warning: *{}*", title), md("{}", made.why), md("{}", made.detail), next_]
                )
            ),
        ),
        severity="warning",
    )


def _strip(made: Challenger) -> tuple[Actions, ...]:
    return (Actions(elements=controls(made)),) if made.state == "ready" else ()


def controls(made: Challenger) -> tuple[Button, Button]:
    """To decide about one that is ready."""
    args, group = {"id": made.id}, f"tag-model:{made.id}"
    promote = Button(text="Let it serve", action="promote", args=args, group=group, style="primary")
    keep = Button(text="Keep the present one", action="keep", args=args, group=group)
    return promote, keep


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"
