"""Settings from texts, such as the options of Apache Spark."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_dynamics365.settings import JSON_SCHEMA
from tap_dynamics365.settings.table import SETTINGS
from tap_dynamics365.settings.texts import from_texts, texts_of

VALUES = {
    "string": st.text(),
    "integer": st.integers(-(10**17), 10**17),
    "boolean": st.booleans(),
    "array": st.lists(st.text()),
    "object": st.dictionaries(st.text(), st.text()),
}


def written(value: object) -> str:
    """Write a value as a text."""
    return value if isinstance(value, str) else json.dumps(value)


@given(st.data())
def test_value_of_each_setting_is_what_its_text_says(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SETTINGS)))
    value = data.draw(VALUES[SETTINGS[name].type])
    assert from_texts({name: written(value)}) == {name: value}


@given(st.sampled_from(sorted(JSON_SCHEMA["properties"])), st.text())
@example("fetch_size", "0\x1f")  # whitespace that `int` refuses
def test_any_text_is_converted_or_stays_as_it_is(name: str, text: str) -> None:
    (value,) = from_texts({name: text}).values()
    if isinstance(value, str):
        assert value == text


@pytest.mark.parametrize(
    ("text", "names"),
    [("a, b,", ["a", "b"]), ("", []), ('["a, b"]', ["a, b"]), ("[1]", "[1]"), ("[", "[")],
)
def test_list_is_names_separated_by_commas_or_a_json_array(
    text: str, names: list[str] | str
) -> None:
    assert texts_of(text) == names
