"""Money, dates and names as people read them."""

from __future__ import annotations

from datetime import date

from bot.plugin import Markup, mention
from plugins.churn_digest.config import ChurnDigestConfig

_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
NAME_LENGTH = 80


def money(amount: float, currency: str) -> str:
    """An amount without cents.

    >>> money(12340.4, "EUR"), money(1.25e6, "CHF")
    ('€12,340', 'CHF 1,250,000')
    """
    sign = _SIGNS.get(currency)
    return f"{sign}{amount:,.0f}" if sign else f"{currency} {amount:,.0f}".strip()


def percent(probability: float) -> str:
    return f"{100 * probability:.0f}%"


def day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def short(text: str, limit: int = NAME_LENGTH) -> str:
    """One line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def owner(name: str, config: ChurnDigestConfig) -> Markup | str:
    """A mention where the settings know the owner; else the data's own words, as plain text."""
    user = config.user_of(name)
    return mention(user) if user else short(name)


def called(target: str) -> Markup:
    """A mention of a person, or of a user group (its id begins with S)."""
    return Markup(mrkdwn=f"<!subteam^{target}>") if target.startswith("S") else mention(target)
