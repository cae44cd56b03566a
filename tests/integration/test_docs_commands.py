"""Every `signalbox …` that the documentation shows: it parses, and a test runs it."""

from __future__ import annotations

import copy
import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bot.cli import extensions
from bot.cli.main import app
from bot.core.database import Database

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/examples").glob("*/README.md")),
]
FENCED = re.compile(r"^```(?:sh)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(signalbox [a-z][^`]*)`")
LINE = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:.*&& )?(signalbox [a-z].*)$", re.MULTILINE)

RUN_HERE = {
    "version": ["version"],
    "demo seed": ["demo", "seed"],
    "manifest": ["manifest", "--url", "https://bot.example.com"],
    "console": ["console", "--url", "https://bot.example.com"],
    "plugins list": ["plugins", "list"],
    "plugins new": ["plugins", "new", "on-duty"],
    "inbox list": ["inbox", "list", "--status", "dead"],
    "records list": ["records", "list", "--type", "change", "--status", "assessed"],
    "records report": ["records", "report", "--days", "30"],
    "records export": ["records", "export"],
    "audit verify": ["audit", "verify"],
    "audit export": ["audit", "export"],
    "tokens create": ["tokens", "create", "ci", "--scope", "read", "--days", "90"],
    "backup key": ["backup", "key"],
    "backup create": ["backup", "create"],
    "backup list": ["backup", "list"],
    "backup prune": ["backup", "prune"],
    "slack workspaces": ["slack", "workspaces"],
    "mitigations list": ["mitigations", "list"],
    "mitigations runs": ["mitigations", "runs"],
    "mitigations stop": ["mitigations", "stop", "why"],
    "mitigations resume": ["mitigations", "resume", "why"],
    "incidents list": ["incidents", "list", "--all"],
    "alerts stats": ["alerts", "stats", "--days", "30"],
    "models list": ["models", "list"],
    "privacy erase": ["privacy", "erase", "--yes", "SUP-17"],
}
"""Command to what is run in a new installation."""

SEED = ROOT / "ml" / "tagging" / "seed"
STORIES = {
    "tags": [
        ["tags", "train", f"{SEED / 'train.jsonl'}", "--mode", "head", "--out", "models/2026-11"],
        ["tags", "evaluate", f"{SEED / 'heldout.jsonl'}", "--model", "models/2026-11"],
        ["tags", "promote", "models/2026-11", "--data", f"{SEED / 'heldout.jsonl'}"],
        ["tags", "export", "to-hand-on"],
    ],
    "churn": [
        ["churn", "demo", "--customers", "300"],
        ["churn", "etl", "data/churn/demo"],
        ["churn", "audit"],
        ["churn", "train"],
        ["churn", "score"],
        ["models", "list"],
        ["models", "promote", "--force", "--why", "shown in the documentation"],
        ["models", "rollback"],
    ],
    "plugins": [["plugins", "disable", "autotag", "--why", "a test"], ["plugins", "enable", "autotag"]],
    "alerts": [["alerts", "simulate", "--config", "signalbox.toml", "--days", "30"]],
}
"""Commands that need what those before them made."""

RUN_IN = {
    "up": "tests/e2e/test_up.py",
    "web": "tests/integration/test_compose.py",
    "worker": "tests/integration/test_compose.py",
    "beat": "tests/integration/test_compose.py",
    "doctor": "tests/e2e/test_up.py",
    "slack install-link": "tests/e2e/test_slack_workspaces_live.py",
    "slack forget": "tests/e2e/test_slack_workspaces_live.py",
    "demo incident": "tests/e2e/test_documented_commands.py",
    "records review": "tests/unit/test_records_review.py",
    "records show": "tests/integration/test_changes_everywhere.py",
    "inbox replay": "tests/e2e/test_documented_commands.py",
    "inbox show": "tests/e2e/test_documented_commands.py",
    "tags backfill": "tests/e2e/test_documented_commands.py",
    "tags collect": "tests/e2e/test_documented_commands.py",
    "incidents export": "tests/e2e/test_incidents_live.py",
    "anomalies watch": "tests/e2e/test_anomaly_chain.py",
    "anomalies replay": "tests/unit/test_anomaly_measures.py",
    "anomalies evaluate": "tests/unit/test_anomaly_measures.py",
}
"""Command to the test that runs it, where it needs more than an empty installation."""


PLACES = {"backup restore", "backup verify", "tokens revoke"}
"""Commands that the last tests run."""


def _shown() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = "\n".join(FENCED.findall(text)).replace("\\\n", " ")
        lines = [*LINE.findall(blocks), *INLINE.findall(FENCED.sub("", text))]
        found += [(page.name, line) for line in lines]
    return found


def _argv(line: str) -> list[str]:
    """What stands before a comment, a pipe or a redirection; `[optional]` parts are left out."""
    line = re.split(r"\s{2,}|\s#|\s[|>]\s|;", line)[0]
    line = re.sub(r"\[[^\]]*\]", "", line).replace("…", "SOMETHING")
    return shlex.split(line)[1:]


def _app(argv: list[str]) -> typer.Typer:
    """The command line as `main` builds it for these words."""
    whole = copy.copy(app)
    whole.registered_groups = [*app.registered_groups]
    extensions.register(whole, argv)
    return whole


def _leaf(argv: list[str]) -> tuple[str, Any, list[str]]:
    """The command's words, the command, and what is left for it."""
    command: Any = typer.main.get_command(_app(argv))
    words, rest = [], list(argv)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        words.append(rest[0])
        command = command.commands.get(rest.pop(0))
        assert command is not None, f"there is no command {' '.join(words)}"
    return " ".join(words), command, rest


SHOWN = sorted({(page, line) for page, line in _shown() if _argv(line)})


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=[f"{page}: {line}"[:80] for page, line in SHOWN])
def test_it_is_a_command_with_these_options(page: str, line: str) -> None:
    name, command, rest = _leaf(_argv(line))
    parser = command.make_parser(command.context_class(command, info_name=name))
    _, left, _ = parser.parse_args(list(rest))
    assert left == [], "it takes fewer arguments"


def test_every_command_shown_is_run_by_a_test() -> None:
    leaves = {_leaf(_argv(line))[0] for _, line in SHOWN}
    groups = {leaf for leaf in leaves if hasattr(_leaf(leaf.split())[1], "commands")}
    told = {" ".join(argv[:2]) for story in STORIES.values() for argv in story}
    assert [file for file in RUN_IN.values() if not (ROOT / file).is_file()] == []
    assert sorted(leaves - groups - set(RUN_HERE) - set(RUN_IN) - told - PLACES) == []


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with nothing but a secret key and an empty settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGNALBOX_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("SIGNALBOX_DATA_DIR", "data")
    (tmp_path / "signalbox.toml").touch()
    Database(f"sqlite:///{tmp_path / 'data' / 'signalbox.db'}").migrate()
    return tmp_path


def _run(argv: list[str]) -> str:
    ran = CliRunner().invoke(_app(argv), argv)
    assert ran.exit_code == 0, ran.output + repr(ran.exception)
    return ran.output


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize("argv", RUN_HERE.values(), ids=RUN_HERE.keys())
def test_it_runs_in_a_new_installation(argv: list[str]) -> None:
    _run(argv)


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_a_story_runs_from_its_beginning_to_its_end(story: list[list[str]]) -> None:
    if story[0][0] == "churn" and importlib.util.find_spec("lightgbm") is None:
        pytest.skip("The train extra is not installed: make train-deps")
    for argv in story:
        _run(argv)


def test_a_backup_is_verified_and_restored_into_an_empty_place(
    installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(["backup", "create"])
    _run(["backup", "verify"])
    [archive] = (installation / "data" / "backups").glob("signalbox-*.tar.gz")
    monkeypatch.setenv("SIGNALBOX_DATA_DIR", "elsewhere")
    _run(["backup", "restore", f"{archive}"])
    assert (installation / "elsewhere" / "signalbox.db").is_file()


@pytest.mark.usefixtures("installation")
def test_a_token_is_made_and_revoked() -> None:
    _run(["tokens", "create", "ci", "--scope", "read", "--days", "90"])
    _run(["tokens", "revoke", re.findall(r"│ (\w+)", _run(["tokens", "list"]))[0]])
