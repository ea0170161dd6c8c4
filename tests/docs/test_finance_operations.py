"""docs/finance-and-operations.md: its examples do what the page says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.connection import connect
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.documents import Document, configured, printed, without_numbers
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox
    from tests.tap import Run, Tap

PAGE = Document(REPOSITORY / "docs" / "finance-and-operations.md")
FIRST_ROWS = "Your first rows in ten minutes"
(CONFIG,) = PAGE.blocks(FIRST_ROWS, "json")
(FILTERS,) = PAGE.blocks("Filters", "json")


@pytest.fixture
def tap(finance: FinanceSandbox) -> Tap:
    """The tap with the configuration of the page."""
    return configured(CONFIG, finance)


def test_configuration_of_the_page_has_settings_that_exist() -> None:
    config = json.loads(CONFIG)
    assert set(config) <= set(JSON_SCHEMA["properties"])
    assert Settings.from_config(config, JSON_SCHEMA).cross_company


def test_connection_test_of_the_page_logs_what_the_page_shows(
    finance: FinanceSandbox, tap: Tap
) -> None:
    client_id = json.loads(CONFIG)["client_id"]
    expected = [
        line.replace(client_id, finance.settings["client_id"])
        for line in printed(PAGE.sections[FIRST_ROWS], "Signed in")
    ]
    run = tap.run("--test")
    assert run.status == 0, run.log
    logged = run.logged("INFO")
    assert len(expected) == 4
    assert set(expected) <= set(logged)


def test_run_of_the_page_logs_a_summary_as_the_page_shows(tap: Tap) -> None:
    (line,) = printed(PAGE.sections[FIRST_ROWS], "Sent")
    run = tap.sync(catalog=tap.discover())
    assert without_numbers(run.logged("INFO")[-1]) == without_numbers(line)
    assert "2 of 2 tables done, 3 requests made" in line
    assert any(message["type"] == "ACTIVATE_VERSION" for message in run.messages)


def read(tap: Tap, table: str, condition: str | None, **settings: Any) -> Run:
    """Run the tap for one table, with a filter or without."""
    filters = {table: condition} if condition else None
    return tap.but(tables=[table], filters=filters, **settings).run()


def test_filters_of_the_page_select_rows(tap: Tap) -> None:
    for table, condition in json.loads(FILTERS)["filters"].items():
        some = read(tap, table, condition).counts.get(table, 0)
        assert some < read(tap, table, None).counts[table]
        if "*" not in condition:
            assert some
    table = "CustomersV3"
    other = "dataAreaId eq 'ussi'"
    assert read(tap, table, other).counts[table]
    assert not read(tap, table, other, cross_company=False).counts
    by_wildcard = read(tap, table, "LanguageId eq '*n-u*'")
    assert {row["LanguageId"] for row in by_wildcard.records(table)} == {"en-US"}
    refused = read(tap, table, "contains(LanguageId, 'en')")
    assert "not Queryable" in " ".join(refused.logged("ERROR"))


def test_run_begins_with_4_requests_at_once() -> None:
    settings = {"service_url": "https://invented.operations.dynamics.com/data/"}
    opened = connect(Settings.from_config({**settings, "access_token": "invented"}, JSON_SCHEMA))
    assert opened.client.concurrency.limit == 4
    opened.client.close()
