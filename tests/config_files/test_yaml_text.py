"""Text of YAML: it means what is wanted after a change, and the rest of it stays byte for byte."""

from __future__ import annotations

from copy import deepcopy
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tap_dynamics365.config_files.yaml_text import cover, load, rewrite
from tools.repository import REPOSITORY

KEYS = st.sampled_from(["a", "b b", "c", "name", "*", "yes", "d.e"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text("ab:# '\"\\-!*&[]{}\n,.$éy\x1b😀", max_size=6)
    | st.sampled_from(["null", "2026-01-01", "1e3", "0x1", "~", "a: b", "https://a.b/c?d=e", "on"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)


def dump(value: dict[str, Any], *, is_indented: bool, end: str) -> str:
    """Write a document in one of the usual layouts, with a comment above each first key."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 10_000
    if is_indented:
        yaml.indent(mapping=4, sequence=4, offset=2)
    texts = []
    for key, each in value.items():
        stream = StringIO()
        yaml.dump({key: each}, stream)
        texts.append(f"# {len(texts)}\n{stream.getvalue()}\n")
    return "".join(texts).replace("\n", end)


@given(DOCUMENTS, DOCUMENTS, st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_rewritten_text_means_what_is_wanted_and_keeps_the_rest(
    old: dict[str, Any],
    new: dict[str, Any],
    is_indented: bool,  # noqa: FBT001 - generated
    end: str,
) -> None:
    text = dump(old, is_indented=is_indented, end=end)
    wanted = {**old, **new}
    changed = rewrite(text, wanted)
    assert load(changed) == wanted
    assert rewrite(text, old) == text
    comments = [line for line in text.splitlines() if line.startswith("# ")]
    assert [line for line in changed.splitlines() if line.startswith("# ")] == comments
    for key, value in old.items():
        if repr(wanted[key]) == repr(value):
            assert dump({key: value}, is_indented=is_indented, end=end)[3:].rstrip() in changed


@given(DOCUMENTS, st.sets(KEYS))
def test_rewritten_text_has_no_removed_keys(old: dict[str, Any], removed: set[str]) -> None:
    text = dump(old, is_indented=False, end="\n")
    wanted = {key: value for key, value in old.items() if key not in removed}
    if wanted:
        assert load(rewrite(text, wanted)) == wanted


TEXT = """\
# Ours
plugins:   # all
    extractors:
      - name: 'tap'   # first
        config:   # settings
            a: "1"   # one

            # about b
            b: [x,   y]
        # not about select
        select:
          - 'account.*'   # all of it
          # without
          - "!account.fax"
      - {name: other,  pip_url: x}

  # The end
"""


@pytest.mark.parametrize(
    ("changes", "replaced"),
    [
        ({"config": {"a": "2", "b": ["x", "y"]}}, {'a: "1"   # one': 'a: "2"   # one'}),
        (
            {"config": {"a": "1", "b": ["x", "y"], "c": True}},
            {"            b: [x,   y]\n": "            b: [x,   y]\n            c: true\n"},
        ),
        (
            {"select": ["account.*", "team.*", "!account.fax"]},
            {"- 'account.*'   # all of it\n": "- 'account.*'   # all of it\n          - team.*\n"},
        ),
        ({"select": ["account.*"]}, {'          - "!account.fax"\n': ""}),
        (
            {"select": ["!account.fax"]},
            {"          - 'account.*'   # all of it\n": ""},
        ),
        ({"config": {"b": ["x", "y"]}}, {'            a: "1"   # one\n': ""}),
    ],
)
def test_rewritten_text_keeps_its_layout(changes: dict[str, Any], replaced: dict[str, str]) -> None:
    wanted = deepcopy(load(TEXT))
    wanted["plugins"]["extractors"][0] |= changes
    expected = TEXT
    for old, new in replaced.items():
        assert old in expected
        expected = expected.replace(old, new)
    assert rewrite(TEXT, wanted) == expected
    in_windows = TEXT.replace("\n", "\r\n")
    assert rewrite(in_windows, wanted) == expected.replace("\n", "\r\n")
    assert rewrite("\ufeff" + TEXT, wanted) == "\ufeff" + expected


@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        (
            "1: x\nb: 1\nc: &a {d: 1}\n",
            {1: "x", "b": 2, "c": {"d": 1}},
            "1: x\nb: 2\nc: &a {d: 1}\n",
        ),
        ("a:\n-\n-\n- 1 # c\n", {"a": [None, 0, [1]]}, "a:\n-\n- 0\n- [1]\n"),
        ("a:\n- b: 1\n  c: 2\n", {"a": [{"c": 2}]}, "a:\n- {c: 2}\n"),
        ("", {"a": {"b": 1}}, "a:\n  b: 1\n"),
        ("# only a comment", {"a": 1}, "# only a comment\na: 1\n"),
        ("a:  # empty\n", {"a": {"b": 1}}, "a:  # empty\n  b: 1\n"),
        ("a: {}  # empty\nb: 1\n", {"a": {"c": [1]}, "b": 1}, "a:  # empty\n  c:\n  - 1\nb: 1\n"),
        ("a:  # list\n- 1\n# end\n", {"a": 2}, "a: 2\n# end\n"),
        ("a: |\n  x\n\n# end\n", {"a": "x", "b": "z"}, "a: x\nb: z\n\n# end\n"),
        ("a: 1", {"a": 1, "b": 2}, "a: 1\nb: 2"),
        ("a: 2026-01-01\n", {"a": "2026-01-01"}, 'a: "2026-01-01"\n'),
        ("a:\n- b: 1\n", {"a": [{"b": 1}, {"c": {"d": 1}}]}, "a:\n- b: 1\n- c:\n    d: 1\n"),
    ],
)
def test_rewritten_text_of_small_documents(
    text: str, wanted: dict[str, Any], expected: str
) -> None:
    assert rewrite(text, wanted) == expected


def test_meltano_yml_of_the_repository_changes_in_the_lines_of_the_change_only() -> None:
    text = (REPOSITORY / "meltano.yml").read_text(encoding="utf-8")
    wanted = load(text)
    block = wanted["plugins"]["extractors"][0]
    block["select"] = ["account.*"]
    changed = rewrite(text, wanted)
    added = "    select:\n    - account.*\n"
    assert changed.replace(added, "") == text
    del block["select"]
    assert rewrite(changed, wanted) == text


@pytest.mark.parametrize(
    ("text", "wanted", "reason"),
    [
        ("a: &x {b: 1}\nc: *x\n", {"a": {"b": 2}, "c": {"b": 1}}, "has a form"),
        ("a: &x\n  b: 1\nc: *x\n", {"a": {"b": 1}, "c": {"b": 2}}, "has a form"),
        (
            "a: {b: 1}\n1: x\nc:\n  <<: {d: 1}\n",
            {"a": {"b": 1}, 1: "x", "c": {"d": 2}},
            "has a form",
        ),
        ("a: 1\na: 2\n", {"a": 3}, "is not valid YAML in line 2"),
        ("a: [\n", {"a": 3}, "is not valid YAML in line 2"),
    ],
)
def test_text_that_can_not_be_changed_is_refused(
    text: str, wanted: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        rewrite(text, wanted)


def test_covered_text_keeps_everything_but_the_values() -> None:
    text = "a:  # one\n- {password: x, user: y}\n- password: |\n    two\n    lines\n# end\n"
    assert cover(text, lambda key, value: "-" if key == "password" else value) == (
        "a:  # one\n- {password: -, user: y}\n- password: -\n# end\n"
    )
