"""Reads of Finance & Operations: every row once, whatever the pages are like."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import MODES, Message, Tap, own_metadata, reads, select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.finance_client import FinanceSandbox

PAGE = 30
COMPANY = "dataAreaId"
# Sets by what their keys are like.
KEYS = {
    "CustomersV3": "texts",
    "ExchangeRates": "a date",
    "PriceAgreements": "enumerations and texts",
    "JournalDefaults": "an enumeration first",
    "FormulaParameters": "only an enumeration",
    "DualWriteProjects": "a GUID",
    "InventOnHandEntries": "a number of 64 bits",
    "PostingDefinitions": "an enumeration and a decimal",
    "UserDefaults": "a boolean",
    "DimensionCombinations": "20 columns",
}


@pytest.fixture(scope="module")
def catalog(finance_sandbox: FinanceSandbox) -> Message:
    """The catalog of all sets, each read in full."""
    tap = Tap({**finance_sandbox.settings, "cross_company": True, "tables": ["*"]})
    found = tap.discover()
    for stream in found["streams"]:
        own_metadata(stream)["replication-method"] = "FULL_TABLE"
    return found


@pytest.fixture
def tap(finance: FinanceSandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for small pages."""
    return Tap({**finance.settings, **way, "cross_company": True, "fetch_size": PAGE})


@pytest.fixture(params=[True, False], ids=["honoured", "ignored"])
def _page_size(finance: FinanceSandbox, request: pytest.FixtureRequest) -> None:
    """Have the service honour the page size that is asked for, or ignore it."""
    finance.configure(honours_page_size=request.param)


def told_apart(rows: list[Message]) -> list[str]:
    """The rows in an order of their own, to compare them."""
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)


def reached(
    finance: FinanceSandbox, table: str, *companies: str, rows: list[Message] | None = None
) -> list[Message]:
    """The rows of a set in the companies that the user may read, or in some of them, as sent."""
    (key,) = [found["key"] for found in finance.tables() if found["name"] == table]
    wanted = companies or finance.switches()["reached_companies"]
    return as_sent(finance.rows(table) if rows is None else rows, key, wanted)


def as_sent(rows: list[Message], key: Sequence[str], companies: Sequence[str]) -> list[Message]:
    """Rows of some companies, and rows without a company. Null in the key is an empty text."""
    return [
        {name: "" if value is None and name in key else value for name, value in row.items()}
        for row in rows
        if row.get(COMPANY, companies[0]) in companies
    ]


@pytest.mark.usefixtures("_page_size")
@pytest.mark.parametrize("cap", [7, PAGE, 10_000])
def test_every_row_of_every_set_is_sent_once(
    finance: FinanceSandbox, tap: Tap, catalog: Message, cap: int
) -> None:
    finance.configure(page_size_cap=cap)
    run = tap.sync(catalog=catalog)
    tables = finance.tables()
    assert {table["name"] for table in tables} >= {*KEYS, "Certifications"}
    for table in tables:
        if table["key"]:
            sent = run.records(table["name"])
            assert told_apart(sent) == told_apart(reached(finance, table["name"])), table["name"]


def queries(finance: FinanceSandbox, table: str) -> list[Message]:
    """The options of each request for rows of a set, but not those for the next company."""
    found = [request["query"] for request in reads(finance.requests(), table)]
    return [query for query in found if query.get("$select") != COMPANY]


@pytest.mark.parametrize("table", KEYS)
def test_every_request_sorts_by_the_whole_key_and_none_counts_rows(
    finance: FinanceSandbox, tap: Tap, catalog: Message, table: str
) -> None:
    has_order = table != "FormulaParameters"
    finance.configure(page_size_cap=PAGE if has_order else 2)
    tap.sync(catalog=select(catalog, {table: None}))
    (key,) = [found["key"] for found in finance.tables() if found["name"] == table]
    first, *others = queries(finance, table)
    assert others
    for query in (first, *others):
        assert sorted(query["$orderby"].split(",")) == sorted(f"{name} asc" for name in key)
        assert query["cross-company"] == "true"
    assert all(("$skip" in query) != has_order for query in others)


def test_top_is_sent_only_where_the_page_size_is_ignored(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """With it the service sends no link, so the condition for the next rows must not be missing."""
    chosen = select(catalog, {"CustomersV3": None})
    for honoured in (True, False):
        finance.configure(honours_page_size=honoured, page_size_cap=2 * PAGE)
        finance.clear_requests()
        run = tap.sync(catalog=chosen)
        first, *others = queries(finance, "CustomersV3")
        assert "$top" not in first
        assert others
        for query in others:
            assert "$filter" in query
            assert query.get("$top") == (None if honoured else str(PAGE))
        assert run.counts["CustomersV3"] == len(reached(finance, "CustomersV3"))


def test_pages_become_smaller_where_the_service_takes_too_long(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """The page size is not known to be ignored before a page has arrived."""
    finance.fault("CustomersV3", status=504, body="<html></html>", retry_after="0")
    run = tap.sync(catalog=select(catalog, {"CustomersV3": None}))
    first, second, *_ = queries(finance, "CustomersV3")
    assert "$top" not in first
    assert second["$top"] == str(PAGE // 4)
    assert told_apart(run.records("CustomersV3")) == told_apart(reached(finance, "CustomersV3"))


@pytest.mark.usefixtures("_page_size")
def test_rows_that_differ_only_in_an_enumeration_are_read_whatever_the_page_size(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    tables = ["PriceAgreements", "PostingDefinitions", "UserDefaults"]
    run = tap.but(fetch_size=1).sync(catalog=select(catalog, dict.fromkeys(tables)))
    for table in tables:
        assert told_apart(run.records(table)) == told_apart(reached(finance, table)), table


@pytest.mark.parametrize("status", [404, 414, 400])
def test_columns_are_not_named_where_that_makes_the_url_too_long(
    finance: FinanceSandbox, catalog: Message, status: int
) -> None:
    """A gateway or the service refuses long URLs, whatever the tap takes for the limit."""
    tap = Tap({**finance.settings, **MODES["one-by-one"], "cross_company": True})
    finance.configure(longest_url=2_500, long_url_status=status, page_size_cap=PAGE)
    run = tap.sync(catalog=select(catalog, {"CustomersV3": None, "RetailParameters": None}))
    for table in ("CustomersV3", "RetailParameters"):
        assert told_apart(run.records(table)) == told_apart(reached(finance, table))
    assert "$select" not in queries(finance, "RetailParameters")[-1]
    assert not run.logged("WARNING")


def test_large_companies_are_read_side_by_side(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """Where all rows of a page are of one company, the next one is asked for."""
    finance.configure(page_size_cap=5)
    run = tap.sync(catalog=select(catalog, {"CustomersV3": None}))
    assert told_apart(run.records("CustomersV3")) == told_apart(reached(finance, "CustomersV3"))
    filters = [query.get("$filter", "") for query in queries(finance, "CustomersV3")]
    bounds = {text.partition("'")[2][:4] for text in filters if f"{COMPANY} lt" in text}
    asked = [request["query"] for request in reads(finance.requests(), "CustomersV3")]
    next_companies = [query for query in asked if query.get("$select") == COMPANY]
    if tap.settings.get("max_parallel_requests") == 8:
        assert len(bounds) >= 2
        assert 2 <= len(next_companies) <= 5
        assert all(query["$top"] == "1" for query in next_companies)
    else:
        assert not bounds
        assert not next_companies


def test_cookies_are_not_sent_back(finance: FinanceSandbox, tap: Tap, catalog: Message) -> None:
    """The affinity cookie would bind all requests to one server."""
    finance.fault(
        "CustomersV3",
        headers={"Set-Cookie": "ARRAffinity=invented; Path=/"},
        substitute=[("value", "value")],
        count=None,
    )
    tap.sync(catalog=select(catalog, {"CustomersV3": None}))
    assert all("cookie" not in request["headers"] for request in finance.requests())


def test_connection_test_reads_one_row_of_a_set(finance: FinanceSandbox, tap: Tap) -> None:
    run = tap.but(tables=["CustomersV3"]).run("--test")
    assert run.status == 0, run.log
    (query,) = queries(finance, "CustomersV3")
    assert query["$top"] == "1"
    assert "$orderby" not in query
    assert run.counts == {"CustomersV3": 1}
