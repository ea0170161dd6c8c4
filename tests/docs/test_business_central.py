"""docs/business-central.md: its examples do what the page says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.business_central.companies import CLOSED, COPY, MAIN
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.documents import Document, configured, printed, without_numbers
from tests.services.business_central.rows import (
    catalog_of,
    sent,
    stored,
)
from tests.tap import (
    Run,
    Tap,
    activated,
    choose,
)
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox

PAGE = Document(REPOSITORY / "docs" / "business-central.md")
FIRST_ROWS = "Your first rows in ten minutes"
(CONFIG,) = PAGE.blocks(FIRST_ROWS, "json")
(FILTERS,) = PAGE.blocks("Filters", "json")
NO_MOMENT = "0001-01-01T00:00:00Z"


@pytest.fixture
def tap(central: CentralSandbox) -> Tap:
    """The tap with the configuration of the page, for an environment without a closed company."""
    central.configure(closed_companies=[])
    return configured(CONFIG, central)


def test_configuration_of_the_page_has_settings_that_exist() -> None:
    config = json.loads(CONFIG)
    assert set(config) <= set(JSON_SCHEMA["properties"])
    assert Settings.from_config(config, JSON_SCHEMA).tables


def test_connection_test_of_the_page_logs_what_the_page_shows(
    central: CentralSandbox, tap: Tap
) -> None:
    client_id = json.loads(CONFIG)["client_id"]
    expected = [
        line.replace(client_id, central.settings["client_id"])
        for line in printed(PAGE.sections[FIRST_ROWS], "Signed in")
    ]
    run = tap.run("--test")
    assert run.status == 0, run.log
    assert len(expected) == 5
    assert set(expected) <= set(run.logged("INFO"))
    (warning,) = run.logged("WARNING")
    assert warning.startswith("'customers' is replicated INCREMENTAL, but Business Central")


def test_run_of_the_page_logs_a_summary_as_the_page_shows(tap: Tap) -> None:
    (line,) = printed(PAGE.sections[FIRST_ROWS], "Sent")
    run = tap.sync(catalog=tap.discover())
    assert without_numbers(run.logged("INFO")[-1]) == without_numbers(line)
    assert "3 of 3 tables done" in line
    assert "3 of 3 tables done" in run.logged("INFO")[-1]


def test_closed_company_is_logged_as_the_page_shows(central: CentralSandbox) -> None:
    skipped, summary = printed(PAGE.sections["Companies"], "Skipped")
    run = configured(CONFIG, central).run()
    assert run.status == 0
    assert skipped in run.logged("WARNING")
    assert f"'{CLOSED.name}'" in skipped
    assert without_numbers(run.logged("INFO")[-1]) == without_numbers(summary)
    assert "0 of 3 tables done (3 read in part)" in run.logged("INFO")[-1]
    assert "0 of 3 tables done (3 read in part)" in summary


def test_left_out_columns_are_logged_as_the_page_shows(tap: Tap) -> None:
    lines = printed(PAGE.sections["Values"], "Left out")
    assert len(lines) == 2
    run = tap.but(tables=None).run("--discover")
    assert set(lines) <= set(run.logged("INFO"))


def read(tap: Tap, table: str, condition: str | None, **settings: Any) -> Run:
    """Run the tap for one table, with a filter or without."""
    filters = {table: condition} if condition else None
    return tap.but(tables=[table], filters=filters, **settings).run()


def test_filters_of_the_page_select_rows(central: CentralSandbox, tap: Tap) -> None:
    for table, condition in json.loads(FILTERS)["filters"].items():
        run = read(tap, table, condition)
        assert run.status == 0, run.log
        assert 0 < run.counts[table] < len(central.rows(table))
    # Rows have another name than the filter.
    blank = read(tap, "customers", "blocked eq '_x0020_'").records("customers")
    assert {row["blocked"] for row in blank} == {" "}
    wanted = sum(row["lastModifiedDateTime"] == NO_MOMENT for row in central.rows("salesOrders"))
    undated = read(tap, "salesOrders", f"lastModifiedDateTime eq {NO_MOMENT}")
    assert undated.counts["salesOrders"] == wanted > 0


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("city eq 'Paris' or taxLiable eq true", "operator is not supported on distinct fields"),
        ("city in ('Paris','Oslo')", "The OData filter expression is not supported"),
    ],
)
def test_filter_that_the_service_does_not_know_fails_with_its_words(
    tap: Tap, condition: str, words: str
) -> None:
    run = read(tap.but(companies=[MAIN.name]), "customers", condition)
    assert run.status == 1
    assert not run.counts
    failed, _ = run.logged("ERROR")
    assert words in failed
    assert "The query contains the filter" in failed


def test_rows_of_the_last_quarter_of_an_hour_are_sent_twice(
    changing_central: CentralSandbox,
) -> None:
    changing_central.configure(closed_companies=[], clock="2031-05-06T12:00:00Z")
    rows = [row["id"] for row in changing_central.rows("customers") if row["$company"] == MAIN.id]
    early, late = rows[:2]
    for key, moment in ((early, "11:44:00"), (late, "11:46:00")):
        date = {"lastModifiedDateTime": f"2031-05-06T{moment}Z"}
        changing_central.update("customers", [MAIN.id, key], date)
    tap = configured(CONFIG, changing_central)
    catalog = catalog_of(tap, "customers")
    first = tap.sync(catalog=catalog)
    second = tap.sync(catalog=catalog, state=first.state)
    assert {(MAIN.id, early), (MAIN.id, late)} <= sent(first, "customers")
    assert sent(second, "customers") == {(MAIN.id, late)}


def test_rows_of_a_company_that_is_given_up_leave_after_a_run_without_the_state(
    central: CentralSandbox, tap: Tap
) -> None:
    catalog = choose(tap.discover(), "customers", replication_method="FULL_TABLE")
    first = tap.sync(catalog=catalog)
    fewer = tap.but(companies=[COPY.name])
    assert not activated(fewer.sync(catalog=catalog, state=first.state))
    alone = fewer.sync(catalog=catalog)
    assert activated(alone).keys() == {"customers"}
    assert sent(alone, "customers") == stored(central, "customers", COPY.id)
