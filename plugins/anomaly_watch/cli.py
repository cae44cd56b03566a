"""signalbox anomalies: watch live metrics, replay a file, evaluate on labelled ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.local import load_local
from bot.core.errors import ConfigError, Transient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.kernel import Kernel
    from ml.anomaly.labelled import Floats, Labelled
    from ml.anomaly.nab import Profile
    from plugins.anomaly_watch.config import AnomalyWatchConfig

app = typer.Typer(no_args_is_help=True, help="Anomalies in metrics: watch, replay, evaluate.")


@app.command()
def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,  # noqa: FBT002  # an option of the command line
    every: Annotated[float, typer.Option(min=1.0, help="Seconds between two looks.")] = 30.0,
) -> None:
    """Score what is new in Prometheus and say what fires; states are those of the workers."""
    from bot.core.kernel import build_kernel  # noqa: PLC0415
    from plugins.anomaly_watch.config import AnomalyWatchConfig  # noqa: PLC0415

    settings = load_local().settings
    config = AnomalyWatchConfig.model_validate(settings.plugins.get("anomaly-watch", {}))
    if not config.watch:
        raise ConfigError(
            "Nothing is watched. Add [[plugins.anomaly-watch.watch]] with a name and a query to the settings."
        )
    kernel = build_kernel(settings)
    try:
        _look(kernel, config)
        while not once:
            time.sleep(every)
            _look(kernel, config)
    except KeyboardInterrupt:
        typer.echo("Stopped; the states are kept.")
    finally:
        kernel.close()


def _look(kernel: Kernel, config: AnomalyWatchConfig) -> None:
    from ml.anomaly.words import reason  # noqa: PLC0415
    from plugins.anomaly_watch.collector import collect  # noqa: PLC0415
    from plugins.anomaly_watch.labels import labels_of, text_of  # noqa: PLC0415

    now = datetime.now(UTC)
    for each in config.watch:
        try:
            found = collect(each, config, kernel.metrics, kernel.settings.data_dir / "anomaly", now)
        except Transient as exc:
            typer.echo(f"{now:%H:%M:%S} {each.name}: {exc} What is missed now is made up for later.")
            continue
        typer.echo(f"{now:%H:%M:%S} {each.name}: {found.samples} samples, {len(found.book.names)} series")
        for name, verdict in found.latest.items():
            if verdict.firing:
                typer.echo(f"  {reason(f'{each.name} ({text_of(labels_of(name))})', verdict, each.unit)}")


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV (.gz too) of timestamp,value rows.")],
    out: Annotated[Path | None, typer.Option(help="The picture; default: FILE with .png.")] = None,
    unit: Annotated[str, typer.Option(help="Unit of the values: s, B, req/s.")] = "",
) -> None:
    """Score a file as if it were live, say what would have been told, and draw it."""
    from ml.anomaly import LINE, picture  # noqa: PLC0415
    from ml.anomaly.labelled import Labelled, read_samples  # noqa: PLC0415
    from ml.anomaly.replay import replay as replayed  # noqa: PLC0415
    from ml.anomaly.words import amount  # noqa: PLC0415

    with _sentences(), _progress() as say:
        series = Labelled(file.name, *read_samples(file))
        found = replayed([series], say)[series.name]
        say("drawing", 1.0)
        target = out or Path(f"{file.name.removesuffix('.gz').removesuffix('.csv')}.png")
        target.write_bytes(picture.png(series, found))
    told = [row for row, news in enumerate(found.news) if news >= LINE]
    for row in told:
        when = datetime.fromtimestamp(series.at[row], UTC)
        band = f"{amount(found.lower[row])}-{amount(found.upper[row], unit)}"
        value = amount(series.values[row], unit)
        reason = found.reasons()[row]
        typer.echo(f"{when:%Y-%m-%d %H:%M} {value}, expected {band} (score {found.score[row]:.2f}, {reason})")
    typer.echo(f"{len(told)} of {len(series.at)} samples would have been told; {target} shows them.")


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Labelled files in the layout of NAB.")],
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Score from which on one is told.")
    ] = 0.5,
) -> None:
    """Measure the detectors on labelled files: NAB's score, events, false alerts a day, VUS-PR."""
    import numpy as np  # noqa: PLC0415

    from ml.anomaly import measures, nab  # noqa: PLC0415
    from ml.anomaly.labelled import read_folder  # noqa: PLC0415
    from ml.anomaly.replay import replay as replayed  # noqa: PLC0415

    with _sentences(), _progress() as say:
        files = read_folder(folder)
        found = replayed(files, say)
    news = {name: each.news for name, each in found.items()}
    for profile in nab.PROFILES:
        best, fixed = nab.scored(files, news, profile), nab.scored_at(files, news, profile, threshold)
        left = _left_out(files, news, profile)
        typer.echo(f"NAB {profile.name}: {best.score:.1f}, {fixed:.1f} at {threshold:g}{left}")
    told = measures.events(files, news, threshold)
    typer.echo(
        f"events at {threshold:g}: precision {told.precision:.2f}, recall {told.recall:.2f}, "
        f"F1 {told.f1:.2f}, {told.false_a_day:.3f} false alerts a series-day"
    )
    volumes = [measures.vus_pr(file, found[file.name].score) for file in files if file.windows]
    typer.echo(f"VUS-PR: {np.mean(volumes) if volumes else float('nan'):.3f} over {len(volumes)} files")


def _left_out(files: list[Labelled], news: Mapping[str, Floats], profile: Profile) -> str:
    from ml.anomaly import nab  # noqa: PLC0415

    if len({file.group for file in files}) < 2:
        return ""
    score = nab.left_out(files, news, profile).score
    return f", {score:.1f} with the threshold of other folders"


@contextmanager
def _sentences() -> Iterator[None]:
    from ml.anomaly import SeriesError, StateError  # noqa: PLC0415

    try:
        yield
    except (SeriesError, StateError) as exc:
        raise ConfigError(str(exc)) from exc


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)
