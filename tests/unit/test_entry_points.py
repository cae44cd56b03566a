"""What installed packages bring is loaded by name; what is wrong with it is a sentence."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bot.core import entry_points
from bot.core.errors import ConfigError

pytestmark = pytest.mark.unit
GROUP = "signalbox.things"


def load(*found: tuple[str, str]) -> dict[str, object]:
    return entry_points.load(GROUP, "thing", [EntryPoint(name, value, GROUP) for name, value in found])


def test_they_come_in_the_order_of_their_names() -> None:
    assert list(load(("b", "json:dumps"), ("a", "json:loads"))) == ["a", "b"]


@pytest.mark.parametrize("value", ["no_such_package:thing", "json:no_such_name", "broken_thing:thing"])
def test_what_can_not_be_imported_is_named_with_what_to_do(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_thing.py").write_text("thing = 1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        ConfigError, match=rf"The thing 'a' \({value}\) can't be imported: .* or uninstall it"
    ):
        load(("a", value))


def test_of_two_with_one_name_neither_takes_the_other_s_place() -> None:
    with pytest.raises(
        ConfigError, match="Two installed packages bring the thing 'a': json:dumps and json:loads"
    ):
        load(("a", "json:dumps"), ("a", "json:loads"))


def test_the_same_one_found_twice_is_one() -> None:
    assert list(load(("a", "json:dumps"), ("a", "json:dumps"))) == ["a"]
