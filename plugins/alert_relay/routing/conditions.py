from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        raise ValueError(f"{text!r} is not a regular expression: {exc}. Example: 'payments|billing'") from exc
    return text


class Conditions(BaseModel):
    """Which groups something is for. Every label named must fit; none named fits all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: dict[str, str] = Field(default_factory=dict, description="Labels and the values they must have.")
    match_re: dict[str, Annotated[str, AfterValidator(_pattern)]] = Field(
        default_factory=dict, description="Labels and regular expressions that their whole values must match."
    )

    def fits(self, labels: Mapping[str, str]) -> bool:
        return self.misfit(labels) is None

    def misfit(self, labels: Mapping[str, str]) -> str | None:
        """The first label that does not fit, as a sentence's part; None when all do."""
        for name, value in self.match.items():
            if labels.get(name, "") != value:
                return f"{name} is {labels.get(name, '')!r}, not {value!r}"
        for name, pattern in self.match_re.items():
            if not re.fullmatch(pattern, labels.get(name, "")):
                return f"{name} is {labels.get(name, '')!r}, which {pattern!r} does not match"
        return None
