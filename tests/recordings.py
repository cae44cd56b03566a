"""Payloads recorded from a real Alertmanager. They are kept beside the project, not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "fixtures" / "alertmanager"


def recording(name: str) -> bytes:
    """A recorded body. Where there are none, the test is skipped, or the module that reads one first thing."""
    if not FOLDER.exists():
        reason = f"{FOLDER} is not there: recorded payloads are not part of the project."
        pytest.skip(reason, allow_module_level=True)
    return (FOLDER / name).read_bytes()
