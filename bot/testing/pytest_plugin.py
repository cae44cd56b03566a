"""For pytest: the fixture `kit_factory`, which makes kits and closes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bot.core.declare import Plugin
from bot.testing.kit import Kit


@pytest.fixture
def kit_factory() -> Iterator[Callable[..., Kit]]:
    """`kit_factory(MyPlugin, config={…})` is a Kit that ends with the test."""
    with ExitStack() as stack:

        def make(plugin: type[Plugin[Any]], **options: Any) -> Kit:
            return stack.enter_context(Kit(plugin, **options))

        yield make
