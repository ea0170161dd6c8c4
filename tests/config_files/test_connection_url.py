"""Connection URL: settings become a URL of the driver, and the URL the same settings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.config_files import connection_url
from tap_dynamics365.settings.connection_url import MIRRORED
from tap_dynamics365.settings.table import SETTINGS

TEXTS = st.text("aé {}=:/()'\"+\\\t", min_size=1, max_size=8)
OF_TYPE = {"boolean": st.booleans(), "string": TEXTS}


def value_of(name: str) -> st.SearchStrategy[Any]:
    """Return values of a setting, such as the tap reads from a URL."""
    setting = SETTINGS[name]
    if setting.type == "integer":
        return st.integers(setting.minimum or 0, setting.maximum or 10**9)
    if name == "schema_map":
        return TEXTS.map("{}.tap-dynamics365.json".format)
    return OF_TYPE[setting.type]


VALUES = st.fixed_dictionaries({}, optional={name: value_of(name) for name in MIRRORED.values()})


@given(VALUES)
def test_settings_of_a_written_url_are_the_same(values: dict[str, Any]) -> None:
    written = connection_url.write(values)
    assert written.left_out == []
    assert connection_url.load(written.url) == (values, [])
    assert connection_url.write({"connection_url": written.url}) == written


SECRETS = [name for name in MIRRORED.values() if SETTINGS[name].is_secret]


def test_redacted_url_has_no_secret() -> None:
    values = {name: f"hidden-{name}" for name in SECRETS}
    written = connection_url.write({**values, "user": "ada"})
    assert len(SECRETS) == written.redacted.count("=••••;") == written.url.count("hidden-") == 5
    assert "hidden-" not in written.redacted
    assert written.redacted.endswith("User=ada;")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("token_store", "x", "the driver has no such property."),
        ("client_secret", "a;b", "a property can't have its value."),
        ("schema_map", "map.json", "a property can't have its value."),
    ],
)
def test_setting_that_a_url_can_not_have_is_named(name: str, value: str, reason: str) -> None:
    written = connection_url.write({name: value, "user": "ada"})
    assert written.left_out == [f"{name}: {reason}"]
    assert written.url == "jdbc:datadirect:dynamics365:User=ada;"


def test_properties_without_effect_are_named() -> None:
    found = connection_url.load("jdbc:datadirect:dynamics365:User=ada;LoginTimeout=5;")
    assert found == ({"user": "ada"}, ["LoginTimeout has no effect in the tap."])
