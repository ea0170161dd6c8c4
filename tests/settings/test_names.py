"""Unknown names of settings: misspellings are refused, others are ignored with a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings import Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tests.settings.configs import OFFLINE, SECRET

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
#: Settings that the SDK and Meltano have for other plugins, or another version of the tap.
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
    return Settings.from_config({**OFFLINE, **config}, CONFIG_SCHEMA)


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
def test_setting_of_another_program_is_ignored_with_a_sentence(name: str) -> None:
    (sentence,) = read(**{name: {"x": 1}}).unknown
    assert sentence.startswith(f"Unknown setting {name} is ignored.")


def test_setting_that_is_similar_to_another_is_ignored_with_that_one() -> None:
    assert read(start="x").unknown == (
        "Unknown setting start is ignored. Did you mean start_date?",
    )


def test_unknown_setting_without_a_value_is_ignored_silently() -> None:
    assert read(client_secrt=None, startdate="").unknown == ()


def test_names_that_users_choose_are_accepted() -> None:
    assert read(**FREE).unknown == ()


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


@given(config=st.dictionaries(st.one_of(st.text(), st.sampled_from(sorted(FREE))), JSON))
def test_names_of_any_kind_are_refused_or_ignored_with_a_sentence(config: dict[str, Any]) -> None:
    try:
        sentences = read(**config).unknown
    except SettingsError:
        return
    named = {name for name, value in config.items() if value is not None and value != ""}
    assert len(sentences) >= len(named - set(CONFIG_SCHEMA["properties"]))
