"""Estimate: the requests and rows that it gives are those that real runs make."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.program import dynamics365
from tests.tap import Message, Run, Tap, select

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox

# The share by which the requests of tables that are read in ranges may be wrong: they depend on
# which responses arrive first.
TOLERANCE = 0.25
# The same for rows of a table that is read through parents, with pages of a few parents.
OF_PARENTS = 0.75


def plan(settings: dict[str, Any], catalog: Message | None = None, *arguments: str) -> Message:
    """The plan that the command prints."""
    given = ("--measure", "--json", *arguments)
    output = dynamics365("estimate", settings, *given, catalog=catalog)
    assert (output.status, output.log) == (0, "")
    found: Message = json.loads(output.printed)
    return found


def requests(service: Sandbox) -> int:
    """The requests to the service, without sign-in and discovery."""
    log = service.requests()
    return sum("/oauth2/" not in each["path"] and "$metadata" not in each["path"] for each in log)


def runs(service: Sandbox, settings: dict[str, Any], catalog: Message) -> list[tuple[Run, int]]:
    """A first run and two later ones, with the number of their requests."""
    found: list[tuple[Run, int]] = []
    for _ in range(3):
        service.clear_requests()
        state = found[-1][0].state if found else None
        found.append((Tap(settings).sync(catalog=catalog, state=state), requests(service)))
    return found


def rows(of_tables: list[Message], load: str) -> dict[str, int]:
    """The rows that tables send in a load, without those that send none or are unknown."""
    return {table["name"]: table[load]["rows"] for table in of_tables if table[load]["rows"]}


def total(run: Run) -> int:
    return sum(run.counts.values())


@pytest.mark.parametrize("in_flight", [1, 8])
def test_estimate_of_dataverse_is_what_runs_make(service: Sandbox, in_flight: int) -> None:
    settings = {**service.settings, "fetch_size": 40, "max_parallel_requests": in_flight}
    catalog = Tap(settings).discover()
    found = plan(settings)
    (first, at_first), (second, _), (third, later) = runs(service, settings, catalog)
    assert at_first > 1.5 * len(first.counts)
    tolerance = 0 if in_flight == 1 else TOLERANCE * at_first
    assert found["first_load"]["requests"] == pytest.approx(at_first, abs=tolerance)
    assert found["each_run"]["requests"] == later
    sent_rows = rows(found["tables"], "first_load")
    assert sent_rows == first.counts
    assert found["first_load"]["rows"] == total(first)
    assert rows(found["tables"], "each_run") == third.counts
    assert found["each_run"]["rows"] == total(third)
    # Version numbers are read from where the run before began.
    twice = [table["name"] for table in found["tables"] if table["is_read_twice"]]
    assert "teammembership" in twice
    assert total(second) - total(third) == sum(sent_rows[name] - 1 for name in twice)


def test_estimate_of_log_based_runs_is_what_they_make(service: Sandbox) -> None:
    settings = {**service.settings, "fetch_size": 40, "replication_method": "LOG_BASED"}
    catalog = select(Tap(settings).discover(), dict.fromkeys(["account", "team", "territory"]))
    found = plan(settings, catalog)
    methods = {table["name"]: table["method"] for table in found["tables"]}
    # Changes of territory are not tracked.
    assert methods == {"account": "LOG_BASED", "team": "LOG_BASED", "territory": "INCREMENTAL"}
    (first, at_first), (second, later), _ = runs(service, settings, catalog)
    assert found["first_load"]["requests"] == pytest.approx(at_first, rel=TOLERANCE)
    assert found["first_load"]["rows"] == total(first)
    assert found["each_run"]["requests"] == later == 3
    assert found["each_run"]["rows"] == total(second) == 1


def test_page_of_a_log_based_table_has_whole_rows(service: Sandbox) -> None:
    # The first requests of such a run ask for keys only.
    settings = {**service.settings, "start_date": "2000-01-01T00:00:00Z"}
    wish = {**settings, "replication_method": "LOG_BASED", "tables": ["account"]}
    (account,) = plan(settings, Tap(wish).discover())["tables"]
    assert account["method"] == "LOG_BASED"
    assert "name" in account["page"]["columns"]


def test_estimate_with_a_start_date_counts_the_question_for_rows_without_one(
    service: Sandbox,
) -> None:
    settings = {**service.settings, "start_date": "2024-01-01T00:00:00Z", "tables": ["account"]}
    (first, at_first), _, (_, later) = runs(service, settings, Tap(settings).discover())
    found = plan(settings)
    assert found["first_load"]["requests"] == at_first == 2
    assert found["first_load"]["rows"] == total(first) < len(service.rows("account"))
    assert found["each_run"]["requests"] == later == 1
    unmeasured = json.loads(dynamics365("estimate", settings, "--json").printed)
    assert unmeasured["first_load"]["rows"] == len(service.rows("account"))
    assert any(
        note.startswith("Counted without filter and start date, which leave fewer rows: account")
        for note in unmeasured["notes"]
    )


def test_estimate_of_finance_operations_is_what_runs_make(finance: FinanceSandbox) -> None:
    finance.configure(honours_page_size=True)
    tables = ["CustomersV3", "ReleasedProductsV2", "Currencies", "SalesOrderHeadersV2", "VendorsV2"]
    wish = {"cross_company": True, "tables": tables, "fetch_size": 30, "filters": {}}
    settings = {**finance.settings, **wish, "filters": {"Currencies": "CurrencyCode gt 'C'"}}
    found = plan(settings)
    (first, at_first), _, (third, later) = runs(finance, settings, Tap(settings).discover())
    assert at_first > 3 * len(tables)
    assert found["first_load"]["requests"] == pytest.approx(at_first, rel=TOLERANCE)
    assert found["each_run"]["requests"] == pytest.approx(later, rel=TOLERANCE)
    assert rows(found["tables"], "first_load") == first.counts
    assert rows(found["tables"], "each_run") == third.counts


def test_estimate_of_business_central_is_what_runs_make(central: CentralSandbox) -> None:
    settings = {**central.settings, "fetch_size": 7}
    found = plan(settings)
    (first, at_first), _, (third, later) = runs(central, settings, Tap(settings).discover())
    assert at_first > 200
    assert found["first_load"]["requests"] == pytest.approx(at_first, rel=TOLERANCE)
    assert found["each_run"]["requests"] == later
    known = rows(found["tables"], "first_load")
    assert {*first.counts} - {*known} == {"defaultDimensions", "dimensionSetLines", "pictures"}
    counted = {name for name in known if not name.endswith("Lines")}
    assert {name: known[name] for name in counted} == {n: first.counts[n] for n in counted}
    for name in {*known} - counted:
        assert known[name] == pytest.approx(first.counts[name], rel=OF_PARENTS)
    assert len(counted) == len(known) - 3
    assert rows(found["tables"], "each_run") == third.counts


def test_estimate_is_about_the_companies_of_the_settings(central: CentralSandbox) -> None:
    companies = ["CRONUS Sandbox Ltd.", "My Company"]
    wish = {"companies": companies, "tables": ["customers", "customerSales", "salesOrderLines"]}
    settings = {**central.settings, **wish}
    found = plan(settings)
    (first, at_first), _, (_, later) = runs(central, settings, Tap(settings).discover())
    assert found["first_load"]["requests"] == at_first
    assert found["each_run"]["requests"] == later
    assert rows(found["tables"], "first_load") == first.counts
