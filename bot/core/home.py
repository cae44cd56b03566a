"""How a person's Home tab looks: what each plugin has for them, and how to ask for more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.core.errors import Permanent
from bot.core.messages import Block, Divider, Message, Note, Section, md


def tab(slash: str, parts: Iterable[Sequence[Block]]) -> Message:
    blocks: list[Block] = [Section(text=md("*Signalbox* · `{} help` lists what you can do", slash))]
    for part in parts:
        blocks += [Divider(), *part] if part else []
    if len(blocks) == 1:
        blocks.append(Note(parts=("Nothing waits for you.",)))
    return Message(text="Signalbox", blocks=tuple(blocks), priority="high")


def part(plugin: str, blocks: Sequence[Block]) -> Message:
    """One plugin's part, whose buttons are its own.

    Raises:
        Permanent: a button that counts once, which needs a message that can tell who pressed it.
    """
    made = Message(text=plugin, blocks=tuple(blocks))
    if any(pressable.once for pressable in made.pressables()):
        raise Permanent("On the Home tab nobody sees who pressed: its buttons need `once=False`.")
    return made


def failed(plugin: str) -> Sequence[Block]:
    return (Note(parts=(md("{} could not be asked; an admin finds the reason in the log.", plugin),)),)
