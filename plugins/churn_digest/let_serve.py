"""Letting a churn model serve from the command line: by the rules of the button, and recorded like it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from bot.cli import changes
from bot.cli.changes import Desk
from bot.core.errors import ConfigError, Transient
from bot.core.events import new_id
from bot.core.settings import Settings
from bot.plugin import Change
from ml.churn import registry, shadow, shelf
from ml.churn.errors import ModelTamperedError, ModelUnavailableError
from ml.churn.shadow import Beside
from ml.churn.shelf import Model, Shelf, Verdict
from plugins.churn_digest import candidates, model_changes
from plugins.churn_digest.config import ChurnDigestConfig

PLUGIN = "churn-digest"


def lacks(settings: Settings, name: str) -> str:
    """What a model still needs before it may serve, as a sentence; the same rule as the button's."""
    return candidates.why_not(*_asked(settings, name))


def offered(settings: Settings, name: str, why: str) -> Change | None:
    """What passed the gate: the change that Slack asks about, too. Whoever types authorises it."""

    def propose(desk: Desk) -> Change:
        offer = candidates.offer(*_asked(settings, name))
        if offer is None:  # nothing serves that it could have been compared with
            return _forced(settings, name, why or "No model serves.", desk)
        change = model_changes.promotion(offer, desk.changes)
        if change.ended:  # it was decided otherwise before
            change = model_changes.promotion(offer, desk.changes, again=new_id())
        return desk.changes.authorise(change.id, by=desk.me) if change.status == "assessed" else change

    return _let_serve(settings, name, why or "passed the gate", propose)


def forced(settings: Settings, name: str, why: str) -> Change | None:
    """Past the gate."""
    return _let_serve(settings, name, f"forced: {why}", lambda desk: _forced(settings, name, why, desk))


def first(settings: Settings, name: str) -> Change | None:
    """Where none served before."""

    def propose(desk: Desk) -> Change:
        return model_changes.first(_named(settings, name), desk.changes, settings.records.templates)

    return _let_serve(settings, name, "the first model", propose)


def rolled_back(settings: Settings, why: str) -> tuple[str, Change | None]:
    """Which model serves again."""
    folder = settings.data_dir / "churn"
    place = registry.before(folder)
    if place is None:
        raise ModelUnavailableError("No model served before this one, so there is nothing to go back to.")
    champion = shelf.read(folder).champion

    def propose(desk: Desk) -> Change:
        target, serving = _named(settings, place.name), champion.name if champion else ""
        return model_changes.rollback(target, serving, why, new_id(), desk.changes)

    words = f"rollback: {why}" if why else "rollback"
    return place.name, _let_serve(settings, place.name, words, propose, "churn.model_rolled_back")


def _let_serve(
    settings: Settings,
    name: str,
    why: str,
    propose: Callable[[Desk], Change],
    action: str = "churn.model_promoted",
) -> Change | None:
    """None when it could not be recorded: a database that is away keeps nobody from going back."""
    with ExitStack() as recorded:
        try:
            desk = recorded.enter_context(changes.desk(settings, PLUGIN))
            change = propose(desk)
            recorded.enter_context(desk.changes.carrying_out(change.id, after={"champion": name}))
        except Transient:
            _promote(settings, name, why)
            return None
        _promote(settings, name, f"{why}. Change {change.id}.")
        desk.audit.record(desk.me, action, name, after={"change": change.id, "why": why})
    return change


def _promote(settings: Settings, name: str, why: str) -> None:
    folder = settings.data_dir / "churn"
    try:
        registry.promote(folder, registry.home(folder) / name, by=changes.me(), why=why)
    except (ModelTamperedError, ModelUnavailableError) as exc:
        raise ConfigError(f"{exc} Nothing was changed.") from exc


def _forced(settings: Settings, name: str, why: str, desk: Desk) -> Change:
    champion = shelf.read(settings.data_dir / "churn").champion
    return model_changes.forced(_named(settings, name), champion, why, new_id(), desk.changes)


def _named(settings: Settings, name: str) -> Model:
    found = shelf.read(settings.data_dir / "churn").named(name)
    if found is None:
        raise ConfigError(f"{name} has no manifest that can be read; train anew, or restore a backup.")
    return found


def _asked(settings: Settings, name: str) -> tuple[Shelf, Verdict | None, list[Beside], int]:
    """A model as if it were the challenger, with what gate and shadow said of it."""
    config = ChurnDigestConfig.model_validate(settings.plugins.get(PLUGIN, {}))
    folder = settings.data_dir / "churn"
    found = shelf.read(folder)
    asked = found.model_copy(update={"challenger": found.named(name)})
    return asked, shelf.verdict(folder, name), shadow.of(folder, name), config.shadow_cycles
