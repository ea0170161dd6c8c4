"""Catalog file: what is kept of a catalog, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.singerlib import Catalog

from tap_dynamics365.singer import catalog_file
from tests.tap import Message, Tap, in_one_mode, select

selections = st.fixed_dictionaries(
    {},
    optional={
        "selected": st.sampled_from([True, False, None]),
        "selected-by-default": st.booleans(),
        "inclusion": st.sampled_from(["available", "automatic", "unsupported"]),
        "replication-key": st.sampled_from(["größe", "modifiedon"]),
    },
)


@st.composite
def catalogs(draw: st.DrawFn) -> Message:
    """Catalogs whose tables and columns are selected in any way."""
    streams = []
    for name in draw(st.lists(st.text(min_size=1), unique=True, max_size=5)):
        columns = draw(st.lists(st.text(min_size=1), unique=True, max_size=3))
        breadcrumbs: list[list[str]] = [["properties", column] for column in columns]
        breadcrumbs += draw(st.sampled_from([[], [[]], [[], []]]))
        stream: dict[str, Any] = {
            "tap_stream_id": name,
            "table_name": f"{name}s",
            "schema": {"properties": {column: {"type": "string"} for column in columns}},
            "metadata": [
                {"breadcrumb": breadcrumb, "metadata": draw(selections)}
                for breadcrumb in draw(st.permutations(breadcrumbs))
            ],
        }
        streams.append(stream)
    return {"streams": streams}


def selected(catalog: Message) -> dict[str, Any]:
    """The entries that the SDK takes for selected."""
    return {
        name: entry
        for name, entry in Catalog.from_dict(catalog).items()
        if entry.metadata.resolve_selection()[()]
    }


@given(catalogs(), st.sampled_from([None, 2]))
def test_reduced_catalog_has_the_same_selected_entries_and_all_names(
    catalog: Message, indent: int | None
) -> None:
    text = json.dumps(catalog, ensure_ascii=False, indent=indent)
    reduced = json.loads(catalog_file.reduce(text.encode()))
    wanted = selected(catalog)
    assert selected(reduced) == wanted
    assert [entry["tap_stream_id"] for entry in reduced["streams"]] == [
        entry["tap_stream_id"] for entry in catalog["streams"]
    ]
    for entry in reduced["streams"]:
        assert entry["tap_stream_id"] in wanted or not entry["schema"]["properties"]


def test_error_names_the_place_in_the_whole_catalog() -> None:
    good = {"tap_stream_id": "a", "schema": {"properties": {}}, "metadata": []}
    bad = good | {"schema": {"properties": {"name": {"type": "text"}}}}
    with pytest.raises(msgspec.ValidationError, match=r"\$\.streams\[1\]\.schema\.properties"):
        catalog_file.reduce(json.dumps({"streams": [good, bad]}))
    with pytest.raises(msgspec.ValidationError, match=r"\$\.streams\[1\]\.metadata"):
        catalog_file.reduce(json.dumps({"streams": [good, good | {"metadata": 1}]}))


@in_one_mode
def test_tables_that_are_not_selected_do_not_matter_to_a_run(tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"team": ["name"]})
    alone = {"streams": [each for each in chosen["streams"] if each["tap_stream_id"] == "team"]}
    for stream in chosen["streams"]:
        if stream["tap_stream_id"] != "team":
            stream["schema"]["properties"] = {"damaged": {"type": "of no kind"}}
    runs = [tap.sync(catalog=each) for each in (alone, chosen)]
    assert runs[0].records("team") == runs[1].records("team")
    assert runs[0].records("team")
    assert runs[0].state == runs[1].state
