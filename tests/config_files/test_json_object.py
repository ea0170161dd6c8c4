"""Text of a JSON object: members change, and the rest of the text stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.config_files import json_object

NAMES = ["service_url", "client_id", "client_secret", "token_store"]
SETTINGS = st.dictionaries(
    st.sampled_from(NAMES), st.text("aä 'é\"#\\=\n", min_size=1, max_size=8), min_size=1
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\{},:', max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.sampled_from([*NAMES, "tables", "{", "a,b"]), VALUES)


@given(OBJECTS, st.sampled_from([None, 2, "\t"]), st.booleans(), SETTINGS)
def test_json_file_has_the_settings_and_keeps_the_rest(
    content: dict[str, Any],
    indent: int | str | None,
    escaped: bool,  # noqa: FBT001 - generated
    settings: dict[str, str],
) -> None:
    text = f" {json.dumps(content, indent=indent, ensure_ascii=escaped)}\r\n"
    changed = json_object.change(text, settings)
    assert json.loads(changed) == {**content, **settings}
    assert json_object.change(changed, settings) == changed
    # What it had at first comes back byte for byte.
    old = {name: value for name, value in content.items() if isinstance(value, str)}
    if settings.keys() <= old.keys() and not escaped:
        assert json_object.change(changed, {name: old[name] for name in settings}) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '{\n  "client_id": "x"\n}\n'),
        ("{}", '{\n  "client_id": "x"\n}'),
        ('{"a": 1e3}', '{"a": 1e3,"client_id": "x"}'),
        ('{\n    "a": [1,  2]\n}\n', '{\n    "a": [1,  2],\n    "client_id": "x"\n}\n'),
        ('{"client_id" :"old", "b":1 }', '{"client_id" :"x", "b":1 }'),
        ('{"client_id": 1, "client_id": 2}', '{"client_id": 1, "client_id": "x"}'),
    ],
)
def test_json_file_keeps_its_layout(text: str, expected: str) -> None:
    assert json_object.change(text, {"client_id": "x"}) == expected


@given(OBJECTS, st.sampled_from([None, 2]), st.sets(st.sampled_from(NAMES)))
def test_removed_members_are_gone_and_the_rest_is_kept(
    content: dict[str, Any], indent: int | None, names: set[str]
) -> None:
    text = json.dumps(content, indent=indent)
    removed = json_object.change(text, dict.fromkeys(names))
    kept = {name: value for name, value in content.items() if name not in names}
    assert json.loads(removed) == kept
    if kept.keys() == content.keys():
        assert removed == text


def test_members_of_one_name_are_all_removed() -> None:
    assert json_object.change('{"a": 1, "a": 2, "b": 3}', {"a": None}) == '{"b": 3}'
    assert json_object.change("", {"a": None, "b": 1}) == '{\n  "b": 1\n}\n'


def test_covered_text_keeps_its_layout() -> None:
    text = '{ "a":{"b": 1},\n"c" : "secret"}'
    assert json_object.cover(text, lambda name, value: "-" if name == "c" else value) == (
        '{ "a":{"b": 1},\n"c" : -}'
    )
