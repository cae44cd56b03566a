"""Payloads recorded from a real Alertmanager and a real Prometheus. They are kept beside the project, not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2] / "shared" / "fixtures"
FOLDER = FIXTURES / "alertmanager"


def recording(name: str, folder: Path = FOLDER) -> bytes:
    """A recorded body. Where there are none, the test is skipped, or the module that reads one first thing."""
    if not folder.exists():
        reason = f"{folder} is not there: recorded payloads are not part of the project."
        pytest.skip(reason, allow_module_level=True)
    return (folder / name).read_bytes()
