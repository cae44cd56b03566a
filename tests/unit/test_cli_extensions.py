"""Command groups by entry point: only the one asked for is imported, and a broken one says so."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import typer
from typer.testing import CliRunner

from bot.cli import extensions
from bot.core.errors import ConfigError

pytestmark = pytest.mark.unit
TAGS = EntryPoint("tags", "plugins.autotag.cli:app", extensions.GROUP)
BROKEN = EntryPoint("broken", "no.such.module:app", extensions.GROUP)
NO_APP = EntryPoint("noapp", "json:dumps", extensions.GROUP)


def help_of(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(lambda: None)
    extensions.register(app, arguments, [TAGS, BROKEN])
    return CliRunner().invoke(app, [*arguments, "--help"]).output


def test_all_groups_are_listed_and_a_broken_one_does_no_harm() -> None:
    assert "Train and compare tagging models" in help_of()
    assert "broken" in help_of()


def test_the_group_asked_for_is_loaded() -> None:
    assert "promote" in help_of("tags")


@pytest.mark.parametrize(("entry", "said"), [(BROKEN, "ModuleNotFoundError"), (NO_APP, "is no Typer app")])
def test_a_broken_group_says_so_when_asked_for(entry: EntryPoint, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        extensions.register(typer.Typer(), [entry.name], [entry])
