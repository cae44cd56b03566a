"""signalbox mitigations: what is declared, what ran, a dry run, and the kill switch."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from bot.cli.local import load_local
from bot.core.context import COMMAND_LINE, Context
from bot.core.declare import Handler
from bot.core.errors import ConfigError, Refused, SignalboxError
from bot.core.events import Event, Payload, new_id
from bot.core.kernel import Kernel, build_kernel
from bot.core.texts import printable
from plugins.alert_relay.mitigation import actuator, switch, telling, templates
from plugins.alert_relay.mitigation.declarations import Rules
from plugins.alert_relay.mitigation.ledger import RECORD, Ledger

PLUGIN = "alert-relay"
_DRY_RUN_SECONDS = 10.0
app = typer.Typer(no_args_is_help=True, help="Mitigations of alerts: list, dry-run, runs, stop, resume.")
Why = Annotated[str, typer.Argument(help="Why; said to whoever is refused.")]


@app.command("list")
def list_() -> None:
    """List the declared mitigations, and whether they may run."""
    with _opened() as (ctx, rules):
        held = switch.present(ctx, observe_only=rules.policy.observe_only)
        typer.echo(f"switch: {held.mode}{f' ({held.reason})' if held.reason else ''}")
        on = Ledger(ctx, rules).auto_on()
        for found in rules.mitigations:
            auto = (
                "" if found.auto is None else ", by itself" if on.get(found.name) else ", by itself (paused)"
            )
            turn = f", after {found.follows}" if found.follows else ""
            typer.echo(
                f"{found.name}: {found.title} [{found.executor}], approvals {found.approvals}{turn}{auto}"
            )


@app.command()
def runs(limit: Annotated[int, typer.Option(min=1, help="How many transitions.")] = 20) -> None:
    """Show the newest transitions of runs."""
    with _opened() as (ctx, _):
        for record in ctx.records.find(RECORD, limit=limit):
            data = record.data
            what = f"{data['mitigation']} on {telling.targets(data['targets'])}"
            typer.echo(
                f"{record.at:%Y-%m-%d %H:%M:%S} {data['run'][:8]} {printable(what)}: {data['status']} "
                f"{printable(data['text'])}"
            )


@app.command()
def stop(why: Why = "") -> None:
    """Let nothing start any more; what waits for approval is refused."""
    _switch("stop", why)


@app.command()
def observe(why: Why = "") -> None:
    """Go through everything and run nothing."""
    _switch("observe", why)


@app.command()
def resume(why: Why = "") -> None:
    """Let mitigations run again."""
    _switch("run", why)


@app.command("dry-run")
def dry_run(
    name: Annotated[str, typer.Argument(help="Name of the mitigation.")],
    label: Annotated[list[str] | None, typer.Option(help="A label of the alert, as name=value.")] = None,
) -> None:
    """Say what a mitigation would do to an alert with these labels; nothing is changed."""
    with _opened() as (ctx, rules):
        found = rules.get(name)
        if found is None:
            raise ConfigError(
                f"No mitigation is declared as {name!r}. `signalbox mitigations list` shows them."
            )
        labels = dict(_pair(text) for text in label or [])
        if not found.fits(labels):
            typer.echo(f"An alert with these labels would not offer {found.title!r}.")
        parameters = templates.fill(found.parameters, labels, "The parameter")
        executor = actuator.find(ctx.executors, found.executor)
        plan = actuator.Actuator(executor, parameters, _DRY_RUN_SECONDS).plan()
        typer.echo(f"{plan.effect}\ntargets: {', '.join(plan.targets)}\nhealthy: {plan.healthy}")


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise ConfigError(f"{text!r} is no label. Give it as name=value, e.g. --label service=checkout.")
    return name, value


def _switch(mode: switch.Mode, why: str) -> None:
    _mark(mode)
    with _opened() as (ctx, rules):
        done = Ledger(ctx, rules).set_switch(mode, f"{getpass.getuser()} (command line)", why)
        held = switch.present(ctx, observe_only=rules.policy.observe_only)
        typer.echo(f"switch: {held.mode}{f' ({held.reason}). {held.remedy}' if held.reason else ''}")
        typer.echo(f"It is an emergency change; say how it went: signalbox records review {done.id}")


def _mark(mode: switch.Mode) -> None:
    """The file first: it stops this node even while the database is away."""
    path = load_local().settings.data_dir / switch.FILE
    if mode == "stop":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _opened() -> Iterator[tuple[Context, Rules]]:
    """The plugin's memory as it is now; faults are sentences and an exit status."""
    kernel: Kernel | None = None
    try:
        kernel = build_kernel(load_local().settings)
        yield _context(kernel), _rules(kernel)
    except (Refused, SignalboxError) as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc
    finally:
        if kernel is not None:
            kernel.close()


def _plugin(kernel: Kernel) -> Any:
    found = kernel.registry.plugins.get(PLUGIN)
    if found is None:
        why = next((status.detail for status in kernel.registry.report if status.name == PLUGIN), "")
        raise ConfigError(f"The plugin {PLUGIN!r} is not loaded: {why or 'it is not installed'}")
    return found


def _rules(kernel: Kernel) -> Rules:
    rules: Rules = _plugin(kernel).config.rules
    return rules


def _context(kernel: Kernel) -> Context:
    handler: Handler = next(_plugin(kernel).handlers())
    me = f"cli:{getpass.getuser()}"
    now = Event(new_id(), COMMAND_LINE, COMMAND_LINE, "mitigations", kernel.clock(), me)
    return Context(kernel, now, handler, Payload())
