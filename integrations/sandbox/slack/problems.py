"""Collects what is wrong with a Block Kit value, in Slack's wording."""

from typing import Any


class Problems(list[str]):
    def add(self, at: str, message: str) -> None:
        self.append(f"{message} [json-pointer:{at}]")

    def length(self, value: Any, at: str, most: int) -> None:
        """An optional string."""
        if value is None:
            return
        if not isinstance(value, str):
            self.add(at, "must be a string")
        elif len(value) > most:
            self.add(at, f"must be less than {most + 1} characters")

    def required_length(self, value: Any, at: str, most: int) -> None:
        if value is None:
            self.add(at, f"missing required field: {at.rsplit('/', 1)[-1]}")
        elif value == "":
            self.add(at, "must be more than 0 characters")
        else:
            self.length(value, at, most)

    def text(self, value: Any, at: str, most: int, *, plain: bool = False) -> None:
        """A required text object."""
        if not isinstance(value, dict):
            self.add(at, f"missing required field: {at.rsplit('/', 1)[-1]}")
            return
        kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
        if value.get("type") not in kinds:
            self.add(f"{at}/type", f"must be one of: {', '.join(kinds)}")
        self.required_length(value.get("text"), f"{at}/text", most)

    def items(self, value: Any, at: str, most: int, *, least: int = 0) -> list[Any]:
        """A list; optional when `least` is zero."""
        if value is None and least == 0:
            return []
        if not isinstance(value, list):
            self.add(at, f"missing required field: {at.rsplit('/', 1)[-1]}")
            return []
        if len(value) < least:
            self.add(at, f"must provide at least {least} items")
        if len(value) > most:
            self.add(at, f"no more than {most} items allowed")
        return value
