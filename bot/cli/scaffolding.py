"""A new plugin from templates: package, config, tests, README."""

from __future__ import annotations

import re
from pathlib import Path

from bot.core.declare import API_VERSION
from bot.core.errors import ConfigError

_TEMPLATES = Path(__file__).parent / "scaffold"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def create(name: str, folder: Path) -> list[Path]:
    """Write a plugin's package to `folder`; returns the files.

    Raises:
        ConfigError: the name is not one, or something stands there already.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # for this command only

    if not _NAME.fullmatch(name) or not 2 <= len(name) <= 40:  # what the kernel accepts
        raise ConfigError(
            f"{name!r} is no name for a plugin. Use 2 to 40 lower-case letters, digits and hyphens, such as "
            "on-duty."
        )
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; name another folder with --folder, nothing was written.")
    # Text files of a package are not HTML: nothing is to be escaped.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )
    module = "signalbox_" + name.replace("-", "_")
    words = {
        "name": name,
        "module": module,
        "cls": "".join(part.capitalize() for part in name.split("-")),
        "title": name.replace("-", " ").capitalize(),
        "api": API_VERSION,
    }
    written = []
    for template in sorted(environment.list_templates(extensions=["j2"])):
        place = folder / template.removesuffix(".j2").replace("module/", f"{module}/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(environment.get_template(template).render(words), encoding="utf-8")
        written.append(place)
    return written
