"""The tap as a library: open a service, list its tables, read one."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from sandbox.business_central.companies import CLOSED
from tap_dynamics365.errors import MetadataError, ServiceError, SettingsError
from tap_dynamics365.library import Dynamics365

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox


@pytest.fixture
def opened(service: Sandbox) -> Dynamics365:
    """The service, opened with small pages."""
    return Dynamics365({**service.settings, "fetch_size": 7})


def test_tables_by_patterns_are_those_that_match(opened: Dynamics365) -> None:
    found = {table.name: (table, definition) for table, definition in opened.tables("acc*", "Team")}
    assert found.keys() >= {"account", "team"}
    assert all(name == "team" or name.startswith("acc") for name in found)
    table, definition = found["account"]
    assert table.key == ("accountid",)
    assert "revenue" in {column.name for column in table.columns}
    assert definition is not None
    assert definition.display_name.text == "Account"


def test_rows_of_a_table_are_all_of_its_rows_in_python_types(
    service: Sandbox, opened: Dynamics365
) -> None:
    rows = list(opened.rows("account", ["accountid", "name", "revenue", "numberofemployees"]))
    expected = {row["accountid"]: row for row in service.rows("account")}
    assert {row["accountid"]: row["name"] for row in rows} == {
        key: row["name"] for key, row in expected.items()
    }
    assert len(rows) == len(expected)
    amounts = [row["revenue"] for row in rows if row["revenue"] is not None]
    assert amounts
    assert all(isinstance(amount, (Decimal, int)) for amount in amounts)
    asked = [request for request in service.requests() if "/accounts" in request["path"]]
    assert all(
        "$select" in request["query"] or "$skiptoken" in request["query"] for request in asked
    )


def test_rows_without_columns_have_all_of_them_and_no_annotations(opened: Dynamics365) -> None:
    row = next(opened.rows("team"))
    ((table, _),) = opened.tables("team")
    assert row.keys() <= {column.name for column in table.columns}
    assert len(row) > len(table.key)


def test_rows_of_an_unknown_column_or_table_are_refused_in_a_sentence(opened: Dynamics365) -> None:
    with pytest.raises(SettingsError, match=r"The table 'team' has no column 'colour'\."):
        next(opened.rows("team", ["name", "colour"]))
    with pytest.raises(MetadataError, match="nosuchtable"):
        next(opened.rows("nosuchtable"))


def test_rows_of_a_pattern_are_refused_and_a_second_read_describes_nothing_again(
    service: Sandbox, opened: Dynamics365
) -> None:
    with pytest.raises(MetadataError, match=r"no table of the name 'tea\*'"):
        next(opened.rows("tea*"))
    service.clear_requests()
    assert len(list(opened.rows("team", ["name"]))) == len(list(opened.rows("team", ["name"])))
    assert not [request for request in service.requests() if "$metadata" in request["path"]]


def test_rows_up_to_the_call_limit_end_as_the_setting_says(service: Sandbox) -> None:
    limit = {"stmt_call_limit": 1, "fetch_size": 2}
    with Dynamics365({**service.settings, **limit}) as opened, pytest.raises(ServiceError):
        list(opened.rows("team", ["name"]))
    limit["stmt_call_limit_behavior"] = "ReturnResults"
    with Dynamics365({**service.settings, **limit}) as opened:
        assert len(list(opened.rows("team", ["name"]))) == 2


def test_rows_that_the_service_denies_raise_its_words(
    service: Sandbox, opened: Dynamics365
) -> None:
    service.fault("/teams", status=403, code="0x80040220", count=None)
    with pytest.raises(ServiceError, match="SecLib"):
        next(opened.rows("team", ["name"]))


def test_rows_after_a_transient_failure_are_complete(service: Sandbox, opened: Dynamics365) -> None:
    service.fault("/teams", status=503, retry_after="0.1")
    assert len(list(opened.rows("team", ["name"]))) == len(service.rows("team"))


def test_rows_of_all_companies_are_read(central: CentralSandbox) -> None:
    with Dynamics365({**central.settings, "fetch_size": 5}) as service:
        rows = list(service.rows("customers", ["company_name", "number"]))
        lines = list(service.rows("salesInvoiceLines"))
    assert rows
    assert all(row.keys() == {"company_name", "number"} for row in rows)
    open_rows = [row for row in central.rows("customers") if row["$company"] != CLOSED.id]
    assert len(rows) == len(open_rows)
    assert {line["company_id"] for line in lines} == {row["$company"] for row in open_rows}


def test_company_that_refuses_a_later_page_is_not_read_in_part(central: CentralSandbox) -> None:
    central.fault("customers.*skiptoken", status=403, error_form="central", count=None)
    with (
        Dynamics365({**central.settings, "fetch_size": 5}) as service,
        pytest.raises(ServiceError, match="403"),
    ):
        list(service.rows("customers"))
