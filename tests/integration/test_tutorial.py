"""The tutorial's plugin, made from its own words: installed from outside the tree, loaded, tested."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from bot.core.settings import Settings
from tests.integration.test_plugin_packages import check, run_there

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
FILES = re.compile(r"^`([\w/]+\.py)`:\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_following_the_tutorial_ends_with_a_working_plugin(tmp_path: Path) -> None:
    made = run_there([sys.executable, "-m", "bot", "plugins", "new", "handover"], tmp_path, ROOT)
    assert made.returncode == 0, made.stderr
    package = tmp_path / "signalbox-handover"
    files = dict(FILES.findall(TEXT))
    assert sorted(files) == [
        "signalbox_handover/config.py", "signalbox_handover/plugin.py", "tests/test_plugin.py",
    ]  # fmt: skip
    for name, content in files.items():
        assert (package / name).is_file(), f"{name} was not made by `plugins new`"
        (package / name).write_text(content, encoding="utf-8")
    check(package, tmp_path / "site")


def test_its_settings_are_valid() -> None:
    [toml] = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    settings = Settings.model_validate(tomllib.loads(toml))
    assert settings.roles["responder"].permissions == ("handover.take",)
