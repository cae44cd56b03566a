"""Every parser of what strangers send, for a short time: no crash, no hang, no memory growth (`make fuzz`: longer)."""

from __future__ import annotations

import gc
import importlib.util
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.fuzz.mutation import mutate_json
from tests.fuzz.targets import seeds, targets

SECONDS = int(os.environ.get("SIGNALBOX_FUZZ_SECONDS", "15"))  # noqa: TID251  # about the test run
pytestmark = [pytest.mark.integration, pytest.mark.timeout(180 + SECONDS)]
GROWTH = 1_000_000


def test_no_input_that_reaches_new_code_is_a_crash_or_a_hang(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris has no build for this machine; the property tests draw without coverage.")
    argv = [sys.executable, "-m", "tests.fuzz", str(SECONDS), str(tmp_path / "corpus")]
    # A program begins with the peak memory of what it was started from, and this one may hold models by now: a shell
    # in between starts from nothing, so that the fuzzer's limit is about the parsers.
    shell = ["sh", "-c", '"$@"; exit $?', "sh", *argv]
    done = subprocess.run(shell, capture_output=True, text=True, check=False, timeout=SECONDS + 120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr


@pytest.mark.parametrize("name", [name for name in targets() if not name.endswith("-forged")])
def test_every_parser_is_reached_by_a_seed(name: str) -> None:
    """Else the fuzzer would only knock at closed doors."""
    target = targets()[name]
    assert any(type(target(seed)).__name__ in {"str", "NewEvent"} for seed in seeds())


def test_what_was_parsed_leaves_nothing_behind() -> None:
    draw, parsers = random.Random(7), list(targets().values())
    donors = [seed for seed in seeds() if seed.startswith(b"{")]
    inputs = [mutate_json(draw.choice(donors), draw, donors) or b"" for _ in range(300)]

    def all_of_them() -> None:
        for body in inputs:
            for parse in parsers:
                parse(body)

    all_of_them()  # caches fill
    gc.collect()
    tracemalloc.start()
    for _ in range(3):
        all_of_them()
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < GROWTH
