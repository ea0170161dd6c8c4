"""README.md: its length, and its groups of settings. Its commands are run by tests/walks."""

from __future__ import annotations

import re

from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.settings.table import GROUPS, SETTINGS
from tests.documents import Document
from tools.repository import REPOSITORY

PAGE = Document(REPOSITORY / "README.md")
MOST_WORDS = 1_400


def groups() -> dict[str, list[str]]:
    """The settings in the table, by group."""
    rows = re.findall(
        r"^\| \[(.+?)\]\(.*?\) \| (`.*`) \|$", PAGE.sections["Settings"], re.MULTILINE
    )
    return {group: re.findall(r"`(\w+)`", names) for group, names in rows}


def test_readme_is_no_longer_than_1400_words() -> None:
    assert len(PAGE.text.split()) <= MOST_WORDS


def test_settings_in_the_readme_are_those_of_the_table_by_group() -> None:
    expected = {group: [each.name for each in settings] for group, settings in GROUPS.items()}
    of_the_sdk = [name for name in CONFIG_SCHEMA["properties"] if name not in SETTINGS]
    assert groups() == {**expected, "Stream maps and flattening": of_the_sdk}


def test_targets_of_make_in_the_readme_include_demo_sandbox_and_test() -> None:
    assert {"demo", "sandbox", "test"} <= set(re.findall(r"\bmake ([a-z]\w*)", PAGE.text))
