"""`dynamics365 estimate`: its text, and which tables and columns it is about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.commands.program import dynamics365
from tests.tap import Tap, reads, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox
    from tests.tap import Message


def estimated(
    settings: dict[str, Any], *arguments: str, catalog: Message | None = None
) -> dict[str, Any]:
    """The tables of the plan in JSON, by name."""
    output = dynamics365("estimate", settings, "--json", *arguments, catalog=catalog)
    assert (output.status, output.log) == (0, "")
    return {table["name"]: table for table in json.loads(output.printed)["tables"]}


def test_estimate_in_text_has_tables_sums_limits_advice_and_notes(service: Sandbox) -> None:
    service.configure(forbidden_tables=["team"])
    tables = ("annotation", "team", "bulkdeletefailure")
    output = dynamics365("estimate", service.settings, *tables, "--measure")
    assert (output.status, output.log) == (0, "")
    assert max(map(len, output.lines)) <= 100
    listed, sums, said, notes = (part.splitlines() for part in output.printed.split("\n\n"))
    assert listed[0].split() == [
        *("table", "method", "rows", "requests", "each", "run", "bytes", "ms", "a", "page"),
    ]
    count = str(len(service.rows("annotation")))
    (annotation,) = (line.split() for line in listed if line.startswith("annotation "))
    assert annotation[:5] == ["annotation", "INCREMENTAL", count, "1", "1"]
    assert {line.split()[0] for line in listed[1:]} == {*tables}
    assert sums[0].split() == ["tables", "rows", "requests", "bytes", "time"]
    assert sums[1].split()[:5] == ["first", "load", "3", sums[1].split()[3], "3"]
    assert sums[3].startswith(
        "The first load takes less than 0.1%, each run less than 0.1% of the "
    )
    assert said[0].startswith("! Each run reads all 30 rows of these tables, ")
    assert any(line.startswith("! Large texts and images are about ") for line in said)
    assert any(line.startswith("- team can't be read: The service answered 403 ") for line in notes)


def test_estimate_in_json_has_what_an_advice_changes(service: Sandbox) -> None:
    output = dynamics365("estimate", service.settings, "annotation", "--measure", "--json")
    (advice,) = json.loads(output.printed)["advice"]
    assert (advice["kind"], advice["tables"]) == ("large_columns", ["annotation"])
    assert advice["change"] == {
        "replication_method": None,
        "deselect": [["annotation", "notetext"]],
    }
    unmeasured = estimated(service.settings, "annotation")["annotation"]
    assert unmeasured["page"] is unmeasured["first_load"]["wire_bytes"] is None


def test_estimate_without_pages_requests_no_rows(service: Sandbox) -> None:
    output = dynamics365("estimate", service.settings, "account")
    assert reads(service.requests(), "accounts") == []
    sums = output.printed.split("\n\n")[1].splitlines()
    assert sums[1].split()[-2:] == ["?", "?"]
    assert "- The row counts of Dataverse are up to a day old." in output.lines
    assert output.lines[-1] == "With --measure, one page of each table is read."


def test_estimate_is_about_what_the_catalog_selects(service: Sandbox) -> None:
    catalog = select(Tap(service.settings).discover(), {"account": ["name"], "contact": None})
    found = estimated(service.settings, "--measure", catalog=catalog)
    assert found.keys() == {"account", "contact"}
    # Keys are always requested.
    assert {"name", "accountid", "modifiedon"} <= found["account"]["page"]["columns"].keys()
    assert "telephone1" not in found["account"]["page"]["columns"]
    assert "telephone1" in found["contact"]["page"]["columns"]
    assert estimated(service.settings, "con*", catalog=catalog).keys() == {"contact"}


def test_estimate_is_about_what_the_rules_select(service: Sandbox) -> None:
    rules = ("--select", "account.*", "--select", "!account.name", "--select", "t*.*")
    found = estimated(service.settings, *rules, "--measure")
    names = {table["name"] for table in service.tables()}
    assert found.keys() == {name for name in names if name.startswith("t") or name == "account"}
    assert "name" not in found["account"]["page"]["columns"]
    assert "telephone1" in found["account"]["page"]["columns"]
    both = dynamics365("estimate", service.settings, *rules, catalog={"streams": []})
    assert both.status == 2
    assert "Give --catalog or --select: both select tables and columns." in both.log


def test_estimate_is_about_the_tables_of_the_settings(service: Sandbox) -> None:
    assert estimated({**service.settings, "tables": ["team"]}).keys() == {"team"}


def test_estimate_of_no_table_is_refused(service: Sandbox, finance: FinanceSandbox) -> None:
    nothing = "No table is selected: name tables, or set tables."
    assert dynamics365("estimate", finance.settings).refusal() == nothing
    rule = ("--select", "no_such.*")
    assert dynamics365("estimate", service.settings, *rule).refusal() == nothing
    refusal = dynamics365("estimate", service.settings, "no_such").refusal()
    assert refusal.startswith("No table matches 'no_such'. ")
    catalog = select(Tap(service.settings).discover(), {})
    assert dynamics365("estimate", service.settings, catalog=catalog).refusal() == nothing
