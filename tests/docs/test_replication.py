"""docs/replication.md, compared with the settings and the state."""

from __future__ import annotations

import json
import re

import yaml

from tap_dynamics365.extract import state
from tap_dynamics365.extract.read import DELETED_AT, FULL_TABLE, INCREMENTAL, LOG_BASED
from tap_dynamics365.settings import JSON_SCHEMA
from tests.documents import Document
from tools.repository import REPOSITORY

PAGE = Document(REPOSITORY / "docs" / "replication.md")
METHODS = [INCREMENTAL, LOG_BASED, FULL_TABLE]
SETTINGS = {"replication_method", "lookback_seconds", "emit_activate_version_messages"}
STATE = state.NAMES
# Names of a target, a stream or the catalog.
OTHERS = {"hard_delete", "add_record_metadata", "is_view"}


def test_settings_in_the_page_exist_and_none_is_missing() -> None:
    # The SDK's own, which the tap takes by declaring the capability.
    known = {*JSON_SCHEMA["properties"], "emit_activate_version_messages"}
    assert PAGE.settings <= known | STATE | OTHERS
    assert known >= SETTINGS
    assert PAGE.settings >= SETTINGS


def test_defaults_in_the_page_are_those_of_the_settings() -> None:
    properties = JSON_SCHEMA["properties"]
    assert properties["replication_method"]["default"] == INCREMENTAL
    assert f"`lookback_seconds` (default {properties['lookback_seconds']['default']})" in PAGE.text


def test_each_replication_method_has_a_section_and_a_column() -> None:
    assert [title for title in PAGE.sections if title in METHODS] == METHODS
    (header,) = re.findall(r"^\| \| (.*) \|$", PAGE.text.partition("\n## ")[0], re.MULTILINE)
    *methods, tests = header.split(" | ")
    assert (methods, tests) == ([f"`{method}`" for method in METHODS], "Test")
    assert f"`{DELETED_AT}`" in PAGE.text


def test_state_in_the_page_has_the_names_of_the_tap() -> None:
    (example,) = PAGE.blocks("State", "json")
    bookmarks = json.loads(example)["bookmarks"]
    parts = [part for entry in bookmarks.values() for part in entry.get("partitions", ())]
    names = {name for entry in (*bookmarks.values(), *parts) for name in entry}
    assert names - {"partitions", "context"} == STATE
    assert {name for name in STATE if f"`{name}`" in PAGE.sections["State"]} == STATE


def test_example_of_metadata_has_replication_methods() -> None:
    (example,) = PAGE.blocks("Choosing a method", "yaml")
    chosen = yaml.safe_load(example)["metadata"].values()
    assert {entry["replication-method"] for entry in chosen} <= set(METHODS)
