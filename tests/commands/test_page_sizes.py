"""`dynamics365 tables --sizes`: a page of each table, as a run requests it, and its bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.program import dynamics365
from tests.sandbox.api import TIMEOUT, Api
from tests.tap import Tap, reads, select

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox


def sizes(settings: dict[str, Any], *arguments: str) -> dict[str, dict[str, Any]]:
    """The tables that the command lists, by name."""
    output = dynamics365("tables", settings, "--sizes", "--json", *arguments)
    assert (output.status, output.log) == (0, "")
    return {row["name"]: row for row in json.loads(output.printed)}


def first_read(service: Sandbox, entity_set: str) -> dict[str, Any]:
    """The first request for rows of an entity set: its address and what it prefers."""
    first = reads(service.requests(), entity_set)[0]
    kept = ("prefer", "accept-encoding")
    return {
        **{name: first[name] for name in ("path", "query")},
        **{name: first["headers"][name] for name in kept},
    }


@pytest.mark.parametrize("wish", [{}, {"show_name_columns": True}, {"fetch_size": 7}])
def test_size_is_that_of_the_page_that_a_run_requests(
    service: Sandbox, wish: dict[str, Any]
) -> None:
    settings = {**service.settings, **wish}
    found = sizes(settings, "account")["account"]
    asked = first_read(service, "accounts")
    assert len(reads(service.requests(), "accounts")) == 1
    count = len(service.rows("account"))
    assert found["page_rows"] == min(count, wish.get("fetch_size", count))
    if "fetch_size" not in wish:
        # The link to a next page repeats the query as it is encoded.
        again = Api(service).session.get(
            f"{service.url}{asked['path']}",
            params=asked["query"],
            headers={"Prefer": asked["prefer"], "Accept-Encoding": asked["accept-encoding"]},
            stream=True,
            timeout=TIMEOUT,
        )
        assert found["page_bytes"] == len(again.raw.read())
    assert found["bytes_per_row"] == round(found["page_bytes"] / found["page_rows"])
    tap = Tap(settings)
    catalog = select(tap.discover(), {"account": None})
    service.clear_requests()
    tap.sync(catalog=catalog)
    assert first_read(service, "accounts") == asked


def test_sizes_in_text_have_a_note_for_each_table_that_is_refused(service: Sandbox) -> None:
    service.configure(forbidden_tables=["team"])
    output = dynamics365("tables", service.settings, "--sizes", "account", "t*m")
    assert output.status == 0
    heading, *lines = output.lines
    assert heading.split("  ")[0] == "table"
    assert heading.endswith("rows  rows of page  bytes of page  bytes per row")
    assert max(map(len, output.lines)) <= 100
    account, team, empty, *note = lines
    assert len(account.split()) == 6
    assert team.split() == ["team", "Team", str(len(service.rows("team")))]
    assert empty == ""
    assert " ".join(note).startswith("team: The service answered 403 ")
    service.configure(forbidden_tables=["team"])
    refused = sizes(service.settings, "team")["team"]
    assert "403" in refused["page_error"]
    assert refused["page_bytes"] is refused["page_rows"] is refused["bytes_per_row"] is None


@pytest.mark.parametrize(
    ("wish", "table", "entity_set", "column"),
    [
        # The first requests of change tracking ask for keys only.
        (
            {"replication_method": "LOG_BASED", "start_date": "2000-01-01T00:00:00Z"},
            "account",
            "accounts",
            "name",
        ),
        # A private table, which is not selected.
        ({}, "principalobjectaccess", "principalobjectaccessset", "accessrightsmask"),
    ],
)
def test_sizes_are_those_of_whole_rows(
    service: Sandbox, wish: dict[str, Any], table: str, entity_set: str, column: str
) -> None:
    found = sizes({**service.settings, **wish}, table)[table]
    assert found["page_rows"] == len(service.rows(table))
    assert column in first_read(service, entity_set)["query"]["$select"].split(",")


def test_sizes_of_a_table_without_rows_are_those_of_an_empty_page(service: Sandbox) -> None:
    filters = {"lead": "subject eq 'no such lead'"}
    found = sizes({**service.settings, "filters": filters}, "lead")["lead"]
    assert (found["page_rows"], found["bytes_per_row"], found["page_error"]) == (0, None, None)
    assert found["page_bytes"] > 0


def test_sizes_of_a_table_that_can_not_be_sorted_are_those_of_the_other_read(
    service: Sandbox,
) -> None:
    service.fault("accounts.*orderby", status=400, code="0x80060888", count=None)
    found = dynamics365("tables", service.settings, "--sizes", "--json", "account")
    (account,) = json.loads(found.printed)
    assert account["page_rows"] == len(service.rows("account"))


def test_sizes_are_read_one_at_a_time_if_the_settings_say_so(service: Sandbox) -> None:
    settings = {**service.settings, "max_parallel_requests": 1}
    found = sizes(settings)
    assert found.keys() == {table["name"] for table in service.tables()}
    assert [name for name, row in found.items() if not row["page_bytes"]] == ["new_externalorder"]


def test_sizes_of_rows_or_columns_are_refused(service: Sandbox) -> None:
    output = dynamics365("tables", service.settings, "--sizes", "--rows", "account")
    assert output.status == 2
    assert "Give --sizes with PATTERN, not with --columns or --rows." in output.log


def test_sizes_of_finance_operations_are_those_of_pages(finance: FinanceSandbox) -> None:
    found = sizes({**finance.settings, "cross_company": True}, "CustomersV3")["CustomersV3"]
    (request,) = reads(finance.requests(), "CustomersV3")
    assert request["query"]["cross-company"] == "true"
    # The user may not read all companies.
    assert 0 < found["page_rows"] < len(finance.rows("CustomersV3"))
    assert found["page_bytes"] > 0


def test_sizes_of_business_central_are_those_of_the_first_company_with_rows(
    central: CentralSandbox,
) -> None:
    companies = ["Closed + Secret", "CRONUS Sandbox Ltd."]
    found = sizes({**central.settings, "companies": companies}, "customers", "salesOrderLines")
    assert all(row["page_rows"] > 0 and row["page_error"] is None for row in found.values())
    closed = sizes({**central.settings, "companies": companies[:1]}, "customers")["customers"]
    assert closed["page_rows"] is None
    assert closed["page_error"]
