"""The newest revision is known without loading Alembic."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from bot.core import database

pytestmark = pytest.mark.unit


def test_the_highest_number_is_the_head_that_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert database.newest_revision() == ScriptDirectory.from_config(config).get_current_head()
