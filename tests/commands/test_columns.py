"""`dynamics365 tables --columns`: types in words, choices, and what the first rows say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.program import dynamics365
from tests.tap import reads

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox

Rows = dict[str, dict[str, Any]]


def columns(settings: dict[str, Any], table: str, *arguments: str) -> Rows:
    """The columns of a table by name."""
    output = dynamics365("tables", settings, "--columns", table, "--json", *arguments)
    assert output.status == 0, output.log
    return {row["name"]: row for row in json.loads(output.printed)}


def test_columns_in_json_have_choices_and_targets(
    service: Sandbox, finance: FinanceSandbox
) -> None:
    found = columns(service.settings, "account")
    assert found["statecode"]["choices"][:2] == [
        {"value": 0, "label": "Active"},
        {"value": 1, "label": "Inactive"},
    ]
    assert found["_ownerid_value"]["targets"] == ["systemuser", "team"]
    kinds = {name: row["kind"] for name, row in found.items()}
    assert kinds["statecode"] == "choice"
    assert kinds["_ownerid_value"] == "lookup → systemuser, team"
    assert kinds["name"] == "text(160)"
    assert (kinds["revenue"], kinds["modifiedon"]) == ("money", "date and time")
    # The members of an enumeration, as far as the tap keeps them.
    assert {"value": "No", "label": None} in columns(finance.settings, "CustomersV3")[
        "IsOneTimeCustomer"
    ]["choices"]


def test_columns_with_sizes_are_those_of_the_first_rows(
    service: Sandbox, central: CentralSandbox
) -> None:
    service.clear_requests()
    found = columns(service.settings, "account", "--sizes")
    (request,) = reads(service.requests(), "accounts")
    assert request["headers"]["prefer"].startswith("odata.maxpagesize=250")
    rows = service.rows("account")[: found["name"]["sampled_rows"]]
    assert len(rows) == min(250, len(service.rows("account")))
    for name in ("revenue", "name", "_primarycontactid_value"):
        expected = sum(row[name] not in (None, "") for row in rows) / len(rows)
        # Which rows are the first ones is the service's matter.
        assert abs(found[name]["filled"] - expected) < 0.1
    assert sum(row["share_of_bytes"] for row in found.values()) == pytest.approx(1)
    a_row = sum(row["bytes_per_row"] for row in found.values())
    assert (
        abs(a_row - sum(len(json.dumps(row, default=str)) for row in rows) / len(rows)) < a_row / 4
    )
    lines = dynamics365("tables", service.settings, "--columns", "account", "--sizes").lines
    assert lines[0].split() == [
        *("column", "type", "label", "filled", "bytes", "per", "row", "share", "of", "bytes")
    ]
    assert lines[-1] == f"Of the first {len(rows)} rows, before compression."
    # Blanks, which Business Central sends for nothing, are no values.
    assert 0 < columns(central.settings, "items", "--sizes")["displayName"]["filled"] < 1


def test_columns_of_a_table_without_rows_have_no_sizes(service: Sandbox) -> None:
    settings = {**service.settings, "filters": {"team": "name eq 'nobody'"}}
    found = columns(settings, "team", "--sizes")
    assert {row["sampled_rows"] for row in found.values()} == {0}
    assert {row["filled"] for row in found.values()} == {None}
    lines = dynamics365("tables", settings, "--columns", "team", "--sizes").lines
    assert lines[-1] == "The table has no rows that you may read."
