"""Models as a page of the console: who serves, who waits, side by side, promoted when and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.plugin import Cell, Chart, Context, Controls, Figure, Figures, Page, Prose, Table
from ml.churn import shadow, shelf
from ml.churn.shelf import Model, Shelf, Verdict
from plugins.models.tagging import Kept, kept

_METRICS = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "log_loss": "Log-loss (lower is better)",
    "brier": "Brier score (lower is better)",
    "ece": "Calibration error (lower is better)",
    "lift_10": "Lift in the top tenth",
}
_LISTED = 20
_DRAWN = 8
_OWNERS = ("churn-digest", "autotag")
_WAITS = (
    "{} waits. Once it passed the gate and scored beside the champion, its buttons stand here and in Slack; "
    "`{} churn models` says what it still lacks."
)
_NOTHING = (
    "No challenger waits and none served before. `signalbox churn train` and `signalbox tags train` make "
    "one; then its buttons stand here: promote, keep, roll back."
)


def models(ctx: Context, title: str) -> Page:
    folder = ctx.data_dir / "churn"
    found = shelf.read(folder)
    tagging = kept(tagging_folder(ctx))
    parts = (
        _figures(found, tagging),
        *_buttons(ctx, found),
        *_churn(folder, found, ctx.settings.slack.command),
        _tagging(tagging),
        Prose(title="Going back with tags", text=_back_with_tags(tagging)),
    )
    return Page(title=title, parts=parts)


def _buttons(ctx: Context, churn: Shelf) -> list[Controls | Prose]:
    """A button belongs to the plugin whose models it changes: these are from the pages of those."""
    found: list[Controls | Prose] = []
    for name in _OWNERS:
        if name in ctx.registry.plugins:
            page = ctx.registry.plugins[name].page(ctx.in_place_of(name))
            found += [part for part in page.parts if isinstance(part, Controls)]
    if found:
        return found
    waits = churn.challenger if churn.challenger != churn.champion else None
    words = _WAITS.format(waits.name, ctx.settings.slack.command) if waits else _NOTHING
    return [Prose(title="Nothing to decide yet" if waits else "Nothing to decide", text=words)]


def tagging_folder(ctx: Context) -> Path:
    """Where tagging keeps its models: a setting of its own, by default in the data directory."""
    given = ctx.settings.plugins.get("autotag", {}).get("cache_dir")
    return Path(given) if given else ctx.data_dir / "models"


def _figures(found: Shelf, tagging: Sequence[Kept]) -> Figures:
    champion, serving = found.champion, next((one for one in tagging if one.serves), None)
    waits = found.challenger is not None and found.challenger != champion
    return Figures(
        items=(
            Figure(
                label="churn champion",
                value=_auc(champion) if champion else "none",
                hint=champion.name if champion else "signalbox churn train",
                tone="" if champion else "warn",
            ),
            Figure(
                label="churn challenger",
                value=_auc(found.challenger) if waits and found.challenger else "none",
                hint=found.challenger.name if waits and found.challenger else "",
            ),
            Figure(
                label="tagging champion",
                value=serving.facts.mode if serving and serving.facts else "built in",
                hint=serving.folder if serving else "few-shot, from the categories' words",
            ),
        )
    )


def _auc(model: Model) -> str:
    return f"AUC {model.metrics['auc']:.3f}" if "auc" in model.metrics else "unread"


def _churn(folder: Path, found: Shelf, slash: str) -> tuple[Table | Chart | Prose, ...]:
    name = found.challenger.name if found.challenger else ""
    verdict = shelf.verdict(folder, name) if name else None
    return (
        _side_by_side(verdict),
        _beside(folder, name),
        _over_time(found),
        _churn_models(found),
        _promotions(found),
        Prose(title="Going back with churn", text=_back_with_churn(found, slash)),
    )


def _side_by_side(verdict: Verdict | None) -> Table:
    rows = [
        (
            label,
            _value(verdict.challenger, verdict.challenger_intervals, name),
            _value(verdict.champion, verdict.champion_intervals, name),
        )
        for name, label in _METRICS.items()
        if verdict is not None and name in verdict.challenger
    ]
    if verdict is not None:
        rows.append(("The gate", verdict.words, ""))
    names = (verdict.model, verdict.against or "the champion") if verdict else ("Challenger", "Champion")
    return Table(
        title="Churn: challenger and champion on the same customers",
        columns=("Metric (95% interval)", *names),
        rows=tuple(rows),
        empty="No challenger was compared yet; each training compares with the champion.",
    )


def _value(metrics: dict[str, float], intervals: dict[str, tuple[float, float]], name: str) -> str:
    if name not in metrics:
        return "-"
    low, high = intervals.get(name, (None, None))
    return f"{metrics[name]:.3f}" + (
        f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else ""
    )


def _beside(folder: Path, name: str) -> Table:
    found = shadow.of(folder, name) if name else []
    rows = [
        (
            f"{one.as_of}", one.against, f"{one.customers:,}", f"{one.flagged:,}",
            f"{one.flagged_by_champion:,}", f"{one.flagged_by_both:,}",
            Cell(text=one.trouble, tone="bad") if one.trouble else f"{one.agreement:.2f}",
        )
        for one in reversed(found[-_LISTED:])
    ]  # fmt: skip
    return Table(
        title="Churn: the challenger beside the champion",
        columns=("Data until", "Champion", "Customers", "At risk", "Champion's", "Both", "Rank correlation"),
        rows=tuple(rows),
        empty="No challenger has scored beside the champion yet; every scoring lets it.",
    )


def _churn_models(found: Shelf) -> Table:
    return Table(
        title="Churn models",
        columns=("Model", "Role", "Trained", "AUC (95% interval)", "Log-loss", "Examples", "Data", "Digest"),
        rows=tuple(_row(model, found) for model in found.models[:_LISTED]),
        empty="None was trained yet. `signalbox churn demo` shows it all with simulated customers.",
    )


def _over_time(found: Shelf) -> Chart:
    known = [model for model in found.models[:_DRAWN] if "auc" in model.metrics][::-1]
    return Chart(
        title="Churn models: AUC as they were trained",
        alt="Bars, oldest first: " + ", ".join(f"{model.name} {_auc(model)}" for model in known),
        kind="across",
        x=tuple(_named(model, found) for model in known),
        series=(("AUC", tuple(round(model.metrics["auc"], 3) for model in known)),),
        empty="None was trained yet. `signalbox churn demo` shows it all with simulated customers.",
    )


def _named(model: Model, found: Shelf) -> str:
    role = _role(model, found)
    words = role if isinstance(role, str) else role.text
    return f"{model.name} ({words})" if words else model.name


def _row(model: Model, found: Shelf) -> tuple[str | Cell, ...]:
    if model.trouble:
        return (model.name, Cell(text=model.trouble, tone="bad"), *[""] * 5, model.digest[:12])
    return (
        model.name,
        _role(model, found),
        model.created[:16].replace("T", " "),
        _value(model.metrics, model.intervals, "auc"),
        _value(model.metrics, {}, "log_loss"),
        f"{model.examples:,}",
        model.data_sha256[:12],
        model.digest[:12],
    )


def _role(model: Model, found: Shelf) -> str | Cell:
    if model == found.champion:
        return Cell(text="champion", tone="good")
    if model == found.challenger:
        return "challenger"
    return "before" if model == found.before else ""


def _promotions(found: Shelf) -> Table:
    newest = list(reversed(found.promotions))[:_LISTED]
    return Table(
        title="Churn: promoted when and by whom",
        columns=("When (UTC)", "Model", "By", "Why, and the change record"),
        rows=tuple((one.at[:16].replace("T", " "), one.model, one.by, one.why) for one in newest),
        empty="Nothing was promoted yet.",
    )


def _back_with_churn(found: Shelf, slash: str) -> str:
    if found.champion is None or found.before is None or found.before == found.champion:
        return "No other model served before, so there is nothing to go back to."
    return (
        f"{found.before.name} ({_auc(found.before)}) would serve again at once: say {slash} churn rollback "
        "in Slack, or run signalbox models rollback. It is an emergency change, to be reviewed afterwards."
    )


def _tagging(found: Sequence[Kept]) -> Table:
    return Table(
        title="Tagging models",
        columns=("Folder", "Role", "Kept since (UTC)", "Mode", "Trained", "Metrics", "Examples", "Data"),
        rows=tuple(_kept(one) for one in found[:_LISTED]),
        empty="None was promoted yet: the built-in few-shot model serves. `signalbox tags train` makes one.",
    )


def _kept(one: Kept) -> tuple[str | Cell, ...]:
    role = Cell(text="champion", tone="good") if one.serves else "earlier"
    since = f"{one.since:%Y-%m-%d %H:%M}"
    if one.facts is None:
        return (one.folder, role, since, Cell(text="its manifest can't be read", tone="bad"), *[""] * 4)
    facts = one.facts
    metrics = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in facts.metrics.items())
    return (
        one.folder, role, since, facts.mode, facts.created[:10] or "-", metrics or "-",
        f"{facts.examples:,}", facts.data_sha256[:12] or "-",
    )  # fmt: skip


def _back_with_tags(found: Sequence[Kept]) -> str:
    earlier = next((one for one in found if not one.serves), None)
    who = "Who promoted what: `signalbox records list --about 'tag model'`."
    if earlier is None:
        return f"No earlier tagging model is kept, so there is nothing to go back to. {who}"
    return f"Run signalbox tags promote with the folder {earlier.folder} to let it serve again. {who}"
