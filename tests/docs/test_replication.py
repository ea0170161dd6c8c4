"""docs/replication.md says what is so."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tap_dynamics365.extract import state
from tap_dynamics365.settings import JSON_SCHEMA
from tap_dynamics365.singer.catalog import DELETED_AT, FULL_TABLE, INCREMENTAL, LOG_BASED
from tests.documents import Document
from tools.repository import REPOSITORY

PAGE = Document(REPOSITORY / "docs" / "replication.md")
METHODS = [INCREMENTAL, LOG_BASED, FULL_TABLE]
SETTINGS = {"replication_method", "lookback_seconds", "emit_activate_version_messages"}
STATE = state.NAMES
# What is a target's, a stream's, or the catalog's.
OTHERS = {"hard_delete", "add_record_metadata", "is_view"}


def test_settings_that_are_named_exist_and_all_that_matter_are_named() -> None:
    # The SDK's own, which the tap takes by declaring the capability.
    known = {*JSON_SCHEMA["properties"], "emit_activate_version_messages"}
    assert PAGE.settings <= known | STATE | OTHERS
    assert known >= SETTINGS
    assert PAGE.settings >= SETTINGS


def test_defaults_are_the_settings_own() -> None:
    properties = JSON_SCHEMA["properties"]
    assert properties["replication_method"]["default"] == INCREMENTAL
    assert f"`lookback_seconds` (default {properties['lookback_seconds']['default']})" in PAGE.text


def test_each_method_has_a_section_and_a_column() -> None:
    assert [title for title in PAGE.sections if title in METHODS] == METHODS
    (header,) = re.findall(r"^\| \| (.*) \|$", PAGE.text.partition("\n## ")[0], re.MULTILINE)
    *methods, tests = header.split(" | ")
    assert (methods, tests) == ([f"`{method}`" for method in METHODS], "Test")
    assert f"`{DELETED_AT}`" in PAGE.text


def test_the_state_has_the_names_that_the_tap_gives() -> None:
    (example,) = PAGE.blocks("State", "json")
    bookmarks = json.loads(example)["bookmarks"]
    assert {name for entry in bookmarks.values() for name in entry} == STATE
    assert {name for name in STATE if f"`{name}`" in PAGE.sections["State"]} == STATE


def test_the_example_of_a_catalog_is_yaml_of_methods() -> None:
    (example,) = PAGE.blocks("Choosing a method", "yaml")
    chosen = yaml.safe_load(example)["metadata"].values()
    assert {entry["replication-method"] for entry in chosen} <= set(METHODS)


@pytest.mark.parametrize("link", PAGE.links)
def test_every_link_within_the_repository_leads_somewhere(link: str) -> None:
    assert PAGE.leads_somewhere(link)
