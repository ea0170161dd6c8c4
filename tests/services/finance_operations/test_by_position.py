"""Sets of Finance & Operations that can only be read by position, or seem so at first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.services.finance_operations.test_full_tables import (
    full,
)
from tests.services.finance_operations.test_reads import queries, reached, told_apart
from tests.tap import (
    Message,
    Tap,
    activated,
    versions,
)

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox

PAGE = 20
GUIDS, ENUMERATION, NO_KEY = "DualWriteProjects", "FormulaParameters", "Certifications"
REFUSAL = {
    "status": 400,
    "message": "The query specified in the URI is not valid. Cannot sort by a virtual column.",
    "error_form": "finance_query",
    "count": None,
}


@pytest.fixture
def tap(finance: FinanceSandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for all companies and table versions. The environment has small pages."""
    finance.configure(page_size_cap=PAGE)
    versions = {"emit_activate_version_messages": True}
    return Tap({**finance.settings, **way, **versions, "cross_company": True})


@pytest.fixture(scope="module")
def discovered(finance_sandbox: FinanceSandbox) -> Message:
    """What the tap discovers in the environment."""
    return Tap({**finance_sandbox.settings, "cross_company": True, "tables": ["*"]}).discover()


def skips(finance: FinanceSandbox, table: str) -> list[str | None]:
    """How many rows each request for a set leaves out."""
    return [query.get("$skip") for query in queries(finance, table)]


def test_comparison_that_is_refused_does_not_lose_the_place(
    finance: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    """The service may sort by GUIDs and refuse to compare them."""
    finance.configure(guid_comparison="refused")
    run = tap.sync(catalog=full(discovered, GUIDS))
    assert told_apart(run.records(GUIDS)) == told_apart(reached(finance, GUIDS))
    later = range(PAGE, len(finance.rows(GUIDS)), PAGE)
    assert skips(finance, GUIDS) == [None, None, *map(str, later)]
    (warning,) = run.logged("WARNING")
    assert "by position, because the service refuses to compare its key" in warning
    assert activated(run) == {}


def test_order_that_is_refused_is_named_and_the_rows_are_read(
    finance: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    finance.fault(r"CustomersV3\?.*\$orderby", **REFUSAL)
    run = tap.run(catalog=full(discovered, "CustomersV3"))
    (warning,) = run.logged("WARNING")
    assert "by position, because the service does not sort it" in warning
    assert "Cannot sort by a virtual column" in warning
    assert activated(run) == {}


def test_order_that_is_refused_does_no_harm_to_a_set_of_one_page(
    finance: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    finance.configure(page_size_cap=10_000)
    finance.fault(r"CustomersV3\?.*\$orderby", **REFUSAL)
    run = tap.sync(catalog=full(discovered, "CustomersV3"))
    assert told_apart(run.records("CustomersV3")) == told_apart(reached(finance, "CustomersV3"))
    assert not run.logged("WARNING")
    assert set(activated(run)) == {"CustomersV3"}


def test_set_whose_enumeration_cannot_be_sorted_by_is_sorted_by_the_rest_of_its_key(
    finance: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    table = "PriceAgreements"
    finance.fault(r"PriceAgreements\?.*\$orderby=[^&]*AccountType", **REFUSAL)
    run = tap.sync(catalog=full(discovered, table))
    assert told_apart(run.records(table)) == told_apart(reached(finance, table))
    assert set(skips(finance, table)) == {None}
    assert not run.logged("WARNING")
    assert set(activated(run)) == {table}


def test_set_without_a_key_is_sorted_by_its_columns_and_replaced_as_a_whole(
    finance: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    """The target can't tell its rows apart, and would keep those of all runs."""
    run = tap.sync(catalog=full(discovered, NO_KEY))
    assert told_apart(run.records(NO_KEY)) == told_apart(finance.rows(NO_KEY))
    assert queries(finance, NO_KEY)[0]["$orderby"].count(" asc") > 1
    later = range(PAGE, len(finance.rows(NO_KEY)), PAGE)
    assert skips(finance, NO_KEY) == [None, *map(str, later)]
    (warning,) = run.logged("WARNING")
    assert "by position, because it has no key" in warning
    assert set(activated(run)) == {NO_KEY}


def test_read_of_a_key_that_cannot_be_compared_begins_anew(
    finance: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    finance.configure(page_size_cap=2)
    finance.fault(f"{ENUMERATION}.*skip", status=500, error_form="finance", count=None)
    catalog = full(discovered, ENUMERATION)
    first = tap.run(catalog=catalog)
    assert first.counts[ENUMERATION] == 2
    finance.clear_faults()
    finance.configure(page_size_cap=10_000)
    second = tap.sync(catalog=catalog, state=first.state)
    assert second.counts[ENUMERATION] == len(finance.rows(ENUMERATION))
    assert activated(second)[ENUMERATION] not in versions(first, ENUMERATION)
