"""Settings from environment variables and from a file .env."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.errors import Dynamics365Error
from tap_dynamics365.login.config import configured
from tap_dynamics365.settings import Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.settings.environment import PREFIX
from tests.login.program import running, variables
from tests.settings.configs import OFFLINE, SECRET
from tests.settings.test_checks import INTEGERS
from tests.tap import EXECUTABLE, FORKED, SECONDS, Run, Tap, begin, in_one_mode

if TYPE_CHECKING:
    from sandbox.client import Sandbox


def read(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    """Read the settings in variables, as a command does."""
    for name, value in {**OFFLINE, **values}.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    return Settings.from_config(configured(()), CONFIG_SCHEMA)


def refusal(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    """Read the settings in variables that are refused, and return the message."""
    with pytest.raises(Dynamics365Error) as caught:
        read(monkeypatch, **values)
    assert "\n" not in caught.value.message
    assert SECRET not in caught.value.message
    return caught.value.message


def test_variables_of_all_types_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(
        monkeypatch, fetch_size="250", show_name_columns="true", tables='["team", "new_*"]'
    )
    assert settings.service_url == OFFLINE["service_url"]
    assert (settings.fetch_size, settings.show_name_columns) == (250, True)
    assert settings.tables == ("team", "new_*")


def test_variable_with_names_and_commas_is_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, tables="team,new_*").tables == ("team", "new_*")


@pytest.mark.parametrize("name", ["SHOW_NAME_COLUMNS", "FLATTENING_ENABLED"])
@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        *((value, True) for value in ("true", "YES", "1", "on")),
        *((value, False) for value in ("false", "No", "0", "off")),
    ],
)
def test_variable_of_a_boolean_may_be_written_in_several_ways(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, *, meaning: bool
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    assert configured(())[name.lower()] is meaning


@in_one_mode
@pytest.mark.parametrize("value", ["true", ""])
def test_tap_with_all_settings_in_variables_extracts(
    service: Sandbox, tap: Tap, value: str
) -> None:
    given = {f"{PREFIX}{name.upper()}": str(value) for name, value in tap.settings.items()}
    flattening = {"FLATTENING_ENABLED": value, "FLATTENING_MAX_DEPTH": "1", "TABLES": "team"}
    given |= {f"{PREFIX}{name}": value for name, value in flattening.items()}
    run = Tap({}, given).run("--config=ENV")
    assert run.counts == {"team": len(service.rows("team"))}, run.log


@pytest.mark.parametrize("name", INTEGERS)
def test_variable_of_an_integer_with_a_text_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    message = refusal(monkeypatch, **{name: "many"})
    assert message == f"The variable {PREFIX}{name.upper()} must be an integer."


@pytest.mark.parametrize("name", INTEGERS)
def test_variable_of_an_integer_with_a_negative_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert refusal(monkeypatch, **{name: "-1"}).startswith(f"Setting {name} must be ")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("flattening_enabled", "maybe", "true or false"),
        ("flattening_max_depth", "x", "an integer"),
        ("flattening_max_key_length", "", "an integer"),
        ("emit_activate_version_messages", "2", "true or false"),
        ("stream_maps", SECRET, "a JSON object"),
        ("stream_map_config", "[]", "a JSON object"),
        ("faker_config", "{", "a JSON object"),
        ("tables", '["account"', "a JSON array"),
    ],
)
def test_variable_of_a_wrong_type_is_refused_with_the_right_one(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    message = refusal(monkeypatch, **{name: value})
    assert message == f"The variable {PREFIX}{name.upper()} must be {expected}."


def test_variable_misspelt_is_refused_with_the_one_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, proxi_password=SECRET)
    assert message.startswith(
        f"Unknown variable {PREFIX}PROXI_PASSWORD: rename it to {PREFIX}PROXY_PASSWORD,"
    )


def test_variable_of_no_setting_is_ignored_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # EU_SERVICE_URL is of a plugin of Meltano that inherits from this one, _SELECT is Meltano's.
    values = {"something_else": "x", "eu_service_url": "x", "_select": "[]", "loglevel": "info"}
    assert read(monkeypatch, **values).unknown == ()
    (warning,) = (each.message for each in caplog.records if each.levelname == "WARNING")
    assert warning.startswith(f"Unknown variable {PREFIX}SOMETHING_ELSE is ignored")


def test_tap_with_a_file_warns_of_variables(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text('{"streams": []}')
    environment = {
        f"{PREFIX}EU_SERVICE_URL": "x",
        f"{PREFIX}_SELECT": "[]",
        f"{PREFIX}LOGLEVEL": "info",
        f"{PREFIX}CLIENT_SECRT": SECRET,
        f"{PREFIX}SOMETHING_ELSE": "x",
    }
    tap = Tap({**OFFLINE, "batch_config": {"encoding": {"format": "jsonl"}}}, environment)
    run = tap.run("--catalog", str(tmp_path / "catalog.json"))
    assert run.status == 0, run.log
    variable, setting, *_ = run.logged("WARNING")
    assert f"{PREFIX}CLIENT_SECRT: did you mean {PREFIX}CLIENT_SECRET?" in variable
    assert "Unknown setting batch_config is ignored." in setting
    assert SECRET not in run.log


COMMANDS = {
    "tap": ("tap_dynamics365", "--config=ENV"),
    "login": ("tap_dynamics365.login", "--device-code"),
}


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_env_file_in_another_encoding_is_refused(
    tmp_path: Path, command: tuple[str, ...], encoding: str
) -> None:
    lines = f"TAP_DYNAMICS365_PASSWORD={SECRET}\nTAP_DYNAMICS365_USER=jörg\n"
    (tmp_path / ".env").write_bytes(lines.encode(encoding))
    done = subprocess.run(  # noqa: S603 - our own program
        # Without a file of the program, .env is looked for in the working folder first, and else
        # in the folder of the installation.
        [sys.executable, "-c", f"from {command[0]}.__main__ import *", command[1]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert "The file .env is not encoded in UTF-8: save it as UTF-8." in last
    assert SECRET not in done.stderr


@pytest.mark.parametrize("folder", [".", "folder"])
def test_env_file_of_the_working_folder_or_above_is_read(
    service: Sandbox, tmp_path: Path, folder: str
) -> None:
    lines = [f"{PREFIX}{name.upper()}={value}" for name, value in service.settings.items()]
    (tmp_path / ".env").write_text("\n".join([*lines, f"{PREFIX}TABLES=account"]))
    at = tmp_path / folder
    at.mkdir(exist_ok=True)
    run = run_in(at, {})
    assert run.counts == {"account": 1}, run.log


def test_variable_takes_precedence_over_the_env_file(service: Sandbox, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"{PREFIX}TABLES=account\n{PREFIX}SERVICE_URL=https://a.example/"
    )
    run = run_in(tmp_path, {**variables(service.settings), f"{PREFIX}TABLES": "team"})
    assert run.counts == {"team": 1}, run.log


def test_env_file_above_the_installation_is_not_read(tmp_path: Path) -> None:
    # The SDK would look there.
    found = find_spec("singer_sdk")
    assert found is not None
    assert found.origin is not None
    (tmp_path / "lib").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "lib" / "singer_sdk").symlink_to(Path(found.origin).parent)
    (tmp_path / "lib" / ".env").write_text(f"{PREFIX}START_DATE=soon")
    offline = variables({**OFFLINE, "ws_retry_count": 0})
    environment = {**offline, "PYTHONPATH": str(tmp_path / "lib")}
    run = run_in(tmp_path / "work", environment, "--test=schema", command=EXECUTABLE)
    assert "start_date" not in run.refusal()


def test_login_command_reads_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{PREFIX}SERVICE_URL=http://a.example/api/data/v9.2/")
    with running(tmp_path, "--client-id", "x", "--print") as program:
        assert program.end() == 1
    assert "Setting service_url must start with https://" in program.shown


def test_env_file_with_a_wrong_value_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{PREFIX}WS_TIMEOUT=soon")
    run = run_in(tmp_path, {})
    assert run.refusal() == f"The variable {PREFIX}WS_TIMEOUT must be an integer."


def run_in(
    folder: Path,
    environment: dict[str, str],
    *arguments: str,
    command: tuple[str, ...] = FORKED,
) -> Run:
    """Run the tap in a folder, with the settings from its environment."""
    process = begin(
        command,
        ["--config=ENV", *(arguments or ["--test"])],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, log = process.communicate(timeout=SECONDS)
    assert process.returncode is not None
    return Run(process.returncode, output.decode(), log.decode())
