"""All documents: links lead somewhere, examples can be parsed, names exist."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tests.documents import Document
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = {
    path.relative_to(REPOSITORY).as_posix(): Document(path)
    for path in [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").glob("*.md"))]
}
PARSERS: dict[str, Callable[[str], Any]] = {"json": json.loads, "yaml": yaml.safe_load}
# Parsed by the tests of their own pages, or not by this project.
OTHER_KINDS = {"powershell", "sh", "sql", "dotenv", "python"}
VARIABLE = re.compile(r"\bTAP_DYNAMICS365_([A-Z_]*[A-Z])\b")


@pytest.mark.parametrize(("page", "link"), [(p, link) for p in PAGES for link in PAGES[p].links])
def test_link_in_a_document_leads_somewhere(page: str, link: str) -> None:
    document = PAGES[page]
    path, _, anchor = link.partition("#")
    if anchor:
        assert document.leads_somewhere(link)
    else:
        assert (document.path.parent / path).exists()


@pytest.mark.parametrize("page", PAGES)
def test_examples_in_a_document_can_be_parsed(page: str) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGES[page].text, re.MULTILINE | re.DOTALL)
    assert {kind for kind, _ in blocks} <= {*PARSERS, *OTHER_KINDS}
    assert all(PARSERS[kind](text) for kind, text in blocks if kind in PARSERS)


@pytest.mark.parametrize("page", PAGES)
def test_targets_of_make_in_a_document_exist(page: str) -> None:
    code = "\n".join([*PAGES[page].code, *re.findall(r"^ {4}.*$", PAGES[page].text, re.MULTILINE)])
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    existing = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][\w-]*)", code)) <= existing


@pytest.mark.parametrize("page", PAGES)
def test_variables_of_settings_in_a_document_exist(page: str) -> None:
    named = {name.lower() for name in VARIABLE.findall(PAGES[page].text)}
    # The SDK's own.
    assert named <= {*CONFIG_SCHEMA["properties"], "loglevel"}


@pytest.mark.parametrize("page", ["docs/performance.md", "docs/targets.md", "docs/usage.md"])
def test_settings_in_a_document_exist(page: str) -> None:
    of_others = {
        # Of targets.
        "add_record_metadata",
        "hard_delete",
        "load_method",
        "use_copy",
        # Of the JSON of dynamics365 tables.
        "bytes_per_row",
        "page_bytes",
        "page_error",
        "page_rows",
        # Of the catalog and of Meltano, and of its log.
        "key_properties",
        "load_schema",
        "metric_info",
        "pip_url",
        "replication_key",
    }
    assert PAGES[page].settings <= {*CONFIG_SCHEMA["properties"]} | of_others
