"""signalbox churn and signalbox models: churn, from tables to scores. Heavy imports wait for a command."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.local import load_local
from bot.core.errors import ConfigError
from bot.core.settings import Settings

if TYPE_CHECKING:
    from bot.plugin import Change
    from ml.churn.etl.source import Source
    from ml.churn.model.artifact import Costs
    from ml.churn.store import Loaded
    from ml.churn.training.dataset import Dataset
    from ml.churn.training.train import Trained

app = typer.Typer(no_args_is_help=True, help="Churn: read tables in, train, score.")
models_app = typer.Typer(no_args_is_help=True, help="Churn models: which serves, promote, roll back.")
DAY = "%Y-%m-%d"
AsOf = Annotated[
    datetime | None, typer.Option(formats=[DAY], help="The first day that is not known; default: today.")
]
_DEMO_WEEKS = 90
_NEXT = {
    "gate": "Once it did, it serves, and Slack is told.",
    "button": "Once it did, Slack asks whether it may serve; here: signalbox models promote",
}


@app.command()
def etl(
    source: Annotated[str, typer.Argument(help="Folder or database; default: churn.source.")] = "",
    as_of: AsOf = None,
    full: Annotated[bool, typer.Option("--full", help="Read what is known anew, too.")] = False,  # noqa: FBT002
) -> None:
    """Read what is new of the raw tables, check it and keep it. Exits with 1 when the data can't be used."""
    settings = load_local().settings
    with _told("etl", settings):
        _etl(settings, source, _day(as_of), full=full)


@app.command()
def audit() -> None:
    """Look for leaks: would a model be judged by what it can't know? Exits with 1 when one is found."""
    from ml.churn.training import audit as auditor  # noqa: PLC0415

    settings = load_local().settings
    with _sentences():
        _, data = _dataset(settings)
        findings = auditor.audit(data)
    for finding in findings:
        typer.echo(f"{finding.check}: {finding.words}")
    if any(finding.blocks for finding in findings):
        raise typer.Exit(1)
    typer.echo(f"No leak found in {len(data.labels)} examples at {len(data.cuts)} cuts.")


@app.command()
def train() -> None:
    """Train on the tables that were read in: audit, evaluation on the newest cut, MLflow run, gate."""
    settings = load_local().settings
    with _told("train", settings), _progress() as say:
        loaded, data = _dataset(settings)
        _train(settings, loaded, data, say)


@app.command()
def score(
    source: Annotated[str, typer.Option(help="Read from here first; default: churn.source.")] = "",
    as_of: AsOf = None,
) -> None:
    """Score every customer with the champion and leave a run for the digest."""
    settings = load_local().settings
    with _told("score", settings):
        if source or settings.churn.source:
            _etl(settings, source, _day(as_of))
        _score(settings)


@app.command()
def evaluate() -> None:
    """What the champion says of the newest cut with known outcomes, which it may have learned from."""
    from ml.churn import champion  # noqa: PLC0415
    from ml.churn.training import metrics  # noqa: PLC0415

    settings = load_local().settings
    with _sentences():
        model = champion.load(_folder(settings))
        _, test = _dataset(settings)[1].split()
        said = model.ensemble.probabilities(test.matrix)
    facts, cut = model.ensemble.manifest.facts, f"{test.cuts[-1]}"
    typer.echo(f"{model.version} on {len(test.labels)} customers at {cut}")
    if cut in facts.cuts:
        typer.echo(
            "It has learned from these customers, so the figures flatter it. When it had not yet: "
            f"AUC {facts.metrics.get('auc', 0):.4f}, log-loss {facts.metrics.get('log_loss', 0):.4f}."
        )
    _scores(metrics.scores(said, test.labels), metrics.intervals(said, test.labels))


@app.command()
def features() -> None:
    """List what a model is told of a customer: unit, source and the words used for it as a reason."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from ml.churn.features.specification import FEATURES, Aggregate  # noqa: PLC0415

    table = Table("feature", "unit", "from", "as a reason")
    for feature in FEATURES:
        source = (
            f"{feature.table}.{feature.column or '*'}, {feature.operation}"
            + (f", {feature.days} days" if feature.days else "")
            if isinstance(feature, Aggregate)
            else f"{feature.above} / {feature.below}"
        )
        table.add_row(feature.name, feature.unit, source, feature.words.more if feature.words else "")
    Console().print(table)


@app.command()
def demo(
    customers: Annotated[int, typer.Option(help="How many to simulate.", min=300, max=200_000)] = 3000,
    seed: Annotated[int, typer.Option(help="Another seed, other customers.")] = 7,
) -> None:
    """See it all with SIMULATED customers: tables, checks, leak audit, training, scores."""
    from ml.churn import reading, simulate  # noqa: PLC0415

    settings = load_local().settings
    folder, today = _folder(settings), _day(None)
    with _sentences(), _progress() as say:
        say("simulating", 0.0)
        raw = folder / "demo"
        reading.write(simulate.tables(customers, _DEMO_WEEKS, today, seed), raw)
        _etl(settings, f"{raw}", today, full=True)
        loaded, data = _dataset(settings)
        _train(settings, loaded, data, say, quick=True)
        _score(settings)
    typer.echo("Now type `/signalbox churn` in Slack, or let the digest come on its schedule.")


@models_app.command("list")
def list_models() -> None:
    """List trained models, the one that serves, and how each did on the newest cut of its day."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415

    from ml.churn import registry  # noqa: PLC0415
    from ml.churn.errors import ModelUnavailableError  # noqa: PLC0415

    folder = _folder(load_local().settings)
    with _sentences():
        found = registry.models(folder)
        try:
            roles = {registry.champion(folder).name: "champion"}
        except ModelUnavailableError:
            roles = {}
    if waiting := registry.challenger(folder):
        roles.setdefault(waiting.name, "challenger")
    table = Table(
        Column("model", no_wrap=True, min_width=27),
        Column("role", min_width=10),
        Column("trained", no_wrap=True),
        Column("AUC", no_wrap=True),
        Column("log-loss", no_wrap=True),
        Column("rows", no_wrap=True),
        box=None,
    )
    for place, manifest in found:
        role = roles.get(place.name, "")
        measured = manifest.facts.metrics
        table.add_row(
            place.name, role, manifest.facts.created[:10], f"{measured.get('auc', 0):.4f}",
            f"{measured.get('log_loss', 0):.4f}", f"{manifest.facts.examples}",
        )  # fmt: skip
    Console().print(table)


@models_app.command()
def promote(
    model: Annotated[str, typer.Argument(help="Name of a model; default: the challenger.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Although it is not ready; say --why.")] = False,  # noqa: FBT002
    why: Annotated[str, typer.Option(help="Kept with the promotion.")] = "",
) -> None:
    """Let a model serve that passed the gate and has scored beside the champion."""
    from ml.churn import registry  # noqa: PLC0415
    from ml.churn.errors import WorseModelError  # noqa: PLC0415
    from plugins.churn_digest import let_serve  # noqa: PLC0415

    settings = load_local().settings
    if force and not why.strip():
        raise ConfigError("--force needs a reason that is kept with the promotion: --why '…'.")
    folder = _folder(settings)
    with _sentences():
        place = registry.home(folder) / model if model else registry.challenger(folder)
        if place is None or not place.is_dir():
            raise ConfigError(f"There is no model {model!r} that waits; `signalbox models list` shows all.")
        name = place.resolve().name
        if _serves(folder, place):
            typer.echo(f"{name} serves already.")
            return
        lacks = let_serve.lacks(settings, name)
        if lacks and not force:
            raise WorseModelError(f"{lacks} To let it serve all the same: --force --why '…'.")
        done = let_serve.forced(settings, name, why) if lacks else let_serve.offered(settings, name, why)
    _say_who_serves(settings, f"{name} serves now.", done)


@models_app.command()
def rollback(
    why: Annotated[str, typer.Option(help="Kept with the change.")] = "",
) -> None:
    """Let the model serve again that served before."""
    from plugins.churn_digest import let_serve  # noqa: PLC0415

    settings = load_local().settings
    with _sentences():
        name, done = let_serve.rolled_back(settings, why)
    _say_who_serves(settings, f"{name} serves again.", done)


def _say_who_serves(settings: Settings, words: str, done: Change | None) -> None:
    typer.echo(words)
    if done is None:
        typer.echo("The database did not answer; the plugin churn-digest records the change later.", err=True)
    elif done.change_type == "emergency":
        typer.echo(f"It is an emergency change; say how it went: signalbox records review {done.id}")
    with _sentences():
        _alias(settings)


def _serves(folder: Path, place: Path) -> bool:
    from ml.churn import registry  # noqa: PLC0415
    from ml.churn.errors import ModelUnavailableError  # noqa: PLC0415

    try:
        return registry.champion(folder) == place.resolve()
    except ModelUnavailableError:
        return False


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "churn"


def _source(given: str, settings: Settings) -> Source:
    from ml.churn.etl.source import Source  # noqa: PLC0415

    churn = settings.churn
    if not given and not churn.source:
        raise ConfigError("Name a folder of raw tables, or set churn.source, e.g. /srv/exports/churn.")
    password = churn.source_password.get_secret_value() if churn.source_password else ""
    return Source(given or churn.source, churn.source_user, password, churn.jdbc_driver, churn.jdbc_jars)


def _master(settings: Settings) -> str:
    return settings.spark.master if settings.churn.engine == "spark" else ""


def _day(given: datetime | None) -> date:
    return given.date() if given else datetime.now(UTC).date()


def _etl(settings: Settings, given: str, day: date, *, full: bool = False) -> None:
    from ml.churn import store  # noqa: PLC0415

    source, folder = _source(given, settings), _folder(settings)
    report = store.etl(source, folder, day, master=_master(settings), full=full)
    aside = sum(check.rows for check in report.checks if check.outcome == "set aside")
    typer.echo(f"Data of {day}: {len(report.checks)} checks, {aside} rows set aside.")
    if report.passed:
        return
    for check in report.broken:
        typer.echo(f"{check.table}: {check.name}. {check.words} {check.todo}", err=True)
    typer.echo(f"Nothing was changed; see {folder / 'quality' / f'{day}.md'}", err=True)
    raise typer.Exit(1)


def _dataset(settings: Settings) -> tuple[Loaded, Dataset]:
    from ml.churn import store  # noqa: PLC0415
    from ml.churn.training import dataset, outcomes  # noqa: PLC0415

    folder = _folder(settings)
    loaded = store.load(folder)
    window = dataset.Window(settings.churn.horizon_days, settings.churn.embargo_days)
    built = dataset.build(loaded.frames, loaded.as_of, window)
    return loaded, outcomes.applied(built, outcomes.read(folder))


def _costs(settings: Settings) -> Costs:
    from ml.churn.model.artifact import Costs  # noqa: PLC0415

    churn = settings.churn
    return Costs(
        contact=churn.contact_cost,
        offer=churn.offer_cost,
        accept=churn.accept_share,
        months=churn.value_months,
    )


def _train(
    settings: Settings,
    loaded: Loaded,
    data: Dataset,
    say: Callable[[str, float], None],
    *,
    quick: bool = False,
) -> None:
    from ml.churn import registry  # noqa: PLC0415
    from ml.churn.training import outcomes  # noqa: PLC0415
    from ml.churn.training import train as training  # noqa: PLC0415
    from ml.churn.training.recipe import QUICK, Recipe  # noqa: PLC0415

    folder = _folder(settings)
    with tempfile.TemporaryDirectory(prefix="churn-") as scratch:
        trained = training.train(
            data, Path(scratch), name=f"churn-{loaded.as_of:%Y%m%d}",
            sha256=outcomes.sealed(loaded.sha256, folder),
            costs=_costs(settings), recipe=QUICK if quick else Recipe(),
            code_version=metadata.version("signalbox"), say=say,
        )  # fmt: skip
        kept = registry.keep(trained.folder, folder)
    typer.echo(f"Trained {kept.name} on {len(data.labels)} examples, {data.labels.mean():.1%} of them left.")
    _scores(trained.evaluation.scores, trained.evaluation.intervals)
    _track(settings, trained, kept)
    _gate(settings, trained, kept)


def _track(settings: Settings, trained: Trained, kept: Path) -> None:
    """The model is kept whatever becomes of its record."""
    from ml.churn import trouble  # noqa: PLC0415
    from ml.churn.errors import ModelUnavailableError  # noqa: PLC0415
    from ml.churn.training import tracking  # noqa: PLC0415

    try:
        tracking.record(_mlflow(settings), settings.data_dir / "mlflow" / "artifacts", trained, kept)
    except ModelUnavailableError as exc:
        typer.echo(str(exc), err=True)
        trouble.note(_folder(settings), "mlflow", str(exc))
    else:
        trouble.clear(_folder(settings), "mlflow")


def _alias(settings: Settings) -> None:
    """MLflow's alias follows the champion, whoever promoted it; what serves does not depend on it."""
    from ml.churn import registry  # noqa: PLC0415
    from ml.churn.errors import ModelUnavailableError  # noqa: PLC0415
    from ml.churn.training import tracking  # noqa: PLC0415

    store = settings.data_dir / "mlflow" / "mlflow.db"
    if not settings.mlflow.tracking_uri and not store.exists():
        return  # no training was recorded, so there is no alias to move
    try:
        tracking.promoted(_mlflow(settings), registry.champion(_folder(settings)))
    except ModelUnavailableError as exc:
        typer.echo(str(exc), err=True)


def _mlflow(settings: Settings) -> str:
    home = settings.data_dir / "mlflow"
    home.mkdir(parents=True, exist_ok=True)
    return settings.mlflow.tracking_uri or f"sqlite:///{home.absolute() / 'mlflow.db'}"


def _gate(settings: Settings, trained: Trained, kept: Path) -> None:
    from ml.churn import champion, registry  # noqa: PLC0415
    from ml.churn.errors import ModelUnavailableError  # noqa: PLC0415
    from ml.churn.training import gate  # noqa: PLC0415
    from plugins.churn_digest import let_serve  # noqa: PLC0415

    folder, found = _folder(settings), trained.evaluation
    try:
        serving = champion.load(folder)
    except ModelUnavailableError:
        done = let_serve.first(settings, kept.name)
        _say_who_serves(settings, f"{kept.name} serves now.", done)
        return
    old = serving.ensemble.probabilities(_as_known(serving.ensemble.manifest.columns.names, found.test))
    verdict = gate.judge(found.probabilities, old, found.test.labels, found.test.segments)
    beside = gate.intervals(found.probabilities, old, found.test.labels)
    against = {"against": registry.champion(folder).name}
    registry.note_verdict(folder, kept, verdict.told() | against | beside)
    typer.echo(verdict.words)
    if verdict.passed:
        typer.echo(f"Next, it scores beside the champion. {_NEXT[settings.churn.promote]}")


def _as_known(names: tuple[str, ...], test: Dataset) -> Any:
    """The test rows in the columns of an older model; what it does not know is left out."""
    import numpy as np  # noqa: PLC0415

    place = {name: at for at, name in enumerate(test.columns.names)}
    empty = np.zeros(len(test.labels))
    return np.column_stack([test.matrix[:, place[n]] if n in place else empty for n in names])


def _score(settings: Settings) -> None:
    from ml.churn import scoring, store, watch  # noqa: PLC0415

    folder = _folder(settings)
    loaded = store.load(folder)
    run = scoring.score(loaded, folder, master=_master(settings))
    _alias(settings)
    typer.echo(f"Scored {run.customers} customers as of {run.as_of} with {run.model_version}: {run.run_id}")
    for finding in watch.look(loaded, folder).findings:
        typer.echo(f"{finding.kind}: {finding.words}")


def _scores(found: dict[str, float], intervals: dict[str, tuple[float, float]]) -> None:
    for name, value in found.items():
        low, high = intervals.get(name, (value, value))
        typer.echo(f"  {name:<18}{value:.4f}  ({low:.4f} to {high:.4f})")


@contextmanager
def _sentences() -> Iterator[None]:
    """A fault of data or model ends the command with a sentence, as a wrong setting does."""
    from ml.churn import errors  # noqa: PLC0415
    from ml.spark import SparkUnavailableError  # noqa: PLC0415

    known = (
        errors.DataError,
        errors.LeakError,
        errors.ModelTamperedError,
        errors.ModelUnavailableError,
        errors.WorseModelError,
    )
    try:
        yield
    except known as exc:
        raise ConfigError(str(exc)) from exc
    except SparkUnavailableError as exc:
        raise ConfigError(str(exc)) from exc
    except ImportError as exc:
        raise ConfigError(f"The churn pipeline is not installed ({exc.name}). Run: make train-deps") from exc
    except json.JSONDecodeError as exc:
        raise ConfigError(f"A file of the churn folder is damaged: {exc}. Run etl and train anew.") from exc


@contextmanager
def _told(command: str, settings: Settings) -> Iterator[None]:
    """What ends the command early is left for Slack to be told, until the command goes well."""
    from ml.churn import trouble  # noqa: PLC0415

    try:
        with _sentences():
            yield
    except ConfigError as exc:
        trouble.note(_folder(settings), command, str(exc))
        raise
    trouble.clear(_folder(settings), command)


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)
