"""A believable history for a new installation, so that every page shows something: `signalbox demo seed`.

What is made up is marked: keys begin with DEMO, and the console says on every page that it is not real.
An entry point of the group `signalbox.demo` names a function that is given a `Stage` to write on.
"""

from bot.demo.seeding import GROUP, fill, filled_at, load, mark, require_empty
from bot.demo.stage import Effect, Stage

__all__ = ["GROUP", "Effect", "Stage", "fill", "filled_at", "load", "mark", "require_empty"]
