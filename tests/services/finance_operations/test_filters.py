"""Filters of Finance & Operations: enumerations, companies, continuation by key values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.finance_operations.companies import REACHED
from tests.tap import Message, Run, Tap, choose, select

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox

SET, OTHER = "CustomersV3", "ExchangeRates"
NO = "Microsoft.Dynamics.DataEntities.NoYes'No'"
SINCE = "2022-01-01T00:00:00Z"
FILTER = f"IsOneTimeCustomer eq {NO} and CreditLimit gt 1000 and CredManCustomerSince ge {SINCE}"


@pytest.fixture
def tap(finance: FinanceSandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for two entity sets, of which one has a filter."""
    finance.configure(page_size_cap=7)
    given = {"tables": [SET, OTHER], "cross_company": True, "filters": {SET: FILTER}}
    return Tap({**finance.settings, **way, **given})


@pytest.fixture(scope="module")
def catalog(finance_sandbox: FinanceSandbox) -> Message:
    """The catalog of the two entity sets."""
    found = Tap({**finance_sandbox.settings, "tables": [SET, OTHER]}).discover()
    return select(found, {SET: ["OrganizationName"], OTHER: ["Rate"]})


def keys(run: Run) -> list[tuple[str, str]]:
    """The keys of the customers that were sent."""
    return sorted(map(key, run.records(SET)))


def key(row: Message) -> tuple[str, str]:
    """The key of a customer."""
    return row["dataAreaId"], row["CustomerAccount"]


def stored(finance: FinanceSandbox) -> list[Message]:
    """The customers of the companies that the user may read."""
    return [row for row in finance.rows(SET) if row["dataAreaId"] in REACHED]


def left(finance: FinanceSandbox) -> set[tuple[str, str]]:
    """The keys of the customers that fulfil the filter."""
    return {
        key(row)
        for row in stored(finance)
        if row["IsOneTimeCustomer"] == "No"
        and row["CreditLimit"] > 1000
        and row["CredManCustomerSince"] >= SINCE
    }


def asked(finance: FinanceSandbox) -> list[str]:
    """The filters of all requests for customers."""
    return [
        request["query"].get("$filter", "")
        for request in finance.requests()
        if request["path"].endswith(f"/{SET}")
    ]


def test_rows_of_all_companies_with_a_filter_are_those_that_fulfil_it(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    run = tap.sync(catalog=catalog)
    assert keys(run) == sorted(left(finance))
    assert 7 < len(keys(run)) < len(stored(finance))
    assert run.counts[OTHER] == len(finance.rows(OTHER))
    first, *others = asked(finance)
    assert first == f"({FILTER})"
    assert others
    for text in others:
        assert " gt '" in text or " ge '" in text
        assert text.endswith(f" and ({FILTER})")


def test_filter_of_a_company_selects_its_rows(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    run = tap.but(filters={SET.lower(): "dataAreaId eq 'ussi'"}).sync(catalog=catalog)
    assert keys(run) == sorted(key(row) for row in stored(finance) if row["dataAreaId"] == "ussi")


def test_full_read_with_a_filter_is_continued_unless_the_filter_changes(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    chosen = choose(catalog, SET)
    finance.fault(SET, status=403, skip=2, count=None)
    part = tap.run(catalog=chosen)
    finance.clear_faults()
    assert part.status == 1
    assert part.state["bookmarks"][SET]["full_table"]
    rest = tap.sync(catalog=chosen, state=part.state)
    assert sorted(keys(part) + keys(rest)) == sorted(left(finance))
    assert keys(part)
    other = tap.but(filters={SET: "CreditLimit le 1000"}).sync(catalog=chosen, state=part.state)
    assert keys(other) == sorted(key(row) for row in stored(finance) if row["CreditLimit"] <= 1000)
    everything = tap.but(filters=None).sync(catalog=chosen, state=part.state)
    assert keys(everything) == sorted(map(key, stored(finance)))
    for run in (other, everything):
        (warning,) = run.logged("WARNING")
        assert "The filter of 'CustomersV3' has changed" in warning


def test_filter_with_the_number_of_a_member_fails_its_table_with_the_words_of_the_service(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    run = tap.but(filters={SET: "IsOneTimeCustomer eq 0"}).run(catalog=catalog)
    assert run.status == 1
    (error,) = [text for text in run.logged("ERROR") if f"'{SET}' failed" in text]
    assert "incompatible types" in error
    assert error.endswith("The query contains the filter of 'CustomersV3': check it.")
    assert run.counts == {OTHER: len(finance.rows(OTHER))}
    assert not run.logged("WARNING")
    assert all("IsOneTimeCustomer eq 0" in text for text in asked(finance))
