"""A series' labels as its name."""

from __future__ import annotations

import json
from collections.abc import Mapping


def series_name(labels: Mapping[str, str]) -> str:
    """The labels as one text, the same whatever their order."""
    return json.dumps(dict(labels), sort_keys=True, ensure_ascii=False)


def labels_of(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(name)
    return found


def text_of(labels: Mapping[str, str]) -> str:
    """Labels as PromQL writes them, without the braces."""
    return ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
