"""Names that are no setting's: a misspelt one ends the run, another one is warned of."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings import Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tests.singer import SECONDS, Run, Tap
from tests.test_bad_input import NOWHERE, SECRET

PREFIX = "TAP_DYNAMICS365_"
MISSPELT = [
    ("client_secrt", "client_secret"),
    ("client-secret", "client_secret"),
    ("clientSecret", "client_secret"),
    ("ClientID", "client_id"),
    ("Service_URL", "service_url"),
    ("service_uri", "service_url"),
    ("token_url", "token_uri"),
    ("refreshtoken", "refresh_token"),
    ("startdate", "start_date"),
    ("tabels", "tables"),
    ("table", "tables"),
    ("scopes", "scope"),
    ("fetch_sise", "fetch_size"),
    ("max_paralel_requests", "max_parallel_requests"),
    ("stream_map", "stream_maps"),
    ("flattening_enable", "flattening_enabled"),
    ("emit_activate_version_message", "emit_activate_version_messages"),
]
#: What the SDK and Meltano have for other plugins, and what another version of the tap may have.
OTHERS = [
    "add_record_metadata",
    "batch_config",
    "batch_size_rows",
    "client_secret_file",
    "default_target_schema",
    "end_date",
    "hard_delete",
    "user_agent",
    "$schema",
    "_comment",
]
NESTED = [
    ({"faker_config": {"sed": 1}}, "faker_config.sed", "faker_config.seed"),
    ({"stream_maps": {"__elsee__": None}}, "stream_maps.__elsee__", "stream_maps.__else__"),
    (
        {"stream_maps": {"account": {"__filtr__": "name"}}},
        "stream_maps.account.__filtr__",
        "stream_maps.account.__filter__",
    ),
    (
        {"stream_maps": {"account": {"name": "name", "__key_property__": ["name"]}}},
        "stream_maps.account.__key_property__",
        "stream_maps.account.__key_properties__",
    ),
]
FREE = {
    "stream_maps": {
        "alias": None,
        "account": {
            "__alias__": "x",
            "__filter__": "True",
            "__source__": "account",
            "__else__": None,
            "__key_properties__": ["x"],
            "__loaded_at__": "now()",
            "filter": "name",
            "seed": "name",
        },
        "__else__": None,
    },
    "stream_map_config": {"seed": {"__alas__": 1}, "hash_sed": "x"},
    "faker_config": {"seed": 1, "locale": "de_DE"},
}


def read(**config: Any) -> Settings:
    """Read a configuration."""
    return Settings.from_config({**NOWHERE, **config}, CONFIG_SCHEMA)


@pytest.mark.parametrize(("name", "meant"), MISSPELT)
def test_setting_misspelt_is_refused_with_the_one_meant(name: str, meant: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**{name: SECRET})
    assert caught.value.message == (f"Unknown setting {name}: rename it to {meant}, or remove it.")


@pytest.mark.parametrize(("config", "name", "meant"), NESTED)
def test_setting_misspelt_within_another_is_refused_with_the_one_meant(
    config: dict[str, Any], name: str, meant: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**config)
    assert caught.value.message.startswith(f"Unknown setting {name}: rename it to {meant},")


@pytest.mark.parametrize("name", OTHERS)
def test_setting_of_another_program_is_told_and_ignored(name: str) -> None:
    (told,) = read(**{name: {"x": 1}}).unknown
    assert told.startswith(f"Unknown setting {name} is ignored.")


def test_setting_like_another_is_told_with_that_one() -> None:
    assert read(start="x").unknown == (
        "Unknown setting start is ignored. Did you mean start_date?",
    )


def test_setting_without_a_value_is_not_told() -> None:
    assert read(client_secrt=None, startdate="").unknown == ()


def test_names_that_are_free_to_choose_are_no_settings() -> None:
    assert read(**FREE).unknown == ()


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


@hypothesis_settings(deadline=None)
@given(config=st.dictionaries(st.one_of(st.text(), st.sampled_from(sorted(FREE))), JSON))
def test_names_of_any_kind_are_told_or_refused(config: dict[str, Any]) -> None:
    try:
        told = read(**config).unknown
    except SettingsError:
        return
    named = {name for name, value in config.items() if value is not None and value != ""}
    assert len(told) >= len(named - set(CONFIG_SCHEMA["properties"]))


def test_tap_with_other_settings_warns_and_runs(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text('{"streams": []}')
    environment = {
        # Of a plugin of Meltano that inherits from this one, and one of Meltano's own.
        f"{PREFIX}EU_SERVICE_URL": "x",
        f"{PREFIX}_SELECT": "[]",
        f"{PREFIX}LOGLEVEL": "info",
        f"{PREFIX}CLIENT_SECRT": SECRET,
        f"{PREFIX}SOMETHING_ELSE": "x",
    }
    tap = Tap({**NOWHERE, "batch_config": {"encoding": {"format": "jsonl"}}}, environment)
    run = tap.run("--catalog", str(tmp_path / "catalog.json"))
    assert run.status == 0, run.log
    variable, setting = run.logged("WARNING")
    assert f"{PREFIX}CLIENT_SECRT: did you mean {PREFIX}CLIENT_SECRET?" in variable
    assert "Unknown setting batch_config is ignored." in setting
    assert SECRET not in run.log


def test_tap_with_a_misspelt_setting_ends_in_a_sentence() -> None:
    run = Tap({**NOWHERE, "client_secrt": SECRET}).run("--discover")
    assert "client_secret" in run.refusal()
    assert SECRET not in run.log


def from_environment(folder: Path, **variables: str) -> Tap:
    """The tap with its settings in variables."""
    named = {f"{PREFIX}{name.upper()}": value for name, value in {**NOWHERE, **variables}.items()}
    (folder / "catalog.json").write_text('{"streams": []}')
    return Tap({}, named)


def test_variable_misspelt_ends_in_a_sentence(tmp_path: Path) -> None:
    run = from_environment(tmp_path, proxi_password=SECRET).run("--config=ENV", "--discover")
    assert f"{PREFIX}PROXI_PASSWORD: rename it to {PREFIX}PROXY_PASSWORD," in run.refusal()
    assert SECRET not in run.log


def test_variable_of_no_setting_is_told_and_ignored(tmp_path: Path) -> None:
    tap = from_environment(tmp_path, something_else="x", eu_service_url="x", _select="[]")
    run = tap.run("--config=ENV", "--catalog", str(tmp_path / "catalog.json"))
    assert run.status == 0, run.log
    (warning,) = run.logged("WARNING")
    assert f"{PREFIX}SOMETHING_ELSE is ignored" in warning


def test_dotenv_file_with_a_wrong_value_ends_in_a_sentence(tmp_path: Path) -> None:
    # The SDK looks for the file beside its own code, and in the folders above.
    found = find_spec("singer_sdk")
    assert found is not None
    assert found.origin is not None
    (tmp_path / "singer_sdk").symlink_to(Path(found.origin).parent)
    (tmp_path / ".env").write_text(f"{PREFIX}WS_TIMEOUT=soon")
    command = [sys.executable, "-m", "tap_dynamics365", "--config=ENV"]
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    run = Run(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert run.refusal() == f"The variable {PREFIX}WS_TIMEOUT must be an integer."
