"""Runs in Errbot's own virtual environment: `python errbot_peer.py PLUGINS COMMANDS`, prints JSON.

Errbot's test backend takes messages from a queue, runs them in its pool and renders the answers.
"""

import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from errbot.backends.test import TestBot  # type: ignore[import-not-found]  # only in its own environment

AHEAD = 1000
PLUGIN = """
from errbot import BotPlugin, botcmd
class Bench{n}(BotPlugin):
    @botcmd
    def bench{n}(self, msg, args):
        return "ok"
"""
MANIFEST = "[Core]\nName = Bench{n}\nModule = bench{n}\n[Python]\nVersion = 3\n"


def main(plugins: int, commands: int) -> None:
    logging.disable(logging.CRITICAL)
    bot = TestBot(extra_plugin_dir=_plugins(plugins), loglevel=logging.CRITICAL)
    bot.start()
    latencies = sorted(_ask(bot, f"!bench{n % plugins}") for n in range(commands))
    pipelined = _pipelined(bot, plugins, commands)
    print(
        json.dumps(
            {
                "lockstep": commands / sum(latencies),
                "p50": latencies[commands // 2],
                "p99": latencies[int(commands * 0.99)],
                "pipelined": pipelined,
            }
        ),
        flush=True,
    )
    bot.stop()


def _plugins(count: int) -> str:
    folder = Path(tempfile.mkdtemp(prefix="errbot-bench-"))
    for n in range(count):
        place = folder / f"bench{n}"
        place.mkdir()
        (place / f"bench{n}.py").write_text(PLUGIN.format(n=n))
        (place / f"bench{n}.plug").write_text(MANIFEST.format(n=n))
    return str(folder)


def _ask(bot: Any, command: str) -> float:
    started = time.perf_counter()
    bot.push_message(command)
    answer = bot.pop_message(timeout=10)
    assert answer == "ok", answer
    return time.perf_counter() - started


def _pipelined(bot: Any, plugins: int, commands: int) -> float:
    """Messages per second with up to a thousand in flight."""
    started = time.perf_counter()
    for first in range(0, commands, AHEAD):
        batch = min(AHEAD, commands - first)
        for n in range(batch):
            bot.push_message(f"!bench{n % plugins}")
        for _ in range(batch):
            bot.pop_message(timeout=10)
    return commands / (time.perf_counter() - started)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
