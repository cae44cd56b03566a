"""Coverage-guided fuzzing of every parser of what strangers send: `python -m tests.fuzz SECONDS [FOLDER]`.

libFuzzer changes bytes and keeps what reaches new code (atheris). A crash, an exception that is no refusal, ten
seconds on one input or a gigabyte of memory ends it with a failure and the input in a file.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bot.slack", "bot.webhooks", "integrations"]):
    from tests.fuzz.mutation import mutate_json
    from tests.fuzz.targets import seeds, targets

INSIDE, OTHER_PARSER = 0.7, 0.05
DONORS = [seed for seed in seeds() if seed.startswith(b"{")]
TARGETS = list(targets().values())


def one_input(data: bytes) -> None:
    """The first byte chooses the parser."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """Half the time within the JSON, else any byte; sometimes for another parser."""
    draw = random.Random(seed)
    chosen = bytes([draw.randrange(len(TARGETS))]) if draw.random() < OTHER_PARSER else data[:1]
    inside = mutate_json(data[1:], draw, DONORS) if draw.random() < INSIDE else None
    changed = chosen + inside if inside is not None else atheris.Mutate(data, most)
    return changed[:most]


def main() -> None:
    seconds = int(sys.argv[1])
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="signalbox-fuzz-"))
    folder.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds()):
        for chosen in range(len(TARGETS)):
            (folder / f"seed-{number}-{chosen}").write_bytes(bytes([chosen]) + seed)
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=20000", "-seed=7"]
    atheris.Setup(
        [sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(folder)], one_input, custom_mutator=mutated
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
