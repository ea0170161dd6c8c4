"""Tables that change after they were described, and columns that the tap adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.arrow import ArrowSource
from tap_dynamics365.errors import ServiceError
from tests.arrow.expected import table_of

if TYPE_CHECKING:
    from sandbox.client import Sandbox


def test_table_that_changes_after_it_was_described_loses_nothing_silently(
    changing_sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    rows = {row["accountid"]: row for row in changing_sandbox.rows("account")}
    with ArrowSource({**changing_sandbox.settings, "fetch_size": 100}) as source:
        source.tables("account")
        changing_sandbox.drop_column("account", "fax")
        table = table_of(source.read("account", ["accountid", "name", "fax"]))
        assert table["fax"].null_count == table.num_rows == len(rows)
        assert "'fax' of 'account' has left the service" in caplog.text
        changing_sandbox.retype_column("account", "numberofemployees", "Edm.String")
        columns = ["accountid", "numberofemployees"]
        with pytest.raises(ServiceError, match=r"'numberofemployees' of 'account' holds \"\d+\""):
            table_of(source.read("account", columns))
        found = table_of(source.read("account", columns, text=["numberofemployees"]))
        values = dict(zip(*found.to_pydict().values(), strict=True))
        wanted = {key: row["numberofemployees"] for key, row in rows.items()}
        assert values == {key: v if v is None else str(v) for key, v in wanted.items()}


def test_names_and_partitions_have_columns_as_in_the_tap(changing_sandbox: Sandbox) -> None:
    settings = {**changing_sandbox.settings, "fetch_size": 100, "show_name_columns": True}
    with ArrowSource(settings) as source:
        columns = ["statecodename", "primarycontactidtype", "statecode"]
        table = table_of(source.read("account", columns))
    assert table.column_names == columns
    assert {*table["statecodename"].to_pylist()} == {"Active", "Inactive"}
    assert "contact" in table["primarycontactidtype"].to_pylist()
    # Without its definition, columns tell that a table is elastic.
    changing_sandbox.add_column("account", "ttlinseconds", "Edm.Int32")
    changing_sandbox.add_column("account", "partitionid")
    path = "RetrieveMetadataChanges|EntityDefinitions"
    changing_sandbox.fault(path, status=403, code="0x80040220", count=None)
    with ArrowSource(settings) as source:
        reading = source.read("account", ["partitionid", "accountid"])
        table = table_of(reading)
    assert reading.key == ("accountid", "partitionid")
    assert table["partitionid"].equals(table["accountid"])
