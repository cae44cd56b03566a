"""Runs one command of the pipeline to its end: `python -m plugins.churn_digest.job FOLDER HOURS COMMAND…`.

It outlives the worker that started it. What came of it stands in FOLDER/result.json, the output in
FOLDER/output.log; a lock keeps a second one of the same folder's parent from running beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from ml.churn import trouble

RESULT, OUTPUT, LOCK = "result.json", "output.log", "running.lock"
TOO_LONG, BUSY = 124, 75
"""Exit statuses as timeout(1) and sysexits(3) have them."""


def main(folder: Path, hours: float, command: list[str]) -> int:
    began = time.monotonic()
    try:
        with FileLock(folder.parent / LOCK, timeout=0):
            status = run(folder, hours, command)
    except Timeout:
        status = BUSY
    if status != BUSY:
        for told in (command[0], "mlflow"):  # the job itself is told of, with its last words
            trouble.clear(folder.parents[2], told)
    result = {"status": status, "seconds": round(time.monotonic() - began, 1)}
    part = folder / f"{RESULT}.part"
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(folder / RESULT)
    return status


def run(folder: Path, hours: float, command: list[str]) -> int:
    with (folder / OUTPUT).open("wb") as output:
        try:
            done = subprocess.run(  # noqa: S603  # our own command line; nothing in it comes from outside
                [sys.executable, "-m", "bot", "churn", *command],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=hours * 3600,
            )
        except subprocess.TimeoutExpired:
            return TOO_LONG
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
