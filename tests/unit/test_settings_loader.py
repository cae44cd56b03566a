"""Where settings come from, who wins, and what the operator is told about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.errors import ConfigError
from bot.core.settings_loader import KNOWN, LoadedSettings, load_settings

pytestmark = pytest.mark.unit
SECRET = "xoxb-do-not-show"


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "signalbox.toml"


def load(toml: Path, text: str = "", **env: str) -> LoadedSettings:
    toml.write_text(text)
    return load_settings(toml, env)


def words(toml: Path, text: str = "", **env: str) -> str:
    """What the operator is told."""
    with pytest.raises(ConfigError) as told:
        load(toml, text, **env)
    assert SECRET not in str(told.value)
    assert SECRET not in repr(told.value)
    return str(told.value)


# --- who wins ----------------------------------------------------------------------------------------


def test_a_default_has_no_origin(toml: Path) -> None:
    loaded = load(toml)
    assert (loaded.settings.web.port, loaded.origins) == (8000, {})


def test_the_environment_lies_over_the_file(toml: Path) -> None:
    loaded = load(toml, "[web]\nport = 1\nhost = '::1'\n", SIGNALBOX_WEB__PORT="2")
    assert (loaded.settings.web.port, loaded.settings.web.host) == (2, "::1")
    assert loaded.origins == {"web.port": "SIGNALBOX_WEB__PORT", "web.host": str(toml)}


def test_a_secrets_file_lies_over_all_and_loses_its_last_line_end(toml: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    env = {"SLACK_BOT_TOKEN": "from-env", "SLACK_BOT_TOKEN_FILE": str(file)}
    loaded = load(toml, "[slack]\nbot_token = 'from-toml'\n", **env)
    assert loaded.settings.slack.bot_token is not None
    assert loaded.settings.slack.bot_token.get_secret_value() == "from-file"
    assert loaded.origins["slack.bot_token"] == "SLACK_BOT_TOKEN_FILE"


@pytest.mark.parametrize(
    ("ecosystem", "own"),
    [("SLACK_API_URL", "SLACK__API_URL"), ("JIRA_URL", "JIRA__URL"), ("SLACK_CLIENT_ID", "SLACK__CLIENT_ID")],
)
def test_our_own_name_lies_over_the_ecosystems(toml: Path, ecosystem: str, own: str) -> None:
    loaded = load(toml, **{ecosystem: "http://theirs", f"SIGNALBOX_{own}": "http://ours"})
    section, field = KNOWN[ecosystem]
    assert getattr(getattr(loaded.settings, section), field) == "http://ours"


def test_an_empty_variable_is_as_good_as_none(toml: Path) -> None:
    loaded = load(toml, "[web]\nport = 5\n", SLACK_BOT_TOKEN="", JIRA_API_TOKEN="", SIGNALBOX_WEB__PORT="")
    assert (loaded.settings.slack.bot_token, loaded.settings.jira.api_token) == (None, None)
    assert loaded.settings.web.port == 5
    assert "slack.bot_token" not in loaded.origins


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_the_ecosystems_names_reach_their_setting(toml: Path, name: str) -> None:
    loaded = load(toml, **{name: "http://value"})
    assert loaded.origins == {".".join(KNOWN[name]): name}


def test_lists_and_tables_in_the_environment(toml: Path) -> None:
    loaded = load(
        toml,
        SIGNALBOX_DISABLED_PLUGINS="autotag, daily-digest",
        SIGNALBOX_ROLES__ONCALL__MEMBERS="@oncall,U1",
        SIGNALBOX_API_TOKENS__ADMIN=SECRET,
    ).settings
    assert loaded.disabled_plugins == ("autotag", "daily-digest")
    assert loaded.roles["oncall"].members == ("@oncall", "U1")
    assert loaded.api_tokens["admin"].get_secret_value() == SECRET


def test_the_file_can_be_named_by_the_environment(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("log_level = 'debug'\n")
    assert load_settings(env={"SIGNALBOX_CONFIG": str(other)}).settings.log_level == "debug"


# --- what is wrong -----------------------------------------------------------------------------------


def test_a_wrong_value_names_setting_origin_expectation_and_example(toml: Path) -> None:
    told = words(toml, SIGNALBOX_WEB__PORT="eighty")
    assert "web.port" in told
    assert "SIGNALBOX_WEB__PORT" in told
    assert "valid integer" in told
    assert "port = 8000" in told


def test_every_wrong_setting_is_named_at_once(toml: Path) -> None:
    told = words(toml, "log_level = 'loud'\n[web]\nport = 70000\n").splitlines()
    assert len(told) == 2
    assert all(str(toml) in line for line in told)
    assert any("'debug', 'info', 'warning' or 'error'" in line for line in told)


@pytest.mark.parametrize(
    ("text", "near"),
    [("[slack]\nbot_tokn = 'xoxb-do-not-show'\n", "bot_token"), ("databse_url = 'x'\n", "database_url")],
)
def test_a_misspelt_setting_is_told_its_neighbour(toml: Path, text: str, near: str) -> None:
    assert f"Did you mean '{near}'" in words(toml, text)


def test_a_misspelt_variable_is_told_its_neighbour(toml: Path) -> None:
    told = words(toml, SIGNALBOX_WEB__PROT="80")
    assert "SIGNALBOX_WEB__PROT" in told
    assert "'port'" in told


@pytest.mark.parametrize(
    "text",
    [
        f"[slack]\nbot_token = ['{SECRET}']\n",
        f"slack = '{SECRET}'\n",
        f"[api_tokens]\nadmin = {{x = '{SECRET}'}}\n",
        f"[slack]\nbot_token = '{SECRET}\n",
    ],
)
def test_a_wrong_secret_is_never_shown(toml: Path, text: str) -> None:
    assert words(toml, text)


def test_a_secrets_file_that_is_missing_is_named(toml: Path, tmp_path: Path) -> None:
    told = words(toml, JIRA_API_TOKEN_FILE=str(tmp_path / "gone"))
    assert "JIRA_API_TOKEN_FILE" in told
    assert "No such file" in told


def test_a_settings_file_that_was_asked_for_must_exist_and_be_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml does not exist"):
        load_settings(env={"SIGNALBOX_CONFIG": str(tmp_path / "gone.toml")})
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"bad\.toml is not valid TOML"):
        load_settings(tmp_path / "bad.toml", {})


def test_limits_that_would_run_a_handler_twice_are_refused(toml: Path) -> None:
    told = words(toml, "[workers]\nhard_time_limit = 300\n")
    assert "workers" in told
    assert "lease_seconds" in told


def test_no_secret_stands_in_the_representation(toml: Path) -> None:
    loaded = load(
        toml,
        f"[plugins.toy]\nkey = '{SECRET}'\n[generic.deploys]\nsecret = '{SECRET}'\n",
        SLACK_BOT_TOKEN=SECRET,
        SLACK_SIGNING_SECRET=SECRET,
        SIGNALBOX_SECRET_KEY=SECRET,
        DATABASE_URL=f"postgresql://u:{SECRET}@db/x",
        REDIS_URL=f"redis://:{SECRET}@redis/0",
    )
    assert SECRET not in repr(loaded) + str(loaded.settings)
