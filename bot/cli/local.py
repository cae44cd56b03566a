from __future__ import annotations

import os

from bot.core.settings_loader import LoadedSettings, load_settings


def load_local() -> LoadedSettings:
    """The settings as the processes of `signalbox up` have them, where there is such an installation.

    A command then sees the same database, Redis and sandbox without being told of them.
    """
    from bot.supervisor.data_dir import saved_environment  # noqa: PLC0415  # see the package's docstring

    given = load_settings()
    made = saved_environment(given.settings.data_dir)
    if not made:
        return given
    return load_settings(env={**made, **os.environ})  # noqa: TID251  # the operator's word comes last
