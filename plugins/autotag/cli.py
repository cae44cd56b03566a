"""signalbox tags: train, evaluate, promote and export models. Heavy imports happen when a command runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.local import load_local
from bot.core.errors import ConfigError
from bot.core.texts import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.plugin import Change
    from ml.tagging.registry import Comparison
    from ml.tagging.training.data import Example

app = typer.Typer(no_args_is_help=True, help="Train and compare tagging models.")
Data = Annotated[Path, typer.Argument(help="JSON Lines or CSV (.gz too): text, label, category.")]
Models = Annotated[Path | None, typer.Option(help="Folder of models; default: in the data directory.")]


def _folder(given: Path | None) -> Path:
    return given or load_local().settings.data_dir / "models"


class Mode(StrEnum):
    few_shot = "few-shot"
    head = "head"
    full = "full"


@app.command()
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the new model; must not hold one.")],
    mode: Annotated[Mode, typer.Option(help="few-shot from 8 a category; full needs torch.")] = Mode.head,
    valid: Annotated[
        Path | None, typer.Option(help="Validation examples; otherwise a tenth of DATA.")
    ] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help="Texts without labels that help few-shot training: past tickets.")
    ] = None,
    name: Annotated[str, typer.Option(help="The first part of the version.")] = "tagging",
    precision: Annotated[float, typer.Option(min=0.5, max=1.0, help="Of tags applied unasked.")] = 0.95,
    languages: Annotated[str, typer.Option(help="Codes of what DATA is written in.")] = "en",
    epochs: Annotated[int, typer.Option(min=1, help="At most; training stops early.")] = 3,
    seed: Annotated[int, typer.Option(help="The same seed and data give the same model.")] = 0,
    refit: Annotated[bool, typer.Option(help="Judged, learn from the validation examples too.")] = True,  # noqa: FBT002  # an option of the command line
    track: Annotated[bool, typer.Option("--track", help="Record the run in MLflow.")] = False,  # noqa: FBT002  # an option of the command line
    models: Models = None,
) -> None:
    """Train a model into a folder of its own. It serves only after `tags promote`."""
    from ml.tagging.training import data as examples  # noqa: PLC0415
    from ml.tagging.training import run  # noqa: PLC0415
    from ml.tagging.training.recipe import Recipe  # noqa: PLC0415

    with _sentences(), _progress() as progress:
        recipe = Recipe(epochs=epochs, seed=seed)
        plan = run.Plan(name, mode.value, precision, _languages(languages), recipe, refit)
        given = run.parts(
            examples.read(data),
            examples.read(valid) if valid else [],
            plan,
            examples.texts(unlabelled) if unlabelled else (),
        )
        manifest = run.train(given, plan, out, _folder(models), progress)
    typer.echo(f"{manifest.version} is in {out}")
    for key, value in manifest.facts.metrics.items():
        typer.echo(f"  {key} {value:.4f} (validation)")
    if track:
        _track(_folder(models), out)


def _languages(given: str) -> tuple[str, ...]:
    from ml.tagging.language import LANGUAGES  # noqa: PLC0415

    codes = tuple(code.strip().lower() for code in given.split(","))
    unknown = [code for code in codes if code not in LANGUAGES]
    if unknown:
        raise ConfigError(
            f"--languages has {unknown[0]!r}, which is not recognised. Known are: {', '.join(LANGUAGES)}."
        )
    return codes


def _track(models: Path, out: Path) -> None:
    from ml.tagging import artifact  # noqa: PLC0415
    from ml.tagging.training import tracking  # noqa: PLC0415

    with _sentences():
        run = tracking.record(models.parent / "mlflow", out, artifact.read(out), artifact.confusion(out))
        typer.echo(f"MLflow run {run}")


def _unseen(model: Path, rows: Sequence[Example]) -> None:
    """The texts that a model was judged by it may have learned from afterwards."""
    from ml.tagging import DataError, artifact  # noqa: PLC0415
    from ml.tagging.training import data as examples  # noqa: PLC0415

    if artifact.read(model).facts.settings.get("refit_texts") == examples.fingerprint(rows):
        raise DataError(
            "The model learned from these very texts, so they can't judge it. "
            "Give others, or train it with --no-refit."
        )


@app.command()
def evaluate(
    data: Data,
    model: Annotated[
        Path | None, typer.Option(help="A model's folder; otherwise the one that serves.")
    ] = None,
    models: Models = None,
) -> None:
    """Measure a model on examples that it has not seen: accuracy, bands, confidence, each category."""
    from ml.tagging import Tagger, evaluation  # noqa: PLC0415
    from ml.tagging.training import data as examples  # noqa: PLC0415

    with _sentences():
        rows = examples.read(data)
        folder = _folder(models)
        if model:
            _unseen(model, rows)
        tagger = Tagger.open(model, folder) if model else Tagger.load(folder)
        found = tagger.tag([example.text for example in rows])
        lines = evaluation.report(found, [() if e.outside else e.categories for e in rows])
    typer.echo(f"{tagger.version}: {len(rows)} examples")
    for line in lines:
        typer.echo(f"  {line}")


@app.command()
def promote(
    model: Annotated[Path, typer.Argument(help="The challenger's folder.")],
    data: Annotated[Path, typer.Option(help="The fixed evaluation set.")],
    models: Models = None,
    force: Annotated[bool, typer.Option("--force", help="Promote even a worse model.")] = False,  # noqa: FBT002  # an option of the command line
    why: Annotated[str, typer.Option(help="Kept with the change.")] = "",
) -> None:
    """Let a model serve, unless it is worse than the champion on the evaluation set."""
    from ml.tagging import Tagger, WorseModelError, registry  # noqa: PLC0415
    from ml.tagging.tagger import CHAMPION  # noqa: PLC0415
    from ml.tagging.training import data as examples  # noqa: PLC0415

    with _sentences():
        given = examples.read(data)
        _unseen(model, given)
        rows = [example for example in given if not example.outside]
        texts, wanted = [e.text for e in rows], [e.categories for e in rows]
        folder = _folder(models)
        challenger, champion = Tagger.open(model, folder), Tagger.load(folder)
        comparison = registry.compare(challenger, champion, texts, wanted)
        typer.echo(str(comparison))
        try:
            registry.gate(comparison)
        except WorseModelError as exc:
            if not force:
                raise
            typer.echo(f"FORCED: {exc}")
    change = _let_serve(model, folder, champion.version, comparison, why)
    with _sentences():
        if (folder.parent / "mlflow").exists():
            _alias(folder.parent / "mlflow", model)
    typer.echo(
        f"{challenger.version} is the champion ({(folder / CHAMPION).resolve()}). "
        "The workers take it with the next ticket."
    )
    if change.change_type == "emergency":
        typer.echo(f"It is an emergency change; say how it went: signalbox records review {change.id}")


def _let_serve(model: Path, folder: Path, against: str, comparison: Comparison, why: str) -> Change:
    """Recorded before it is done and after: who let which model serve, on what evidence."""
    from bot.cli import changes  # noqa: PLC0415
    from bot.core.events import new_id  # noqa: PLC0415
    from ml.tagging import artifact, registry  # noqa: PLC0415
    from plugins.autotag import model_changes  # noqa: PLC0415

    settings = load_local().settings
    manifest = artifact.read(model)
    pre_authorised = model_changes.TEMPLATE in settings.records.templates and not comparison.worse
    with changes.desk(settings, "autotag") as desk:
        change = model_changes.by_command(
            manifest.version, against, desk.changes, new_id(),
            template=model_changes.TEMPLATE if pre_authorised else "",
            why=why or ("forced" if comparison.worse else f"Not worse: {comparison}"),
            digest=artifact.digest(model), data=manifest.facts.data_sha256,
            evidence={"comparison": str(comparison), "difference": [comparison.low, comparison.high]},
        )  # fmt: skip
        with desk.changes.carrying_out(change.id, after={"champion": manifest.version}), _sentences():
            registry.promote(model, folder)
        after = {"comparison": str(comparison), "forced": comparison.worse, "change": change.id}
        desk.audit.record(desk.me, "tags.model_promoted", manifest.version, after=after)
    return change


def _alias(store: Path, model: Path) -> None:
    from ml.tagging.training import tracking  # noqa: PLC0415

    tracking.promoted(store, model)


@app.command()
def collect(
    out: Annotated[Path, typer.Argument(help="A file that does not exist yet, e.g. reviews.jsonl.")],
    days: Annotated[int, typer.Option(min=1, help="Reviews of the last so many days.")] = 365,
) -> None:
    """Write what people said to decisions as training examples: ticket text and the category they chose."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    from bot.core.kernel import build_kernel  # noqa: PLC0415
    from bot.core.memory import Records  # noqa: PLC0415
    from plugins.autotag import training  # noqa: PLC0415

    if out.exists():
        raise ConfigError(f"{out} exists already. Choose another file.")
    kernel = build_kernel(load_local().settings)
    records = Records(kernel.db, "autotag")
    since = datetime.now(UTC) - timedelta(days=days)
    written = training.collect(records, kernel.tickets, since, out)
    kernel.close()
    typer.echo(f"{written} examples are in {out}. Next: signalbox tags train {out} --out FOLDER")


@app.command()
def backfill(
    query: Annotated[str, typer.Argument(help="In the helpdesk's own language, e.g. 'project = SUP'.")],
    apply: Annotated[bool, typer.Option("--apply", help="Set labels.")] = False,  # noqa: FBT002  # an option
    limit: Annotated[int, typer.Option(min=0, help="Stop after about so many tickets; 0: all.")] = 0,
    per_minute: Annotated[float, typer.Option(min=1, help="Labels set a minute at most.")] = 120,
) -> None:
    """Tag the tickets that a search finds: dry run first. Goes on where it was cut off."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415
    from rich.progress import TextColumn, TimeElapsedColumn  # noqa: PLC0415

    from bot.core.kernel import build_kernel  # noqa: PLC0415
    from bot.core.memory import Records  # noqa: PLC0415
    from plugins.autotag import model  # noqa: PLC0415
    from plugins.autotag.backfill import Backfill, Progress  # noqa: PLC0415
    from plugins.autotag.plugin import AutoTag  # noqa: PLC0415

    kernel = build_kernel(load_local().settings)
    plugin = kernel.registry.plugins.get(AutoTag.name)
    if not isinstance(plugin, AutoTag):
        raise ConfigError("The plugin autotag is not loaded; `signalbox plugins list` says why.")
    models = plugin.config.cache_dir or kernel.settings.data_dir / "models"
    file = kernel.settings.data_dir / "backfill.json"
    done = Progress.resume(file, query, apply=apply)
    work = Backfill(
        kernel.tickets, model.load(models), plugin.config, model.slugs(models),
        Records(kernel.db, AutoTag.name), kernel.audit, per_minute=per_minute,
    )  # fmt: skip
    columns = (TextColumn("{task.completed} tickets, {task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("searching", total=None, completed=done.counts.total())
        for ticket, word, decision in work.run(done, file, limit):
            bar.update(task, advance=1, description=ticket.key)
            if decision is not None and decision.category:
                typer.echo(
                    f"{ticket.key}\t{word}\t{decision.category}\t{decision.confidence:.2f}\t"
                    f"{printable(ticket.summary[:80])}"
                )
    kernel.close()
    for word, number in done.counts.most_common():
        typer.echo(f"{number:>7} {word}")
    if not apply:
        typer.echo("Nothing was changed. Set the labels with --apply.")
    elif not done.done:
        typer.echo("There is more; the same command goes on from here.")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    model: Annotated[Path | None, typer.Option(help="A model's folder; otherwise the champion.")] = None,
    models: Models = None,
) -> None:
    """Copy a verified model (int8 ONNX, tokenizer, head, manifest, card) to hand it on."""
    from ml.tagging import artifact  # noqa: PLC0415
    from ml.tagging.tagger import CHAMPION  # noqa: PLC0415

    with _sentences():
        source = model or _folder(models) / CHAMPION
        manifest = artifact.read(source)
        if out.exists():
            raise ConfigError(f"{out} exists already. Choose another folder.")
        shutil.copytree(source, out)
    typer.echo(f"{manifest.version} is in {out}")


@contextmanager
def _sentences() -> Iterator[None]:
    """A model's or data's fault ends the command with a sentence, as a wrong setting does."""
    from ml.tagging import errors  # noqa: PLC0415

    known = (
        errors.DataError,
        errors.ModelTamperedError,
        errors.ModelUnavailableError,
        errors.WorseModelError,
    )
    try:
        yield
    except known as exc:
        raise ConfigError(str(exc)) from exc


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)
