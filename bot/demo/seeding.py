"""Filling an installation with a made-up history, once, and never beside what is real."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from importlib.metadata import EntryPoint
from pathlib import Path

from bot.core.database import Database
from bot.core.entry_points import load as load_entry_points
from bot.core.errors import ConfigError
from bot.core.inbox import Inbox
from bot.core.memory import Documents
from bot.core.settings import Settings
from bot.demo import traffic
from bot.demo.stage import Stage

GROUP = "signalbox.demo"
Fill = Callable[[Stage], None]
_OWNER, _KEY = "signalbox.demo", "filled"  # no plugin's name has a dot
_ELSEWHERE = "Start another installation for it: `signalbox up --data elsewhere`."
_OURS = ("schedule", "errand")
_MOST = 50


def load(found: Iterable[EntryPoint] | None = None) -> dict[str, Fill]:
    """What each plugin makes up."""
    return load_entry_points(GROUP, "demo data", found)


def require_empty(settings: Settings, db: Database) -> None:
    """Raises:
    ConfigError: something here is real, or it was filled before.
    """
    if (filled := filled_at(db)) is not None:
        raise ConfigError(f"Demo data was put here on {filled:%d %b %Y %H:%M} UTC already. {_ELSEWHERE}")
    if settings.environment == "production":
        raise ConfigError(f"This is a production environment: made-up data has no place here. {_ELSEWHERE}")
    if real := list(_real(settings)):
        raise ConfigError(
            f"This installation is connected to what is real ({', '.join(real)}): made-up data would stand "
            f"among it. {_ELSEWHERE}"
        )
    if (settings.data_dir / "churn" / "runs").is_dir():
        raise ConfigError(f"Customers have been scored here already. {_ELSEWHERE}")
    if not settings.web.sandbox_url and any(e.source not in _OURS for e in Inbox(db).recent(_MOST)):
        raise ConfigError(f"Events have come in here from outside already. {_ELSEWHERE}")


def fill(db: Database, now: datetime, data_dir: Path, fills: Mapping[str, Fill]) -> None:
    stage = Stage(db, now, data_dir)
    for make_up in (traffic.make_up, *fills.values()):
        make_up(stage)
    stage.close()


def mark(db: Database, now: datetime) -> None:
    """From now on the console says that this is no real installation."""
    Documents(db, _OWNER, lambda: now).put(_KEY, {"at": now.isoformat()})


def filled_at(db: Database) -> datetime | None:
    found = Documents(db, _OWNER).get(_KEY)
    return datetime.fromisoformat(found.data["at"]) if found else None


def _real(settings: Settings) -> Iterator[str]:
    """Systems that are set up and are not the sandbox's."""
    sandbox = settings.web.sandbox_url

    def outside(url: str) -> bool:
        return bool(url) and not (sandbox and url.startswith(sandbox))

    if settings.slack.bot_token is not None and outside(settings.slack.api_url):
        yield "Slack"
    addresses = {
        "Jira": settings.jira.url,
        "Zendesk": settings.zendesk.url,
        "Freshdesk": settings.freshdesk.url,
        "a helpdesk": settings.helpdesk.url,
        "Alertmanager": settings.alertmanager.url,
        "Prometheus": settings.prometheus.url,
        "customers' tables": settings.churn.source,
    }
    yield from (name for name, url in addresses.items() if outside(url))
    if settings.github.token is not None:
        yield "GitHub"
    if settings.generic:
        yield "webhooks"
