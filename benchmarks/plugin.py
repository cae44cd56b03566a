"""The plugin that the benchmarks load into the whole product: one webhook, one recorded step."""

from __future__ import annotations

from bot.plugin import Context, Hook, Plugin, on


def _touch(number: int) -> int:
    return number + 1


class Bench(Plugin):
    name = "bench"

    @on("generic.bench")
    def note(self, hook: Hook, ctx: Context) -> None:
        ctx.step("touch", _touch, number=int(hook.data["number"]))
