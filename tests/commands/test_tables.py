"""`dynamics365 tables`: lists of tables and columns, and the first rows of a table."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.program import dynamics365
from tests.tap import reads

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox


def decoded(printed: str) -> list[dict[str, Any]]:
    """Decode rows in JSON, with exact numbers."""
    rows: list[dict[str, Any]] = json.loads(printed, parse_float=Decimal)
    return rows


def test_tables_are_listed_within_100_columns(service: Sandbox) -> None:
    output = dynamics365("tables", service.settings)
    assert (output.status, output.log) == (0, "")
    heading, *lines = output.lines
    assert heading.split("  ")[0] == "table"
    assert max(map(len, output.lines)) <= 100
    assert [line.split()[0] for line in lines] == [table["name"] for table in service.tables()]
    (account,) = (line.split() for line in lines if line.startswith("account "))
    count = str(len(service.rows("account")))
    assert account == ["account", "Account", "accountid", "modifiedon", "yes", count]


def test_tables_in_json_have_their_key_and_whether_changes_are_tracked(service: Sandbox) -> None:
    output = dynamics365("tables", service.settings, "acc*", "territory", "--json")
    found = {row.pop("name"): row for row in decoded(output.printed)}
    assert found.keys() == {"account", "accountleads", "territory"}
    assert found["territory"] == {
        "label": "Territory",
        "key": ["territoryid"],
        "replication_key": "modifiedon",
        "tracks_changes": False,
        "rows": len(service.rows("territory")),
    }


def test_tables_without_a_pattern_are_those_of_the_setting(service: Sandbox) -> None:
    output = dynamics365("tables", {**service.settings, "tables": ["team"]})
    assert [line.split()[0] for line in output.lines] == ["table", "team"]


def test_row_counts_are_right_aligned_although_the_first_table_has_none(service: Sandbox) -> None:
    # The first one is virtual: its rows are not counted.
    chosen = ("new_externalorder", "new_sensordata", "bot")
    heading, virtual, *others = dynamics365("tables", service.settings, *chosen).lines
    counts = [str(len(service.rows(name))) for name in chosen[1:]]
    assert not virtual[heading.index("rows") :].strip()
    assert {len(heading)} == {len(line) for line in others}
    assert [line.split()[-1] for line in others] == counts


@pytest.mark.parametrize("arguments", [(), ("--columns",), ("--rows",)])
def test_tables_that_are_not_there_are_refused(
    service: Sandbox, arguments: tuple[str, ...]
) -> None:
    refusal = dynamics365("tables", service.settings, *arguments, "acount").refusal()
    assert refusal.endswith(
        "No table matches 'acount'. Did you mean account? dynamics365 tables '*' lists all tables."
    )


def test_tables_without_settings_are_refused() -> None:
    refusal = dynamics365("tables", {}).refusal()
    assert "Setting service_url is missing" in refusal


def test_columns_have_type_label_and_description(service: Sandbox) -> None:
    output = dynamics365("tables", service.settings, "--columns", "account")
    assert max(map(len, output.lines)) <= 100
    heading, *lines = output.lines
    assert heading.split() == ["column", "type", "label", "description"]
    (revenue,) = (line for line in lines if line.startswith("revenue "))
    assert revenue.split("  ")[-1].startswith("Shows the annual Reve")
    printed = dynamics365("tables", service.settings, "--columns", "account", "--json").printed
    by_name = {row["name"]: row for row in decoded(printed)}
    assert [*by_name] == [line.split()[0] for line in lines]
    assert (by_name["revenue"]["type"], by_name["revenue"]["label"]) == (
        "Decimal",
        "Annual Revenue",
    )


def test_columns_of_several_tables_are_refused(service: Sandbox) -> None:
    refusal = dynamics365("tables", service.settings, "--columns", "acc*").refusal()
    assert refusal == "2 tables match acc*. Name one."


def test_rows_are_read_in_one_request_of_as_many_rows(service: Sandbox) -> None:
    output = dynamics365("tables", service.settings, "--rows", "account", "--limit", "3", "--json")
    assert output.status == 0, output.log
    rows, stored = decoded(output.printed), service.rows("account")
    assert len(rows) == 3
    assert all(row in stored for row in rows)
    (request,) = reads(service.requests(), "accounts")
    assert request["headers"]["prefer"].startswith("odata.maxpagesize=3")


def test_rows_of_several_pages_are_read_to_the_limit_only(service: Sandbox) -> None:
    service.configure(page_size_cap=5)
    output = dynamics365("tables", service.settings, "--rows", "account", "--limit", "7", "--json")
    assert len(decoded(output.printed)) == 7
    assert len(reads(service.requests(), "accounts")) == 2


def test_rows_in_text_fit_and_say_what_is_left_out(service: Sandbox) -> None:
    output = dynamics365("tables", service.settings, "--rows", "account", "--limit", "2")
    assert max(map(len, output.lines)) <= 100
    assert len(output.lines) == 1 + 2 + 1 + 2
    assert " more columns don't fit here. Choose columns with --select" in output.lines[-2]
    assert output.lines[-1].endswith(" columns have no value in these rows.")


def test_rows_of_selected_columns_have_these_in_order(service: Sandbox) -> None:
    chosen = dynamics365(
        "tables", service.settings, "--rows", "account", "--select", "name, statecode"
    )
    assert chosen.lines[0].split() == ["name", "statecode"]
    assert len(chosen.lines) == 11
    wrong = dynamics365("tables", service.settings, "--rows", "account", "--select", "no_such")
    assert wrong.refusal() == "The table 'account' has no column 'no_such'."


def test_rows_of_an_empty_table_are_none(service: Sandbox) -> None:
    chosen = {**service.settings, "filters": {"team": "name eq 'no such team'"}}
    assert dynamics365("tables", chosen, "--rows", "team").lines == ["No rows."]
    assert decoded(dynamics365("tables", chosen, "--rows", "team", "--json").printed) == []


def test_rows_that_the_service_denies_are_one_sentence(service: Sandbox) -> None:
    service.configure(forbidden_tables=["team"])
    assert "403" in dynamics365("tables", service.settings, "--rows", "team").refusal()


def test_settings_of_stream_maps_do_not_hinder_rows(service: Sandbox) -> None:
    chosen = {**service.settings, "stream_maps": {"team": {"name": "name.upper()"}}}
    output = dynamics365("tables", chosen, "--rows", "team", "--limit", "1", "--json")
    assert (output.status, output.log) == (0, "")
    assert not decoded(output.printed)[0]["name"].isupper()


def test_two_questions_at_once_are_refused(service: Sandbox) -> None:
    output = dynamics365("tables", service.settings, "account", "--rows", "account")
    assert output.status == 2
    assert "Give one of PATTERN, --columns and --rows." in output.log


def test_tables_of_finance_operations_are_listed_and_read(finance: FinanceSandbox) -> None:
    listed = dynamics365("tables", finance.settings, "Customers*")
    assert listed.lines[1].split() == ["CustomersV3", "dataAreaId,", "CustomerAccount", "no"]
    output = dynamics365(
        "tables", finance.settings, "--rows", "CustomersV3", "--limit", "2", "--json"
    )
    rows, stored = decoded(output.printed), finance.rows("CustomersV3")
    assert len(rows) == 2
    assert all(row in stored for row in rows)


def test_tables_of_business_central_are_listed_and_read(central: CentralSandbox) -> None:
    listed = dynamics365("tables", central.settings, "customers", "--json")
    assert decoded(listed.printed) == [
        {
            "name": "customers",
            "label": "Customers",
            "key": ["company_id", "id"],
            "replication_key": "lastModifiedDateTime",
            "tracks_changes": False,
            "rows": None,
        }
    ]
    chosen = {**central.settings, "companies": ["CRONUS*"]}
    output = dynamics365("tables", chosen, "--rows", "salesOrderLines", "--limit", "2", "--json")
    rows = decoded(output.printed)
    assert len(rows) == 2
    assert {row["company_name"] for row in rows} == {"CRONUS Sandbox Ltd."}
